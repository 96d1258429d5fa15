//! From the command line's words to a client: defaults when it is created, changes when it is updated.

pub(crate) mod exchange;
pub(crate) mod identity;
pub(crate) mod logout;
pub(crate) mod origin;
pub(crate) mod requests;
pub(crate) mod sign_in;

use std::path::Path;

use super::args::ClientSettings;
use super::given::{self, Given};
use super::{client_tokens, key_file};
use crate::config::Settings;
use crate::grants::registration;
use crate::model::{
    AssertionAlgorithm, AuthMethod, ClaimsMapping, ClientExchange, ClientId, ClientIdentity, ClientLogout,
    ClientMetadata, ClientOrigin, ClientRequests, ClientSignIn, GrantType, KeySource, ScopeSet, Switches,
    Timestamp,
};

const PERSONAL_SCOPE: &str = "openid profile email";
const OFFLINE_SCOPE: &str = "openid profile email offline_access";

/// A client with nothing but the defaults.
pub(super) fn new(id: ClientId, name: String, now: Timestamp) -> ClientMetadata {
    ClientMetadata {
        id,
        name,
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: ScopeSet::default(),
        scope_strategy: None,
        token_endpoint_auth_method: AuthMethod::ClientSecretBasic,
        token_endpoint_auth_signing_alg: None,
        keys: None,
        id_token_signed_response_alg: None,
        access_token_signed_response_alg: None,
        audience: Vec::new(),
        resources: Vec::new(),
        resource_server: None,
        token_format: None,
        claims_mapping: ClaimsMapping::new(),
        id_token_claims_mapping: ClaimsMapping::new(),
        token_hook: None,
        skip_consent: false,
        verification_uri_complete: false,
        ui: None,
        pkce: None,
        introspection_policy: None,
        authorization_code_lifetime: None,
        access_token_lifetime: None,
        refresh_token_lifetime: None,
        refresh_token_idle_lifetime: None,
        requests: ClientRequests::default(),
        identity: ClientIdentity::default(),
        sign_in: ClientSignIn::default(),
        logout: ClientLogout::default(),
        origin: ClientOrigin::default(),
        exchange: ClientExchange::default(),
        switches: Switches::default(),
        created_at: now,
    }
}

/// The scope of a new client that named none. A machine acts for nobody, so it has nobody's profile to read.
pub(super) fn default_scope(grant_types: &[GrantType]) -> &'static str {
    let has = |grant_type| grant_types.contains(&grant_type);
    let for_a_user =
        [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::Implicit].into_iter().any(has);
    match (for_a_user, has(GrantType::RefreshToken)) {
        (true, true) => OFFLINE_SCOPE,
        (true, false) => PERSONAL_SCOPE,
        (false, _) => "",
    }
}

/// Puts what was given into `client`, and returns what cannot be put.
pub(super) fn apply(client: &mut ClientMetadata, given: ClientSettings) -> Vec<String> {
    let mut problems = Vec::new();
    replace(&mut client.redirect_uris, given.redirect_uris);
    replace(&mut client.post_logout_redirect_uris, given.post_logout_redirect_uris);
    replace(&mut client.audience, given.audience);
    if let Some(text) = given.scope {
        match text.parse() {
            Ok(scope) => client.scope = scope,
            Err(error) => problems.push(format!("scope: {error}")),
        }
    }
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
    set(&mut client.skip_consent, given.skip_consent);
    set(&mut client.verification_uri_complete, given.verification_uri_complete);
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
    problems
}

/// Everything that keeps this client from working on a server with these settings.
pub(super) fn problems(client: &ClientMetadata, settings: &Settings) -> Vec<String> {
    let problems = registration::registrable(client.clone(), settings).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
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
    set(&mut client.token_endpoint_auth_method, method);
    given::set(&mut client.token_endpoint_auth_signing_alg, algorithm);
}

/// Either form of keys takes the place of the other; an empty text clears.
fn set_keys(client: &mut ClientMetadata, file: Option<&Path>, uri: Option<String>) -> Option<String> {
    match file {
        Some(path) if path.as_os_str().is_empty() => drop(client.keys.take_if(|keys| keys.jwks().is_some())),
        Some(path) => match key_file::read(path) {
            Ok(jwks) => client.keys = Some(KeySource::Jwks(jwks)),
            Err(problem) => return Some(format!("jwks: {problem}")),
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

pub(super) fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// An empty text clears.
pub(super) fn set_text(place: &mut Option<String>, given: Option<String>) {
    if let Some(given) = given {
        *place = Some(given).filter(|text| !text.is_empty());
    }
}

/// One empty text clears.
pub(super) fn replace(place: &mut Vec<String>, given: Vec<String>) {
    if !given.is_empty() {
        *place = given.into_iter().filter(|text| !text.is_empty()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> ClientMetadata {
        new(ClientId::new("c"), "C".to_owned(), Timestamp::from_unix(0))
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
        assert!(apply(&mut client, given).is_empty());
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

    #[test]
    fn an_algorithm_without_a_key_is_a_problem() {
        let settings = Settings::load(None, []).unwrap();
        let mut client = client();
        client.redirect_uris = vec!["https://a.example/cb".into()];
        assert_eq!(problems(&client, &settings), Vec::<String>::new());
        client.id_token_signed_response_alg = Some(crate::model::Algorithm::PS256);
        assert_eq!(problems(&client, &settings).len(), 1);
    }
}
