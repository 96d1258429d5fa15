//! Server metadata (RFC 8414 2, OpenID Connect Discovery 3). Every URL comes from the issuer.

use serde_json::{Value, json};

use crate::model::{
    Algorithm, AssertionAlgorithm, ContentEncryption, KeyManagement, ResponseMode, ResponseType,
};

/// The scopes that have a meaning of their own here.
pub(crate) const SCOPES: [&str; 7] =
    ["openid", "profile", "email", "address", "phone", "groups", "offline_access"];

/// What the operator says about the installation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Operator<'a> {
    pub policy_uri: Option<&'a str>,
    pub tos_uri: Option<&'a str>,
    /// The languages of the pages. Those of claims are each user's own, so `claims_locales_supported` is left out.
    pub ui_locales: &'a [&'a str],
    /// Whether the password grant is offered.
    pub password_grant: bool,
    /// Whether clients may register themselves.
    pub registration: bool,
    /// Whether implicit response types are.
    pub implicit: bool,
    /// Whether there are pages on which people may make accounts.
    pub sign_up: bool,
    /// Whether every authorization request has to be pushed, or signed.
    pub must_be_pushed: bool,
    pub must_be_signed: bool,
}

/// The document of both well-known locations; `scopes` are those that the operator made public.
pub(crate) fn document<'a>(
    issuer: &str,
    algorithms: &[Algorithm],
    operator: Operator<'_>,
    scopes: impl Iterator<Item = &'a str>,
) -> Value {
    let scopes: Vec<&str> =
        SCOPES.into_iter().chain(scopes.filter(|scope| !SCOPES.contains(scope))).collect();
    let mut document = bare_document(issuer, &scopes, operator);
    add(&mut document, requests_and_responses(issuer, algorithms, operator));
    add(&mut document, sessions(issuer));
    add(&mut document, identity(algorithms));
    for (member, uri) in [("op_policy_uri", operator.policy_uri), ("op_tos_uri", operator.tos_uri)] {
        if let Some(uri) = uri {
            document[member] = uri.into();
        }
    }
    if operator.registration {
        document["registration_endpoint"] = format!("{issuer}/register").into();
    }
    document
}

fn add(document: &mut Value, members: Value) {
    if let (Value::Object(document), Value::Object(members)) = (document, members) {
        document.extend(members);
    }
}

/// How clients are told who a user is (OpenID Connect Discovery 3).
fn identity(algorithms: &[Algorithm]) -> Value {
    let alg = KeyManagement::ALL.map(KeyManagement::as_str);
    let enc = ContentEncryption::ALL.map(ContentEncryption::as_str);
    let signing: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    json!({
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": signing,
        "introspection_signing_alg_values_supported": signing,
        "id_token_encryption_alg_values_supported": alg,
        "id_token_encryption_enc_values_supported": enc,
        "userinfo_signing_alg_values_supported": signing,
        "userinfo_encryption_alg_values_supported": alg,
        "userinfo_encryption_enc_values_supported": enc,
        "claims_supported": super::claims::SUPPORTED,
    })
}

/// How authorization requests are sent and answered.
fn requests_and_responses(issuer: &str, algorithms: &[Algorithm], operator: Operator<'_>) -> Value {
    let response_types: Vec<&str> = ResponseType::ALL
        .into_iter()
        .filter(|response_type| operator.implicit || !response_type.is_implicit())
        .map(ResponseType::as_str)
        .collect();
    // JARM 2.3.4: `jwt` is the signed mode that is usual for the response type.
    let response_modes: Vec<&str> =
        ResponseMode::ALL.into_iter().map(ResponseMode::as_str).chain(["jwt"]).collect();
    let algorithms: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
    let request_objects: Vec<&str> = super::request_object::algorithms().collect();
    json!({
        "response_types_supported": response_types,
        "response_modes_supported": response_modes,
        "authorization_signing_alg_values_supported": algorithms,
        "authorization_encryption_alg_values_supported": KeyManagement::ALL.map(KeyManagement::as_str),
        "authorization_encryption_enc_values_supported": ContentEncryption::ALL.map(ContentEncryption::as_str),
        "authorization_response_iss_parameter_supported": true,
        "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        "require_pushed_authorization_requests": operator.must_be_pushed,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "require_signed_request_object": operator.must_be_signed,
        "request_object_signing_alg_values_supported": request_objects,
        "request_object_encryption_alg_values_supported": KeyManagement::AGREEMENT.map(KeyManagement::as_str),
        "request_object_encryption_enc_values_supported": ContentEncryption::ALL.map(ContentEncryption::as_str),
    })
}

/// What the server does at the end of a session (RP-Initiated Logout 2.1, Back-Channel Logout 2.1, Front-Channel Logout 3,
/// Session Management 3.3).
fn sessions(issuer: &str) -> Value {
    json!({
        "end_session_endpoint": format!("{issuer}/logout"),
        "check_session_iframe": format!("{issuer}/check_session"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}

fn bare_document(issuer: &str, scopes: &[&str], operator: Operator<'_>) -> Value {
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
    if operator.password_grant {
        grant_types.push("password");
    }
    if operator.implicit {
        grant_types.push("implicit");
    }
    let mut prompts = vec!["none", "login", "consent", "select_account"];
    if operator.sign_up {
        // Initiating User Registration 4
        prompts.push("create");
    }
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
        "grant_types_supported": grant_types,
        "token_endpoint_auth_methods_supported": authentication,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": authentication,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": prompts,
        "display_values_supported": ["page", "popup", "touch"],
        "ui_locales_supported": operator.ui_locales,
        "claims_parameter_supported": true,
        "acr_values_supported": [super::claims::ACR_SINGLE_FACTOR],
    })
}
