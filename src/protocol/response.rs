//! Authorization responses: what a client may ask for, where the answer goes, and how (RFC 6749 4.1.2, 4.2.2, OpenID
//! Connect Core 3.2.2.5, 3.3.2.5, OAuth 2.0 Multiple Response Type Encoding Practices, OAuth 2.0 Form Post Response Mode,
//! JWT Secured Authorization Response Mode).

use serde::Serialize;

use super::error::{ErrorCode, OAuthError};
use super::handover::Rejection;
use super::parameters::Parameters;
use super::redirect_uri;
use crate::model::{AuthorizationRequest, Carrier, Client, ClientId, ResponseMode, ResponseType, Timestamp};

/// Seconds a signed response is good for; JARM 2.1 recommends at most ten minutes.
const SIGNED_LIFETIME: i64 = 600;

/// What is to come back, and how. `implicit` says whether the server offers the types that are.
pub(crate) fn requested(
    parameters: &Parameters<'_>,
    client: &Client,
    implicit: bool,
) -> Result<(ResponseType, ResponseMode), OAuthError> {
    let response_type = response_type(parameters, client, implicit)?;
    Ok((response_type, response_mode(parameters, client, response_type)?))
}

fn response_type(
    parameters: &Parameters<'_>,
    client: &Client,
    implicit: bool,
) -> Result<ResponseType, OAuthError> {
    let asked: Option<ResponseType> = parameters.require("response_type")?.parse().ok();
    let Some(asked) = asked.filter(|asked| implicit || !asked.is_implicit()) else {
        let description =
            "The server does not offer this response type; response_types_supported in its metadata does.";
        return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, description));
    };
    must_be_registered(client, asked)?;
    Ok(asked)
}

/// OpenID Connect Registration 2: what the client restricts itself to.
pub(crate) fn must_be_registered(client: &Client, response_type: ResponseType) -> Result<(), OAuthError> {
    if client.requests.may_ask_for(response_type) {
        return Ok(());
    }
    let description = "The client is not registered for this response type.";
    Err(OAuthError::new(ErrorCode::UnauthorizedClient, description))
}

fn response_mode(
    parameters: &Parameters<'_>,
    client: &Client,
    response_type: ResponseType,
) -> Result<ResponseMode, OAuthError> {
    let usual = usual_mode(response_type);
    // JARM 3: where the algorithm is registered, the response will be signed.
    let must_be_signed = client.requests.wants_signed_responses();
    let mode = match parameters.get("response_mode") {
        None if must_be_signed => usual.signed(),
        None => usual,
        Some(name) => named(name, usual)
            .ok_or_else(|| OAuthError::invalid_request("The response_mode is not known."))?,
    };
    if must_be_signed && !mode.is_signed() {
        return Err(OAuthError::invalid_request(
            "The client is registered for signed or encrypted responses: leave response_mode out, or choose one with jwt.",
        ));
    }
    // Multiple Response Types 3, 5, JARM 2.3.1: tokens MUST NOT be in the query, which ends up in logs and referrers.
    if mode.carrier() == Carrier::Query && response_type != ResponseType::Code {
        return Err(OAuthError::invalid_request("Only a code alone may be returned in the query."));
    }
    Ok(mode)
}

/// Multiple Response Types 2.1, 5: query for a code alone, fragment for everything else.
fn usual_mode(response_type: ResponseType) -> ResponseMode {
    match response_type {
        ResponseType::Code => ResponseMode::Query,
        _ => ResponseMode::Fragment,
    }
}

fn named(name: &str, usual: ResponseMode) -> Option<ResponseMode> {
    match name {
        // JARM 2.3.4: the usual one of the response type.
        "jwt" => Some(usual.signed()),
        _ => ResponseMode::named(name),
    }
}

/// How an error travels that is found before the request is known to be right: as the answer would, if that can be told.
fn mode_for_errors(parameters: &Parameters<'_>, client: &Client) -> ResponseMode {
    let asked = parameters.get("response_type").and_then(|name| name.parse().ok()).unwrap_or_default();
    let usual = usual_mode(asked);
    response_mode(parameters, client, asked)
        .unwrap_or_else(|_| if client.requests.wants_signed_responses() { usual.signed() } else { usual })
}

/// Where the answer goes: a redirect URI that the client is known to own, its `state`, and how it travels.
#[derive(Debug, Clone, PartialEq)]
pub struct RedirectTarget {
    uri: String,
    state: Option<String>,
    mode: ResponseMode,
}

/// A successful answer: what was asked for.
#[derive(Debug, Clone, Default)]
pub struct Success {
    pub code: Option<String>,
    pub access_token: Option<FrontChannelToken>,
    pub id_token: Option<String>,
    /// OpenID Connect Session Management 3
    pub session_state: Option<String>,
}

/// An access token that goes through the browser (RFC 6749 4.2.2).
#[derive(Debug, Clone)]
pub struct FrontChannelToken {
    pub token: String,
    pub expires_in: i64,
    pub scope: String,
}

