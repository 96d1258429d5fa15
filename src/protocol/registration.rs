//! What a client's metadata must fulfil before it is registered (RFC 7591 2, RFC 9700 2).

mod encryption;
mod exchange;
pub(crate) mod forms;
mod identity;
mod logout;
pub mod members;
mod origin;
pub(crate) mod recognition;
pub mod request;
mod requests;
pub(crate) mod self_registered;
mod sign_in;
pub mod statement;

use serde_json::{Value, json};

pub use super::invalid_metadata::{InvalidMetadata, MAX_ACCESS_TOKEN_LIFETIME};

use super::{claims_mapping, redirect_uri, resource, scope};
use crate::crypto::jwks::KeySet;
use crate::model::{
    AuthMethod, Client, ClientMetadata, GrantType, IntrospectionPolicy, PkcePolicy, ResponseType,
    RotationPolicy, Scope, UserinfoProfile,
};

/// Seconds: RFC 6749 4.1.2 recommends at most ten minutes.
pub const MAX_CODE_LIFETIME: i64 = 600;

/// Grants with refresh tokens of one user and one client.
pub const MAX_REFRESH_GRANTS: i64 = 1000;

/// Every problem of a client's metadata; none where it can be registered.
pub fn check(client: &Client) -> Vec<InvalidMetadata> {
    let mut problems = Vec::new();
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    check_id(client, &mut complain);
    forms::check(client, &mut complain);
    check_grants(client, &mut complain);
    check_switches(client, &mut complain);
    check_authentication(client, &mut complain);
    check_lifetimes(client, &mut complain);
    check_resources(client, &mut complain);
    check_claims(client, &mut complain);
    requests::check(client, &mut complain);
    identity::check(client, &mut complain);
    sign_in::check(client, &mut complain);
    logout::check(client, &mut complain);
    origin::check(client, &mut complain);
    exchange::check(client, &mut complain);
    problems
}

/// The client's metadata as the standards name it (RFC 7591 3.2.1), and this server's own members.
pub fn document(client: &ClientMetadata) -> Value {
    // A client is a plain struct of plain values: this never fails.
    let mut document = serde_json::to_value(client).unwrap_or_default();
    if client.may_use(GrantType::AuthorizationCode) && client.requests.response_types.is_empty() {
        document["response_types"] = json!([ResponseType::Code]);
    }
    document
}

/// What of it the client itself is told: the standards' members, without this server's own.
pub fn public_document(client: &ClientMetadata) -> Value {
    let mut document = document(client);
    if let Some(found) = document.as_object_mut() {
        found.retain(|name, _| members::known(members::OPERATORS, name).is_none());
        // RFC 7591 2: what is left out would be read as its default.
        found.entry("response_types").or_insert(json!([]));
        found.extend(client.origin.localized.iter().map(|(name, text)| (name.clone(), json!(text))));
    }
    document
}

fn check_id(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let id = client.id.as_str();
    // RFC 6749 appendix A.1: VSCHAR; a colon would end it in Basic credentials, a slash is for readers of logs.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if id.is_empty() || id.len() > 128 || !id.bytes().all(allowed) {
        complain("client_id", "use 1 to 128 letters, digits, and - _ . ~".into());
    }
}

fn check_grants(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let redirects = [GrantType::AuthorizationCode, GrantType::Implicit];
    if redirects.iter().any(|grant| client.may_use(*grant)) && client.redirect_uris.is_empty() {
        complain("redirect_uris", "the authorization code and implicit grants need at least one".into());
    }
    let with_user = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::Password];
    if client.may_use(GrantType::RefreshToken) && !with_user.iter().any(|grant| client.may_use(*grant)) {
        complain("grant_types", "refresh_token needs authorization_code or device_code beside it".into());
    }
    if client.verification_uri_complete && !client.may_use(GrantType::DeviceCode) {
        complain("verification_uri_complete", "it is for clients with the grant type device_code".into());
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
        for grant_type in [GrantType::JwtBearer, GrantType::TokenExchange] {
            if client.may_use(grant_type) {
                let problem = format!("{} is for clients with a secret", grant_type.as_str());
                complain("grant_types", problem);
            }
        }
        // RFC 9700 2.1.1: public clients MUST use PKCE.
        if client.pkce == Some(PkcePolicy::Optional) {
            complain("pkce", "it is required for clients without a secret".into());
        }
    }
}

