//! Answers of the admin listener: JSON, also for errors, with the members that Hydra's have.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::http::json::no_store;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::StorageError;

const BEARER: HeaderValue = HeaderValue::from_static(r#"Bearer realm="admin""#);

/// Why a request to the admin listener is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, description: &str) -> Self {
        Self { status, error, description: description.to_owned() }
    }

    pub(super) fn unauthorized() -> Self {
        let description = "Send the token of admin.token as Authorization: Bearer.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", description)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "The admin listener has nothing here.")
    }

    pub(super) fn method() -> Self {
        let description = "Use GET to look at a challenge and PUT to answer it.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", description)
    }

    pub(super) fn unknown_challenge() -> Self {
        let description = "No request waits under this challenge at this step.";
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    pub(super) fn expired() -> Self {
        let description = "The authorization request has expired. Send the user back to the application.";
        Self::new(StatusCode::GONE, "expired", description)
    }

    /// Hydra v1.6 answers 409 for a request that was handled (`x.ErrConflict`).
    pub(super) fn handled() -> Self {
        let description = "This challenge has been answered already.";
        Self::new(StatusCode::CONFLICT, "conflict", description)
    }

    pub(super) fn disabled() -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", "The user is disabled.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "error": self.error, "error_description": self.description, "status_code": self.status.as_u16(),
        });
        let mut response = no_store(self.status, body.to_string().into_bytes());
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER);
        }
        response
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        crate::request::log(&error);
        let status = match error.code {
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, error: error.code.as_str(), description: error.description.into_owned() }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        OAuthError::from(error).into()
    }
}

/// A JSON document.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => no_store(StatusCode::OK, body),
            Err(error) => Refusal::from(OAuthError::server_error(error)).into_response(),
        }
    }
}
