//! Answers in place of a handler.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::observe::Outcome;

/// Why no handler answers.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    TooLarge,
    Unreadable,
    Overloaded,
    TimedOut,
    Panicked,
}

impl Refusal {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::TooLarge => Outcome::TooLarge,
            Self::Unreadable => Outcome::Abandoned,
            Self::Overloaded => Outcome::Overloaded,
            Self::TimedOut => Outcome::TimedOut,
            Self::Panicked => Outcome::Panicked,
        }
    }

    pub(super) fn response(self) -> Response {
        let (status, body) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"error":"invalid_request","error_description":"the request body is too large"}"#,
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                r#"{"error":"invalid_request","error_description":"the request body could not be read"}"#,
            ),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"temporarily_unavailable","error_description":"the server is overloaded; try again in a moment"}"#,
            ),
            Self::TimedOut => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"temporarily_unavailable","error_description":"the request took too long; try again"}"#,
            ),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"server_error"}"#),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