fn check_switches(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let own = &client.switches;
    let secret_only = "it is for clients with a secret";
    if !client.is_confidential() {
        // RFC 9700 4.14.2: refresh tokens of public clients MUST be rotated or sender-constrained.
        if own.rotation == Some(RotationPolicy::Reuse) {
            complain("rotation", secret_only.into());
        }
    }
    // Its answers are signed with the secret.
    if own.userinfo_profile == Some(UserinfoProfile::LegacyHs256)
        && !client.token_endpoint_auth_method.has_secret()
    {
        complain("userinfo_profile", secret_only.into());
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
    if client.redirect_uris.iter().any(|uri| redirect_uri::is_anybodys(uri)) {
        let problem =
            "not with a redirect URI on loopback or of a private-use scheme: anyone could listen there";
        complain("skip_consent", problem.into());
    }
    // OpenID Connect Core 11: offline access MUST have consent, unless other conditions are in place.
    let strategy = client.policy().scope_strategy;
    let covers_offline = |held| scope::covers(strategy, held, Scope::OFFLINE_ACCESS);
    let offline = client.scope.iter().any(covers_offline) || scope::is_registered_for_offline(client);
    if offline && !client.is_first_party() {
        complain(
            "skip_consent",
            "with offline_access only for the operator's own applications: set first_party".into(),
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
    if client.policy().introspection == IntrospectionPolicy::Any {
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

fn check_authentication(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let method = client.token_endpoint_auth_method;
    if let Some(Err(error)) = client.jwks().map(KeySet::read_handed_over) {
        complain("jwks", error.to_string());
    }
    if method == AuthMethod::PrivateKeyJwt && client.keys.is_none() {
        complain("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri".into());
    }
    let inline = client.jwks().and_then(|jwks| KeySet::read(jwks).ok());
    if method == AuthMethod::PrivateKeyJwt && inline.is_some_and(|keys| !keys.can_verify()) {
        complain("jwks", "private_key_jwt needs a key in it that verifies signatures".into());
    }
    if let Some(algorithm) = client.token_endpoint_auth_signing_alg {
        let wanted = match method {
            AuthMethod::ClientSecretJwt => Some(true),
            AuthMethod::PrivateKeyJwt => Some(false),
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::None => None,
        };
        if wanted != Some(algorithm.is_symmetric()) {
            let problem = format!("{algorithm} does not go with the method {}", method.as_str());
            complain("token_endpoint_auth_signing_alg", problem);
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
    use crate::model::strict;

    /// The members that are complained about when a client has these.
    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid",
            "token_endpoint_auth_method": "client_secret_basic", "client_id_issued_at": 0,
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        check(&strict(metadata)).iter().map(|problem| problem.member).collect()
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
    fn consent_is_skipped_by_applications_of_the_operator_and_never_where_anyone_could_listen() {
        assert!(problems(json!({"skip_consent": true})).is_empty());
        for uri in
            ["com.example.app:/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "https://[::1]/cb"]
        {
            let silent = json!({"skip_consent": true, "redirect_uris": ["https://app.example/cb", uri]});
            assert_eq!(problems(silent), ["skip_consent"], "{uri}");
        }
        let offline = json!({"skip_consent": true, "scope": "openid offline_access"});
        assert_eq!(problems(offline.clone()), ["skip_consent"]);
        let mut first_party = offline;
        first_party["first_party"] = json!(true);
        assert!(problems(first_party.clone()).is_empty());
        first_party["redirect_uris"] = json!(["http://127.0.0.1/cb"]);
        assert_eq!(problems(first_party), ["skip_consent"]);
    }

    #[test]
    fn legacy_userinfo_is_refused_to_a_client_with_a_key() {
        let members = json!({"userinfo_profile": "legacy_hs256", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": keys()});
        assert_eq!(problems(members), ["userinfo_profile"]);
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

    fn keys() -> Value {
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
    }

    #[test]
    fn a_pattern_that_covers_offline_access_counts_as_offline_access() {
        let silent = |scope: &str, strategy: &str| {
            problems(json!({
                "skip_consent": true, "scope": scope, "scope_strategy": strategy,
            }))
        };
        assert_eq!(silent("openid", "exact"), [""; 0]);
        assert_eq!(silent("openid offline_access", "exact"), ["skip_consent"]);
        assert_eq!(silent("*", "exact"), [""; 0]);
        assert_eq!(silent("*", "wildcard"), ["skip_consent"]);
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
    fn keys_are_given_inline_or_by_uri_and_not_both() {
        let method = "private_key_jwt";
        assert_eq!(problems(json!({"token_endpoint_auth_method": method, "jwks": keys()})), [""; 0]);
        let uri = "https://app.example/jwks";
        assert_eq!(problems(json!({"token_endpoint_auth_method": method, "jwks_uri": uri})), [""; 0]);
        assert_eq!(problems(json!({"token_endpoint_auth_method": method})), ["token_endpoint_auth_method"]);
        assert_eq!(problems(json!({"jwks_uri": "http://app.example/jwks"})), ["jwks_uri"]);
    }

    #[test]
    fn a_private_key_is_refused() {
        let mut keys = keys();
        keys["keys"][0]["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        assert_eq!(
            problems(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys})),
            ["jwks"]
        );
    }

    #[test]
    fn a_reserved_claim_is_refused_in_both_kinds_of_token() {
        for member in ["claims_mapping", "id_token_claims_mapping"] {
            assert_eq!(problems(json!({ member: {"tenant": "const:acme"} })), [""; 0]);
            assert_eq!(problems(json!({ member: {"sub": "user.email"} })), [member]);
        }
    }

    #[test]
    fn the_signing_algorithm_goes_with_the_method() {
        let with = |method: &str, algorithm: &str| {
            problems(json!({"token_endpoint_auth_method": method, "jwks": keys(),
                "token_endpoint_auth_signing_alg": algorithm}))
        };
        assert_eq!(with("private_key_jwt", "EdDSA"), [""; 0]);
        assert_eq!(with("client_secret_jwt", "HS256"), [""; 0]);
        for (method, algorithm) in
            [("private_key_jwt", "HS256"), ("client_secret_jwt", "ES256"), ("client_secret_basic", "ES256")]
        {
            assert_eq!(with(method, algorithm), ["token_endpoint_auth_signing_alg"], "{method} {algorithm}");
        }
    }

    #[test]
    fn the_jwt_bearer_grant_is_for_clients_that_authenticate() {
        let grant_types = ["urn:ietf:params:oauth:grant-type:jwt-bearer"];
        assert_eq!(problems(json!({"grant_types": grant_types})), [""; 0]);
        let public = json!({"grant_types": grant_types, "token_endpoint_auth_method": "none"});
        assert_eq!(problems(public), ["grant_types"]);
    }
}
