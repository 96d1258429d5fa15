//! Server metadata (RFC 8414 2, OpenID Connect Discovery 3). Every URL comes from the issuer.

use serde_json::{Value, json};

use crate::model::{Algorithm, AssertionAlgorithm};

/// The scopes that have a meaning of their own here.
pub const SCOPES: [&str; 7] = ["openid", "profile", "email", "address", "phone", "groups", "offline_access"];

/// What the operator says about the installation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Operator<'a> {
    pub policy_uri: Option<&'a str>,
    pub tos_uri: Option<&'a str>,
    /// Whether the password grant is offered.
    pub password_grant: bool,
}

/// The document of both well-known locations; `scopes` are those that the operator made public.
pub fn document<'a>(
    issuer: &str,
    algorithms: &[Algorithm],
    operator: Operator<'_>,
    scopes: impl Iterator<Item = &'a str>,
) -> Value {
    let scopes: Vec<&str> =
        SCOPES.into_iter().chain(scopes.filter(|scope| !SCOPES.contains(scope))).collect();
    let mut document = bare_document(issuer, algorithms, &scopes, operator.password_grant);
    for (member, value) in sessions(issuer) {
        document[member] = value;
    }
    for (member, uri) in [("op_policy_uri", operator.policy_uri), ("op_tos_uri", operator.tos_uri)] {
        if let Some(uri) = uri {
            document[member] = uri.into();
        }
    }
    document
}

/// What the server does at the end of a session (RP-Initiated Logout 2.1, Back-Channel Logout 2.1).
fn sessions(issuer: &str) -> [(&'static str, Value); 3] {
    [
        ("end_session_endpoint", format!("{issuer}/logout").into()),
        ("backchannel_logout_supported", true.into()),
        ("backchannel_logout_session_supported", true.into()),
    ]
}

fn bare_document(issuer: &str, algorithms: &[Algorithm], scopes: &[&str], password_grant: bool) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let confidential = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
    let authentication: Vec<&str> = confidential.into_iter().chain(["none"]).collect();
    let assertions = AssertionAlgorithm::ALL.map(AssertionAlgorithm::as_str);
    let mut grant_types = vec![
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ];
    if password_grant {
        grant_types.push("password");
    }
    let algorithms: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "device_authorization_endpoint": at("/device_authorization"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grant_types,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": authentication,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": authentication,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "acr_values_supported": [super::claims::ACR_SINGLE_FACTOR],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid",
            "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile",
            "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "email",
            "email_verified", "phone_number", "phone_number_verified", "address", "groups"
        ],
    })
}