/// An answer on its way: nothing but a [`RedirectTarget`] can make one.
#[derive(Debug)]
pub struct AuthorizationResponse {
    uri: String,
    mode: ResponseMode,
    parameters: Vec<(&'static str, String)>,
}

/// What the browser has to do with it.
#[derive(Debug, PartialEq)]
pub enum Delivery {
    Redirect(String),
    /// OAuth 2.0 Form Post Response Mode 2
    Form {
        action: String,
        fields: Vec<(&'static str, String)>,
    },
}

/// The claims of a signed response (JARM 2.1).
#[derive(Debug, Serialize)]
pub struct ResponseClaims<'a> {
    aud: &'a ClientId,
    exp: Timestamp,
    #[serde(flatten)]
    parameters: std::collections::BTreeMap<&'static str, &'a str>,
}

impl RedirectTarget {
    /// The target of a request whose redirect URI was found to be the client's.
    pub(super) fn new(uri: &str, state: Option<&str>, parameters: &Parameters<'_>, client: &Client) -> Self {
        let mode = mode_for_errors(parameters, client);
        Self { uri: uri.to_owned(), state: state.map(str::to_owned), mode }
    }

    /// The target of a request that was proven before, if the client still owns it.
    pub fn of(request: &AuthorizationRequest, client: &Client) -> Option<Self> {
        let owns = |registered: &String| redirect_uri::matches(registered, &request.redirect_uri);
        // It may have been registered for signed responses since.
        let mode = match client.requests.wants_signed_responses() {
            true => request.response_mode.signed(),
            false => request.response_mode,
        };
        client.redirect_uris.iter().any(owns).then(|| Self {
            uri: request.redirect_uri.clone(),
            state: request.state.clone(),
            mode,
        })
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether the answer is a JWT (JARM).
    pub fn is_signed(&self) -> bool {
        self.mode.is_signed()
    }

    /// A successful answer (RFC 6749 4.1.2, 4.2.2).
    pub fn success(&self, issuer: &str, success: Success) -> AuthorizationResponse {
        let mut answer = Vec::with_capacity(8);
        answer.extend(success.code.map(|code| ("code", code)));
        if let Some(access) = success.access_token {
            answer.push(("access_token", access.token));
            answer.push(("token_type", "Bearer".to_owned()));
            answer.push(("expires_in", access.expires_in.to_string()));
            answer.push(("scope", access.scope));
        }
        answer.extend(success.id_token.map(|id_token| ("id_token", id_token)));
        answer.extend(success.session_state.map(|state| ("session_state", state)));
        self.with(issuer, answer)
    }

    /// An error (RFC 6749 4.1.2.1, 4.2.2.1).
    pub fn failure(&self, issuer: &str, error: &OAuthError) -> AuthorizationResponse {
        self.refusal(issuer, error.code.as_str(), &error.description)
    }

    /// An error that an external page chose.
    pub fn rejection(&self, issuer: &str, rejection: &Rejection) -> AuthorizationResponse {
        self.refusal(issuer, rejection.error(), rejection.description())
    }

    fn refusal(&self, issuer: &str, error: &str, description: &str) -> AuthorizationResponse {
        let answer = vec![("error", error.to_owned()), ("error_description", description.to_owned())];
        self.with(issuer, answer)
    }

    /// RFC 9207 2: every answer names the issuer, inside the JWT where it is one.
    fn with(&self, issuer: &str, mut parameters: Vec<(&'static str, String)>) -> AuthorizationResponse {
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        parameters.push(("iss", issuer.to_owned()));
        AuthorizationResponse { uri: self.uri.clone(), mode: self.mode, parameters }
    }
}

impl AuthorizationResponse {
    /// The claims to sign, where this answer is to be signed.
    pub fn to_sign<'a>(&'a self, client: &'a ClientId, now: Timestamp) -> Option<ResponseClaims<'a>> {
        self.mode.is_signed().then(|| ResponseClaims {
            aud: client,
            exp: now.plus(SIGNED_LIFETIME),
            parameters: self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        })
    }

    /// The same answer as one parameter, which is signed, or signed and encrypted (JARM 2.3).
    pub fn into_jwt(self, jwt: String) -> Self {
        Self { parameters: vec![("response", jwt)], ..self }
    }

    pub fn delivery(self) -> Delivery {
        match self.mode.carrier() {
            Carrier::Query => {
                // RFC 6749 3.1.2: the query of the redirect URI MUST be retained.
                let separator = match (self.uri.contains('?'), self.uri.ends_with(['?', '&'])) {
                    (_, true) => "",
                    (true, false) => "&",
                    (false, false) => "?",
                };
                Delivery::Redirect(format!("{}{separator}{}", self.uri, encoded(&self.parameters)))
            }
            Carrier::Fragment => Delivery::Redirect(format!("{}#{}", self.uri, encoded(&self.parameters))),
            Carrier::FormPost => Delivery::Form { action: self.uri, fields: self.parameters },
        }
    }
}

fn encoded(parameters: &[(&'static str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}
