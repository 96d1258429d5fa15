//! From the command line's words to what a client's tokens are for and what is in them.

use super::args::tokens::ClientTokens;
use super::given::{replace, set, set_text};
use crate::model::{ClaimsMapping, ClientMetadata};
use crate::protocol::registration::InvalidMetadata;

/// Puts what was given into `client`; complains of what cannot be put.
pub(super) fn apply(client: &mut ClientMetadata, given: ClientTokens, problems: &mut Vec<InvalidMetadata>) {
    replace(&mut client.resources, given.resources);
    set_text(&mut client.resource_server, given.resource_server);
    set(&mut client.scope_strategy, given.scope_strategy);
    set(&mut client.token_format, given.token_format);
    set(&mut client.token_hook, given.token_hook);
    for (place, given, member) in [
        (&mut client.claims_mapping, given.claims, "claim"),
        (&mut client.id_token_claims_mapping, given.id_token_claims, "id-token-claim"),
    ] {
        match mapping(&given) {
            Ok(Some(mapping)) => *place = mapping,
            Ok(None) => {}
            Err(problem) => problems.push(InvalidMetadata { member, problem }),
        }
    }
}

/// One empty text clears.
fn mapping(given: &[String]) -> Result<Option<ClaimsMapping>, String> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut mapping = ClaimsMapping::new();
    for text in given.iter().filter(|text| !text.is_empty()) {
        let (name, source) = text.split_once('=').ok_or_else(|| format!("{text}: write NAME=SOURCE"))?;
        let source = source.parse().map_err(|error| format!("{name}: {error}"))?;
        if mapping.insert(name.to_owned(), source).is_some() {
            return Err(format!("{name} is given more than once"));
        }
    }
    Ok(Some(mapping))
}

/// A mapping as it was given.
pub(super) fn written(mapping: &ClaimsMapping) -> String {
    mapping.iter().map(|(name, source)| format!("{name}={source}")).collect::<Vec<_>>().join(" ")
}
