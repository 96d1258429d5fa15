//! Whether a client, by its metadata, works on a server with these settings.

use crate::config::Settings;
use crate::model::{Algorithm, Client, ClientMetadata, GrantType, Ui};
use crate::protocol::registration::{self, InvalidMetadata};
use crate::protocol::remote_uri;

/// The client that this metadata describes, or everything that keeps it from working on a server with these settings.
pub(super) fn registrable(
    client: ClientMetadata,
    settings: &Settings,
) -> Result<Client, Vec<InvalidMetadata>> {
    let client = settings.clients.profiles.resolve(client).map_err(|unknown| vec![unknown.into()])?;
    let problems = problems(&client, settings);
    if problems.is_empty() { Ok(client) } else { Err(problems) }
}

fn problems(client: &Client, settings: &Settings) -> Vec<InvalidMetadata> {
    let mut problems = registration::check(client);
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    let fetched = [
        ("jwks_uri", client.jwks_uri()),
        ("sector_identifier_uri", client.identity.sector_identifier_uri.as_ref()),
        ("backchannel_logout_uri", client.logout.backchannel_logout_uri.as_ref()),
    ];
    for (member, uri) in fetched {
        let checked = uri.map(|uri| remote_uri::check(uri, settings.outbound.allow_private));
        if let Some(Err(error)) = checked {
            complain(member, error.to_string());
        }
    }
    for uri in &client.requests.request_uris {
        // OpenID Connect Registration 2: a fragment is the digest of what is there.
        let address = uri.split_once('#').map_or(uri.as_str(), |(address, _)| address);
        if let Err(error) = remote_uri::check(address, settings.outbound.allow_private) {
            complain("request_uris", format!("{uri}: {error}"));
        }
    }
    if client.requests.response_types.iter().any(|asked| asked.is_implicit()) && !settings.grants.implicit {
        let problem = "only code and code id_token are on; grants.implicit turns the others on";
        complain("response_types", problem.to_owned());
    }
    if client.ui == Some(Ui::External) && settings.ui.external.is_none() {
        complain("ui", "set ui.login_url and ui.consent_url before a client uses them".to_owned());
    }
    if client.token_hook == Some(true) && settings.token_hook.is_none() {
        complain("token_hook", "set token_hook.url before a client uses it".to_owned());
    }
    if client.may_use(GrantType::Password) && !settings.grants.password {
        complain("grant_types", "the password grant is off; grants.password turns it on".to_owned());
    }
    for (member, algorithm) in [
        ("id_token_signed_response_alg", client.id_token_signed_response_alg),
        ("access_token_signed_response_alg", client.access_token_signed_response_alg),
        ("introspection_signed_response_alg", client.identity.introspection_signed_response_alg),
        ("userinfo_signed_response_alg", client.identity.userinfo_signed_response_alg),
        ("authorization_signed_response_alg", client.requests.authorization_signed_response_alg),
    ] {
        problems.extend(unknown_algorithm(member, algorithm, settings));
    }
    problems
}

/// An algorithm for which the server has no keys.
pub(crate) fn unknown_algorithm(
    member: &'static str,
    algorithm: Option<Algorithm>,
    settings: &Settings,
) -> Option<InvalidMetadata> {
    let known = &settings.keys.algorithms;
    let unknown = algorithm.filter(|algorithm| !known.contains(algorithm))?;
    let names: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
    let problem = format!("{unknown} is not in keys.algorithms, which has {}", names.join(", "));
    Some(InvalidMetadata { member, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::administration::clients::defaults;
    use crate::model::{ClientId, Timestamp};

    #[test]
    fn an_algorithm_without_a_key_is_a_problem() {
        let settings = Settings::load(None, []).unwrap();
        let mut client = defaults::client(ClientId::new("c"), "C".to_owned(), Timestamp::from_unix(0));
        client.redirect_uris = vec!["https://a.example/cb".into()];
        assert!(registrable(client.clone(), &settings).is_ok());
        client.id_token_signed_response_alg = Some(Algorithm::PS256);
        assert_eq!(registrable(client, &settings).unwrap_err().len(), 1);
    }
}
