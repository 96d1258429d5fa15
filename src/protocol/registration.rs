//! What a client's metadata must fulfil before it is registered (RFC 7591 2, RFC 9700 2).

use super::redirect_uri;
use crate::model::{AuthMethod, Client, GrantType, PkcePolicy, RotationPolicy, Scope, UserinfoProfile};

/// Seconds: RFC 6749 4.1.2 recommends at most ten minutes.
pub const MAX_CODE_LIFETIME: i64 = 600;
/// Seconds: a day.
pub const MAX_ACCESS_TOKEN_LIFETIME: i64 = 86_400;

/// Grants with refresh tokens of one user and one client.
pub const MAX_REFRESH_GRANTS: i64 = 1000;

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
    check_switches(client, &mut complain);
    check_lifetimes(client, &mut complain);
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
    let of_a_user = [GrantType::AuthorizationCode, GrantType::Password];
    if client.may_use(GrantType::RefreshToken) && !of_a_user.into_iter().any(|of| client.may_use(of)) {
        complain("grant_types", "refresh_token needs authorization_code beside it".into());
    }
    if client.may_use(GrantType::Password) && !client.is_first_party() {
        complain("grant_types", "password is for the operator's own applications: set first_party".into());
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
        if client.pkce == Some(PkcePolicy::Optional) {
            complain("pkce", "it is required for clients without a secret".into());
        }
    }
}

fn check_switches(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let own = &client.switches;
    if !client.is_confidential() {
        let secret_only = "it is for clients with a secret";
        // RFC 9700 4.14.2: refresh tokens of public clients MUST be rotated or sender-constrained.
        if own.rotation == Some(RotationPolicy::Reuse) {
            complain("rotation", secret_only.into());
        }
        if own.userinfo_profile == Some(UserinfoProfile::LegacyHs256) {
            complain("userinfo_profile", secret_only.into());
        }
    }
    if own.refresh_interval.is_some_and(|seconds| !(0..=MAX_ACCESS_TOKEN_LIFETIME).contains(&seconds)) {
        complain("refresh_interval", format!("0 to {MAX_ACCESS_TOKEN_LIFETIME} seconds"));
    }
    if own.max_refresh_grants.is_some_and(|most| !(1..=MAX_REFRESH_GRANTS).contains(&most)) {
        complain("max_refresh_grants", format!("1 to {MAX_REFRESH_GRANTS}"));
    }
    if !client.skip_consent {
        return;
    }
    // RFC 8252 8.6: anyone could listen there and be the application, so a person has to look.
    if client.redirect_uris.iter().any(|uri| redirect_uri::is_loopback_uri(uri)) {
        complain("skip_consent", "not with a loopback redirect URI: anyone could listen there".into());
    }
    // OpenID Connect Core 11: offline access MUST have consent, unless other conditions are in place.
    if client.scope.contains(Scope::OFFLINE_ACCESS) && !client.is_first_party() {
        complain(
            "skip_consent",
            "with offline_access only for the operator's own applications: set first_party".into(),
        );
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

    /// The members that are complained about when a client has these.
    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        check(&serde_json::from_value(metadata).unwrap()).iter().map(|problem| problem.member).collect()
    }

    #[test]
    fn what_needs_a_secret_is_refused_to_a_client_without_one() {
        for (member, value) in
            [("pkce", "optional"), ("rotation", "reuse"), ("userinfo_profile", "legacy_hs256")]
        {
            assert!(problems(json!({member: value})).is_empty(), "{member}");
            assert_eq!(problems(json!({member: value, "token_endpoint_auth_method": "none"})), [member]);
        }
    }

    #[test]
    fn consent_is_skipped_by_applications_of_the_operator_and_never_for_loopback() {
        assert!(problems(json!({"skip_consent": true})).is_empty());
        let offline = json!({"skip_consent": true, "scope": "openid offline_access"});
        assert_eq!(problems(offline.clone()), ["skip_consent"]);
        let mut first_party = offline;
        first_party["first_party"] = json!(true);
        assert!(problems(first_party.clone()).is_empty());
        first_party["redirect_uris"] = json!(["http://127.0.0.1/cb"]);
        assert_eq!(problems(first_party), ["skip_consent"]);
    }

    #[test]
    fn the_password_grant_is_for_the_operators_applications() {
        let members = json!({"grant_types": ["password", "refresh_token"], "redirect_uris": []});
        assert_eq!(problems(members.clone()), ["grant_types"]);
        let mut first_party = members;
        first_party["first_party"] = json!(true);
        assert!(problems(first_party).is_empty());
    }

    #[test]
    fn numbers_have_their_limits() {
        for (member, wrong) in
            [("refresh_interval", -1), ("refresh_interval", 86_401), ("max_refresh_grants", 0)]
        {
            assert_eq!(problems(json!({member: wrong})), [member]);
        }
        assert!(problems(json!({"refresh_interval": 0, "max_refresh_grants": 1000})).is_empty());
    }
}
