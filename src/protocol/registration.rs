//! What a client's metadata must fulfil before it is registered (RFC 7591 2, RFC 9700 2).

use super::{claims_mapping, redirect_uri, resource, scope};
use crate::model::{AuthMethod, Client, GrantType, IntrospectionPolicy, PkcePolicy, Scope};

/// Seconds: RFC 6749 4.1.2 recommends at most ten minutes.
pub const MAX_CODE_LIFETIME: i64 = 600;
/// Seconds: a day.
pub const MAX_ACCESS_TOKEN_LIFETIME: i64 = 86_400;

/// One thing that is wrong with a client's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}")]
pub struct InvalidMetadata {
    pub member: &'static str,
    pub problem: String,
}

/// Every problem of a client's metadata; none where it can be registered.
pub fn check(client: &Client) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    check_identity(client, &mut complain);
    check_uris(client, &mut complain);
    check_grants(client, &mut complain);
    check_lifetimes(client, &mut complain);
    check_resources(client, &mut complain);
    check_claims(client, &mut complain);
    problems
}

fn check_identity(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let id = client.id.as_str();
    // RFC 6749 appendix A.1: VSCHAR; a colon would end it in Basic credentials, a slash is for readers of logs.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if id.is_empty() || id.len() > 128 || !id.bytes().all(allowed) {
        complain("client_id", "use 1 to 128 letters, digits, and - _ . ~".into());
    }
    if client.name.trim().is_empty() || client.name.len() > 200 {
        complain("client_name", "people read it when they are asked for consent; 1 to 200 bytes".into());
    }
}

fn check_uris(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    for uri in &client.redirect_uris {
        if let Err(error) = redirect_uri::check(uri) {
            complain("redirect_uris", format!("{uri}: {error}"));
        }
    }
    for uri in &client.post_logout_redirect_uris {
        if let Err(error) = redirect_uri::check(uri) {
            complain("post_logout_redirect_uris", format!("{uri}: {error}"));
        }
    }
    for (member, uri) in [
        ("client_uri", &client.client_uri),
        ("logo_uri", &client.logo_uri),
        ("policy_uri", &client.policy_uri),
        ("tos_uri", &client.tos_uri),
    ] {
        let web = |uri: &str| {
            redirect_uri::check(uri).is_ok() && (uri.starts_with("https://") || uri.starts_with("http://"))
        };
        if uri.as_deref().is_some_and(|uri| !web(uri)) {
            complain(member, "use an https URI".into());
        }
    }
}

fn check_grants(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    if client.may_use(GrantType::AuthorizationCode) && client.redirect_uris.is_empty() {
        complain("redirect_uris", "the authorization code grant needs at least one".into());
    }
    if client.may_use(GrantType::RefreshToken) && !client.may_use(GrantType::AuthorizationCode) {
        complain("grant_types", "refresh_token needs authorization_code beside it".into());
    }
    if client.grant_types.is_empty() {
        complain("grant_types", "name at least one".into());
    }
    if client.token_endpoint_auth_method == AuthMethod::None {
        // RFC 6749 4.4: MUST only be used by confidential clients.
        if client.may_use(GrantType::ClientCredentials) {
            complain("grant_types", "client_credentials is for clients with a secret".into());
        }
        // RFC 9700 2.1.1: public clients MUST use PKCE.
        if client.pkce == PkcePolicy::Optional {
            complain("pkce", "it is required for clients without a secret".into());
        }
    }
    let covers_offline = |held| scope::covers(client.scope_strategy, held, Scope::OFFLINE_ACCESS);
    let offline = client.scope.iter().any(covers_offline);
    if offline
        && client.skip_consent
        && client.redirect_uris.iter().any(|uri| redirect_uri::is_loopback_uri(uri))
    {
        complain(
            "skip_consent",
            "not for offline_access to a loopback redirect URI: anyone could listen there".into(),
        );
    }
}

fn check_resources(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    for uri in &client.resources {
        if let Err(error) = resource::check_uri(uri) {
            complain("resources", format!("{uri}: {error}"));
        }
    }
    let Some(uri) = &client.resource_server else { return };
    if let Err(error) = resource::check_uri(uri) {
        complain("resource_server", format!("{uri}: {error}"));
    }
    // RFC 7662 2.1: it has to prove who it is to ask about tokens.
    if client.token_endpoint_auth_method == AuthMethod::None {
        complain("resource_server", "only a client with a secret can ask about tokens".into());
    }
    if client.introspection_policy == IntrospectionPolicy::Any {
        complain(
            "resource_server",
            "it may ask about its own resource's tokens only, so not about any".into(),
        );
    }
}

fn check_claims(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    for (member, mapping) in [
        ("claims_mapping", &client.claims_mapping),
        ("id_token_claims_mapping", &client.id_token_claims_mapping),
    ] {
        for problem in claims_mapping::check(mapping) {
            complain(member, problem);
        }
    }
}

fn check_lifetimes(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let within = |seconds: Option<i64>, most| seconds.is_none_or(|seconds| (1..=most).contains(&seconds));
    if !within(client.authorization_code_lifetime, MAX_CODE_LIFETIME) {
        complain("authorization_code_lifetime", format!("1 to {MAX_CODE_LIFETIME} seconds"));
    }
    if !within(client.access_token_lifetime, MAX_ACCESS_TOKEN_LIFETIME) {
        complain("access_token_lifetime", format!("1 to {MAX_ACCESS_TOKEN_LIFETIME} seconds"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;
    use crate::model::Client;

    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "openid",
            "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "client_secret_basic",
            "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let client: Client = serde_json::from_value(metadata).unwrap();
        check(&client).into_iter().map(|problem| problem.member).collect()
    }

    #[test]
    fn a_pattern_that_covers_offline_access_counts_as_offline_access() {
        let loopback = |scope: &str, strategy: &str| {
            problems(json!({"skip_consent": true, "scope": scope, "scope_strategy": strategy}))
        };
        assert_eq!(loopback("openid", "exact"), [""; 0]);
        assert_eq!(loopback("openid offline_access", "exact"), ["skip_consent"]);
        assert_eq!(loopback("*", "exact"), [""; 0]);
        assert_eq!(loopback("*", "wildcard"), ["skip_consent"]);
    }

    #[test]
    fn a_resource_server_proves_who_it_is_and_asks_about_its_own_tokens_only() {
        let server = |change: Value| {
            let mut all = json!({"resource_server": "https://api.example"});
            all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            problems(all)
        };
        assert_eq!(server(json!({})), [""; 0]);
        for change in [
            json!({"token_endpoint_auth_method": "none"}),
            json!({"introspection_policy": "any"}),
            json!({"resource_server": "api"}),
        ] {
            assert_eq!(server(change), ["resource_server"]);
        }
        assert_eq!(
            problems(json!({"resources": ["https://a.example", "a", "https://a#b"]})),
            ["resources"; 2]
        );
    }

    #[test]
    fn a_reserved_claim_is_refused_in_both_kinds_of_token() {
        for member in ["claims_mapping", "id_token_claims_mapping"] {
            assert_eq!(problems(json!({ member: {"tenant": "const:acme"} })), [""; 0]);
            assert_eq!(problems(json!({ member: {"sub": "user.email"} })), [member]);
        }
    }
}
