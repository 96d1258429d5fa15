//! Errors as JSON (RFC 6749 5.2) and as a Bearer challenge (RFC 6750 3).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::json;
use crate::protocol::{ErrorCode, OAuthError};
use crate::request;
use crate::waiting;

/// RFC 6749 5.2: a 401 MUST name a scheme the client can use.
const BASIC: HeaderValue = HeaderValue::from_static(r#"Basic realm="client", charset="UTF-8""#);

/// What a bearer token opens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Realm {
    Userinfo,
    Registration,
}

impl Realm {
    fn as_str(self) -> &'static str {
        match self {
            Self::Userinfo => "userinfo",
            Self::Registration => "registration",
        }
    }
}

/// The status of an error code.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidGrant
        | ErrorCode::UnauthorizedClient
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::InvalidScope
        | ErrorCode::InvalidTarget
        | ErrorCode::AccessDenied
        | ErrorCode::UnsupportedResponseType
        | ErrorCode::LoginRequired
        | ErrorCode::AccountSelectionRequired
        | ErrorCode::ConsentRequired
        | ErrorCode::UnmetAuthenticationRequirements
        | ErrorCode::RequestNotSupported
        | ErrorCode::RegistrationNotSupported
        | ErrorCode::InvalidRequestObject
        | ErrorCode::InvalidRequestUri
        | ErrorCode::AuthorizationPending
        | ErrorCode::SlowDown
        | ErrorCode::ExpiredToken
        | ErrorCode::InvalidRedirectUri
        | ErrorCode::InvalidClientMetadata
        | ErrorCode::InvalidSoftwareStatement
        | ErrorCode::UnapprovedSoftwareStatement => StatusCode::BAD_REQUEST,
    }
}

/// The error as JSON, logged once.
pub(super) fn respond(error: &OAuthError) -> Response {
    request::log(error);
    let body = json!({"error": error.code.as_str(), "error_description": error.description});
    let mut response = json::no_store(status(error.code), body.to_string().into_bytes());
    note(&mut response, error);
    if let Some(wait) = error.wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    if error.code == ErrorCode::InvalidClient {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC);
    }
    response
}

/// RFC 6585 4: whoever asks has no place left, for a while; others have.
pub(super) fn too_many(description: &'static str) -> Response {
    let mut response = respond(&OAuthError::new(ErrorCode::TemporarilyUnavailable, description));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(header::RETRY_AFTER, waiting::RETRY_AFTER);
    response
}

/// The answer tells this error, whatever its status: for the counts of how requests end.
pub fn note(response: &mut Response, error: &OAuthError) {
    response.extensions_mut().insert(error.code);
}

/// The error as JSON with 401, for a client that expects it so.
pub(super) fn unauthorized(error: &OAuthError) -> Response {
    let mut response = respond(error);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC);
    response
}

/// The error as a challenge for a bearer token.
pub(super) fn challenge(realm: Realm, error: &OAuthError) -> Response {
    let mut response = respond(error);
    let (realm, code, description) = (realm.as_str(), error.code.as_str(), &error.description);
    // Descriptions are our own sentences without quotes, so they can stand in a quoted string.
    let value = format!(r#"Bearer realm="{realm}", error="{code}", error_description="{description}""#);
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// RFC 6750 3.1: a request without a token is told the scheme and nothing else.
pub(super) fn bare_challenge(realm: Realm) -> Response {
    let mut response = axum::response::IntoResponse::into_response(StatusCode::UNAUTHORIZED);
    if let Ok(value) = HeaderValue::try_from(format!(r#"Bearer realm="{}""#, realm.as_str())) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
