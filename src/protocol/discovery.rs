//! Server metadata (RFC 8414 2, OpenID Connect Discovery 3). Every URL comes from the issuer.

use serde_json::{Value, json};

use crate::model::{
    Algorithm, AssertionAlgorithm, AuthMethod, ContentEncryption, GrantType, KeyManagement, Prompt,
    ResponseMode, ResponseType, SubjectType,
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
    json!({
        "subject_types_supported": SubjectType::ALL,
        "id_token_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": algorithms,
        "id_token_encryption_alg_values_supported": KeyManagement::ALL,
        "id_token_encryption_enc_values_supported": ContentEncryption::ALL,
        "userinfo_signing_alg_values_supported": algorithms,
        "userinfo_encryption_alg_values_supported": KeyManagement::ALL,
        "userinfo_encryption_enc_values_supported": ContentEncryption::ALL,
        "claims_supported": super::claims::SUPPORTED,
    })
}

/// How authorization requests are sent and answered.
fn requests_and_responses(issuer: &str, algorithms: &[Algorithm], operator: Operator<'_>) -> Value {
    let response_types: Vec<ResponseType> = ResponseType::ALL
        .into_iter()
        .filter(|response_type| operator.implicit || !response_type.is_implicit())
        .collect();
    // JARM 2.3.4: `jwt` is the signed mode that is usual for the response type.
    let response_modes: Vec<&str> =
        ResponseMode::ALL.into_iter().map(ResponseMode::as_str).chain(["jwt"]).collect();
    let request_objects: Vec<&str> = super::request_object::algorithms().collect();
    json!({
        "response_types_supported": response_types,
        "response_modes_supported": response_modes,
        "authorization_signing_alg_values_supported": algorithms,
        "authorization_encryption_alg_values_supported": KeyManagement::ALL,
        "authorization_encryption_enc_values_supported": ContentEncryption::ALL,
        "authorization_response_iss_parameter_supported": true,
        "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        "require_pushed_authorization_requests": operator.must_be_pushed,
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "require_signed_request_object": operator.must_be_signed,
        "request_object_signing_alg_values_supported": request_objects,
        "request_object_encryption_alg_values_supported": KeyManagement::AGREEMENT,
        "request_object_encryption_enc_values_supported": ContentEncryption::ALL,
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

/// Those that the operator has to switch on come last.
fn grant_types(operator: Operator<'_>) -> Vec<GrantType> {
    let switched = [(GrantType::Password, operator.password_grant), (GrantType::Implicit, operator.implicit)];
    let always = GrantType::ALL.into_iter().filter(|each| switched.iter().all(|(other, _)| other != each));
    always.chain(switched.into_iter().filter_map(|(each, is_on)| is_on.then_some(each))).collect()
}

fn bare_document(issuer: &str, scopes: &[&str], operator: Operator<'_>) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let proves = |method: &AuthMethod| *method != AuthMethod::None;
    let confidential: Vec<AuthMethod> = AuthMethod::ALL.into_iter().filter(proves).collect();
    // Initiating User Registration 4
    let prompts = Prompt::ALL.into_iter().filter(|prompt| operator.sign_up || *prompt != Prompt::Create);
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
        "grant_types_supported": grant_types(operator),
        "token_endpoint_auth_methods_supported": AuthMethod::ALL,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": AuthMethod::ALL,
        "token_endpoint_auth_signing_alg_values_supported": AssertionAlgorithm::ALL,
        "introspection_endpoint_auth_signing_alg_values_supported": AssertionAlgorithm::ALL,
        "revocation_endpoint_auth_signing_alg_values_supported": AssertionAlgorithm::ALL,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": prompts.collect::<Vec<Prompt>>(),
        "display_values_supported": ["page", "popup", "touch"],
        "ui_locales_supported": operator.ui_locales,
        "claims_parameter_supported": true,
        "acr_values_supported": [super::claims::ACR_SINGLE_FACTOR],
    })
}
