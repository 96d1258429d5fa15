//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer::Failure;
use super::flow::Flow;
use super::visitor::Visitor;
use crate::app::App;
use crate::http::extract;
use crate::model::ClientId;
use crate::protocol::authorize::{self, Unproven};
use crate::protocol::{OAuthError, Parameters};

pub async fn get(State(app): State<Arc<App>>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let result = begin(&app, &visitor, query.unwrap_or_default().as_bytes()).await;
    visitor.respond(&app, result)
}

/// OpenID Connect Core 3.1.2.1: POST MUST be supported too. A cross-site POST carries no SameSite cookie, so it is
/// turned into our own GET, which does.
pub async fn post(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let form = extract::form(&headers, body).and_then(|form| {
        // It becomes a header, so what a form may not hold in the clear is refused here.
        let clean = form.iter().all(u8::is_ascii_graphic);
        let not_a_form = || OAuthError::invalid_request("The body is not a form.");
        String::from_utf8(form.to_vec()).ok().filter(|_| clean).ok_or_else(not_a_form)
    });
    match form {
        Ok(query) => visitor.redirect_to_page(&app, &format!("/authorize?{query}")),
        Err(error) => visitor.failure(&app, error.into()),
    }
}

async fn begin(app: &App, visitor: &Visitor, query: &[u8]) -> Result<Response, Failure> {
    // Until client and redirect URI are proven, an error is a page.
    let parameters = Parameters::parse(query)?;
    let client_id = ClientId::new(authorize::client_id(&parameters)?);
    let registered = app.clients.find(&client_id).await?.ok_or(Unproven::UnknownClient)?;
    let client = Arc::clone(&registered.client);
    let target = authorize::prove(&parameters, &client)?;
    // From here on an error goes to the client.
    match authorize::validate(&parameters, &client, &target) {
        Ok(request) => Flow { client, target, request, pending: None }.advance(app, visitor).await,
        Err(error) => {
            crate::http::log(&error);
            Ok(visitor.redirect(app, &target.failure(app.issuer(), &error)))
        }
    }
}
