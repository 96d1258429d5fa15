//! JSON answers that nobody may keep (RFC 6749 5.1).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::error;
use crate::protocol::OAuthError;
use crate::server::edge::MOST_HEADERS;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A success as JSON, or the error as the standard wants it.
pub(crate) fn respond<T: Serialize>(result: Result<T, OAuthError>) -> Response {
    match result.and_then(|value| serde_json::to_vec(&value).map_err(OAuthError::server_error)) {
        Ok(body) => no_store(StatusCode::OK, body),
        Err(error) => error::respond(&error),
    }
}

/// The same for what was made by the request.
pub(crate) fn created<T: Serialize>(result: Result<T, OAuthError>) -> Response {
    let mut response = respond(result);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// A JSON body with the headers that RFC 6749 5.1 demands: Cache-Control and Pragma.
pub(crate) fn no_store(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(MOST_HEADERS);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::PRAGMA, NO_CACHE);
    response
}

/// A JWT of this media type, which nobody may keep either.
pub(crate) fn jwt(media_type: HeaderValue, token: String) -> Response {
    let mut response = no_store(StatusCode::OK, token.into_bytes());
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// A success with nothing to say. It is JSON all the same: some clients take nothing else.
pub(crate) fn empty() -> Response {
    no_store(StatusCode::OK, b"{}".to_vec())
}

/// A success that says nothing (RFC 7592 2.3).
pub(crate) fn no_content() -> Response {
    let mut response = no_store(StatusCode::NO_CONTENT, Vec::new());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}
