//! What every endpoint for clients begins with: the parameters, and who sent them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};

use crate::app::App;
use crate::grants::client_authentication;
use crate::model::GrantType;
use crate::protocol::client_auth::{self, AuthenticatedClient, Rule};
use crate::protocol::{ErrorCode, OAuthError, Parameters};
use crate::request;

/// A body as axum hands it over.
pub(crate) type Body = Result<Bytes, BytesRejection>;

/// The bytes of a form (RFC 6749 appendix B).
pub(crate) fn form(headers: &HeaderMap, body: Body) -> Result<Bytes, OAuthError> {
    if !is_of_type(headers, "application/x-www-form-urlencoded") {
        let description = "Send the parameters as application/x-www-form-urlencoded.";
        return Err(OAuthError::invalid_request(description));
    }
    // One that is too long is answered before it comes here.
    body.map_err(|_| OAuthError::invalid_request("The body could not be read."))
}

/// The bytes of a JSON document (RFC 7591 3.1).
pub(crate) fn json(headers: &HeaderMap, body: Body) -> Result<Bytes, OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidClientMetadata, description);
    if !is_of_type(headers, "application/json") {
        return Err(refused("Send the metadata as application/json."));
    }
    // One that is too long is answered before it comes here.
    body.map_err(|_| refused("The body could not be read."))
}

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}

/// What the browser or program calls itself.
pub(crate) fn user_agent(headers: &HeaderMap) -> String {
    request::bounded_user_agent(headers.get(header::USER_AGENT))
}

/// The client that sent the request, authenticated.
pub(crate) async fn client(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
) -> Result<AuthenticatedClient, OAuthError> {
    client_by(client_auth::authenticate, "/token", app, headers, parameters).await
}

/// The same at an endpoint whose own URL may be the audience of an assertion too (RFC 9126 2).
pub(crate) async fn client_at(
    endpoint: &str,
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
) -> Result<AuthenticatedClient, OAuthError> {
    client_by(client_auth::authenticate, endpoint, app, headers, parameters).await
}

/// The client that sent a token request.
pub(crate) async fn token_client(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
) -> Result<AuthenticatedClient, OAuthError> {
    const REFRESH: &str = GrantType::RefreshToken.as_str();
    let rule: Rule = match parameters.get("grant_type") {
        Some(REFRESH) => client_auth::authenticate_refresh,
        _ => client_auth::authenticate,
    };
    client_by(rule, "/token", app, headers, parameters).await
}

async fn client_by(
    rule: Rule,
    endpoint: &str,
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters<'_>,
) -> Result<AuthenticatedClient, OAuthError> {
    let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
    let first = authorization.next().map(axum::http::HeaderValue::as_bytes);
    if authorization.next().is_some() {
        return Err(OAuthError::invalid_request("The client authenticates in two ways at once."));
    }
    let endpoints = ["/token", endpoint];
    let expected = client_authentication::expected(app, &endpoints);
    let presented = client_auth::presented(first, parameters, &expected)?;
    client_authentication::authenticate(app, &presented, rule).await
}
