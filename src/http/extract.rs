//! What every endpoint for clients begins with: the parameters, and who sent them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::error;
use crate::app::App;
use crate::grants::client_authentication;
use crate::model::{GrantType, NetworkAddress};
use crate::protocol::client_auth::{self, AuthenticatedClient, Rule};
use crate::protocol::{ErrorCode, OAuthError, Parameters};
use crate::request;
use crate::server::edge::ClientAddress;

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

/// Where it comes from.
pub(crate) fn address(extensions: &Extensions) -> NetworkAddress {
    extensions.get().map(|&ClientAddress(address)| address.into()).unwrap_or_default()
}

/// A form that was sent to an endpoint for clients, before anything of it is believed.
pub(crate) struct ClientRequest {
    pub headers: HeaderMap,
    /// Where it came from.
    pub address: NetworkAddress,
    form: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for ClientRequest {
    type Rejection = Response;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Response> {
        let headers = std::mem::take(request.headers_mut());
        let address = address(request.extensions());
        let body = Bytes::from_request(request, state).await;
        let form = form(&headers, body).map_err(|error| error::respond(&error))?;
        Ok(Self { headers, address, form })
    }
}

impl ClientRequest {
    /// What it says; a request in which something is repeated is refused (RFC 6749 3.2).
    pub(crate) fn parameters(&self) -> Result<Parameters<'_>, OAuthError> {
        let parameters = Parameters::parse(&self.form)?;
        parameters.refuse_repeated()?;
        Ok(parameters)
    }

    /// Who sent it, authenticated.
    pub(crate) async fn client(
        &self,
        app: &App,
        parameters: &Parameters<'_>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        self.client_by(client_auth::authenticate, "/token", app, parameters).await
    }

    /// The same at an endpoint whose own URL may be the audience of an assertion too (RFC 9126 2).
    pub(crate) async fn client_at(
        &self,
        endpoint: &str,
        app: &App,
        parameters: &Parameters<'_>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        self.client_by(client_auth::authenticate, endpoint, app, parameters).await
    }

    /// Who sent it as a token request.
    pub(crate) async fn token_client(
        &self,
        app: &App,
        parameters: &Parameters<'_>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        const REFRESH: &str = GrantType::RefreshToken.as_str();
        let rule: Rule = match parameters.get("grant_type") {
            Some(REFRESH) => client_auth::authenticate_refresh,
            _ => client_auth::authenticate,
        };
        self.client_by(rule, "/token", app, parameters).await
    }

    async fn client_by(
        &self,
        rule: Rule,
        endpoint: &str,
        app: &App,
        parameters: &Parameters<'_>,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let mut authorization = self.headers.get_all(header::AUTHORIZATION).iter();
        let first = authorization.next().map(HeaderValue::as_bytes);
        if authorization.next().is_some() {
            return Err(OAuthError::invalid_request("The client authenticates in two ways at once."));
        }
        let endpoints = ["/token", endpoint];
        let expected = client_authentication::expected(app, &endpoints);
        let presented = client_auth::presented(first, parameters, &expected)?;
        client_authentication::authenticate(app, &presented, rule).await
    }
}
