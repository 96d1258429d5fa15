//! From the command line's words to a client: defaults when it is created, changes when it is updated.

pub(crate) mod exchange;
pub(crate) mod identity;
pub(crate) mod logout;
pub(crate) mod origin;
pub(crate) mod requests;
pub(crate) mod sign_in;

use std::path::Path;

use super::args::client::ClientSettings;
use super::given::{self, Given, put, replace, set_text};
use super::{client_tokens, key_file};
use crate::administration::clients::Asked;
use crate::model::{AssertionAlgorithm, AuthMethod, ClientMetadata, KeySource};
use crate::protocol::registration::InvalidMetadata;

/// Puts what was given into `client`.
pub(super) fn apply(client: &mut ClientMetadata, given: ClientSettings) -> Asked {
    let mut problems = Vec::new();
    let (names_scope, names_resources) = (given.scope.is_some(), given.tokens.names_resources());
    replace(&mut client.redirect_uris, given.redirect_uris);
    replace(&mut client.post_logout_redirect_uris, given.post_logout_redirect_uris);
    replace(&mut client.audience, given.audience);
    problems.extend(given::put_scope(&mut client.scope, given.scope.as_deref(), "scope"));
    if !given.grant_types.is_empty() {
        client.grant_types.clear();
        for grant_type in given.grant_types {
            if !client.grant_types.contains(&grant_type) {
                client.grant_types.push(grant_type);
            }
        }
    }
    set_authentication(client, given.auth_method, given.token_endpoint_auth_signing_alg);
    problems.extend(set_keys(client, given.jwks.as_deref(), given.jwks_uri));
    put(&mut client.skip_consent, given.skip_consent);
    put(&mut client.verification_uri_complete, given.verification_uri_complete);
    given::set(&mut client.ui, given.ui);
    given::set(&mut client.pkce, given.pkce);
    given::set(&mut client.introspection_policy, given.introspection_policy);
    given::set(&mut client.id_token_signed_response_alg, given.id_token_alg);
    given::set(&mut client.access_token_signed_response_alg, given.access_token_alg);
    given::set(&mut client.access_token_lifetime, given.access_token_lifetime);
    given::set(&mut client.authorization_code_lifetime, given.authorization_code_lifetime);
    given::set(&mut client.refresh_token_lifetime, given.refresh_token_lifetime);
    given::set(&mut client.refresh_token_idle_lifetime, given.refresh_token_idle_lifetime);
    set_text(&mut client.client_uri, given.client_uri);
    set_text(&mut client.logo_uri, given.logo_uri);
    set_text(&mut client.policy_uri, given.policy_uri);
    set_text(&mut client.tos_uri, given.tos_uri);
    client_tokens::apply(client, given.tokens, &mut problems);
    given.requests.apply(&mut client.requests);
    given.identity.apply(&mut client.identity);
    given.sign_in.apply(&mut client.sign_in);
    given.logout.apply(&mut client.logout);
    given.origin.apply(&mut client.origin);
    given.exchange.apply(&mut client.exchange);
    given.switches.apply(&mut client.switches);
    Asked { problems, names_scope, names_resources }
}

/// A new method forgets the algorithm of the old one.
fn set_authentication(
    client: &mut ClientMetadata,
    method: Option<AuthMethod>,
    algorithm: Option<Given<AssertionAlgorithm>>,
) {
    if method.is_some_and(|method| method != client.token_endpoint_auth_method) {
        client.token_endpoint_auth_signing_alg = None;
    }
    put(&mut client.token_endpoint_auth_method, method);
    given::set(&mut client.token_endpoint_auth_signing_alg, algorithm);
}

/// Either form of keys takes the place of the other; an empty text clears.
fn set_keys(
    client: &mut ClientMetadata,
    file: Option<&Path>,
    uri: Option<String>,
) -> Option<InvalidMetadata> {
    match file {
        Some(path) if path.as_os_str().is_empty() => drop(client.keys.take_if(|keys| keys.jwks().is_some())),
        Some(path) => match key_file::read(path) {
            Ok(jwks) => client.keys = Some(KeySource::Jwks(jwks)),
            Err(problem) => return Some(InvalidMetadata { member: "jwks", problem }),
        },
        None => {}
    }
    match uri {
        Some(uri) if uri.is_empty() => drop(client.keys.take_if(|keys| keys.jwks_uri().is_some())),
        Some(uri) => client.keys = Some(KeySource::JwksUri(uri)),
        None => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::administration::clients::defaults;
    use crate::model::{ClientId, GrantType, Timestamp};

    fn client() -> ClientMetadata {
        defaults::client(ClientId::new("c"), "C".to_owned(), Timestamp::from_unix(0))
    }

    #[test]
    fn what_is_not_given_stays_and_an_empty_text_clears() {
        let mut client = client();
        let given = ClientSettings {
            redirect_uris: vec!["https://a.example/cb".into()],
            audience: vec!["https://api.example".into()],
            logo_uri: Some("https://a.example/logo".into()),
            ..Default::default()
        };
        assert!(apply(&mut client, given).problems.is_empty());
        apply(&mut client, ClientSettings::default());
        assert_eq!(client.redirect_uris, ["https://a.example/cb"]);
        let cleared = ClientSettings {
            audience: vec![String::new()],
            logo_uri: Some(String::new()),
            ..Default::default()
        };
        apply(&mut client, cleared);
        assert!(client.audience.is_empty() && client.logo_uri.is_none());
    }

    #[test]
    fn a_grant_type_named_twice_counts_once() {
        let mut client = client();
        let grant_types = vec![GrantType::ClientCredentials, GrantType::ClientCredentials];
        apply(&mut client, ClientSettings { grant_types, ..Default::default() });
        assert_eq!(client.grant_types, [GrantType::ClientCredentials]);
    }
}
