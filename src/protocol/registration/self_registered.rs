//! What holds for a client that registered itself, beside what holds for all (OpenID Connect Registration 2, RFC 8252 7,
//! RFC 7591 5).

use super::request::Terms;
use super::{InvalidMetadata, forms};
use crate::model::{ApplicationType, Client};
use crate::protocol::redirect_uri;

/// Every problem with the operator's terms.
pub(crate) fn check(client: &Client, terms: &Terms) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    for grant_type in client.grant_types.iter().filter(|asked| !terms.grant_types.contains(asked)) {
        complain(
            "grant_types",
            format!("{} is not offered to applications that register themselves", grant_type.as_str()),
        );
    }
    let scope = client.scope.without(&terms.scope);
    if !scope.is_empty() {
        complain("scope", format!("{scope} is not offered to applications that register themselves"));
    }
    // Nobody has looked at it, and people go by what they read.
    for misleading in forms::misleading(client) {
        complain(misleading.member, misleading.problem);
    }
    if terms.same_host {
        for member in foreign_hosts(client) {
            complain(member, "its host must be the one of a redirect URI".into());
        }
    }
    problems
}

/// What a client that does not say it must be. The standard's default is web; one that only returns to the person's own
/// device can be nothing but native, and is told so.
pub(crate) fn type_of(redirect_uris: &[String]) -> ApplicationType {
    let native = !redirect_uris.is_empty() && redirect_uris.iter().all(|uri| !uri.starts_with("https:"));
    if native { ApplicationType::Native } else { ApplicationType::Web }
}

/// RFC 7591 5: a name and a logo are believed more easily when they are at the place that one returns to.
fn foreign_hosts(client: &Client) -> Vec<&'static str> {
    // They are written as browsers write them, so the host of each is there to read.
    let is_own = |host: &str| client.redirect_uris.iter().any(|uri| redirect_uri::is_at(uri, host));
    [
        ("client_uri", &client.client_uri),
        ("logo_uri", &client.logo_uri),
        ("policy_uri", &client.policy_uri),
        ("tos_uri", &client.tos_uri),
    ]
    .into_iter()
    .filter(|(_, uri)| {
        uri.as_deref().is_some_and(|uri| redirect_uri::host(uri).is_none_or(|host| !is_own(&host)))
    })
    .map(|(member, _)| member)
    .collect()
}
