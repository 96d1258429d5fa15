//! Bearer tokens in requests (RFC 6750 2): in the header, or in a form; never in the query.

use axum::http::{HeaderMap, header};

use crate::protocol::{OAuthError, Parameters};

/// The token of a request; none where none was sent. More than one way at once is refused (RFC 6750 2).
pub fn token<'r>(
    headers: &'r HeaderMap,
    form: Option<&'r Parameters<'_>>,
) -> Result<Option<&'r str>, OAuthError> {
    let twice = || OAuthError::invalid_request("The access token was sent in two ways at once.");
    if headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
        return Err(twice());
    }
    let posted = form.and_then(|form| form.get("access_token"));
    let header =
        match headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().ok().and_then(in_header).ok_or_else(|| {
                OAuthError::invalid_request("The Authorization header is not a bearer token.")
            })?),
        };
    match (header, posted) {
        (Some(_), Some(_)) => Err(twice()),
        (Some(token), None) | (None, Some(token)) => Ok(Some(token)),
        (None, None) => Ok(None),
    }
}

/// Whether the `Authorization` header names the scheme.
pub fn is_meant(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).map(axum::http::HeaderValue::as_bytes);
    value.and_then(|value| value.get(..7)).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

/// RFC 9110 11.1: the scheme is case-insensitive.
fn in_header(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
