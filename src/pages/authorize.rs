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
use crate::protocol::Parameters;
use crate::protocol::authorize::{self, Offer, Unproven};

pub async fn get(State(app): State<Arc<App>>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let result = begin(&app, &visitor, query.unwrap_or_default().as_bytes()).await;
    visitor.respond(&app, result)
}

/// OpenID Connect Core 3.1.2.1: POST MUST be supported too.
pub async fn post(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let result = match extract::form(&headers, body) {
        Ok(form) => visitor.repeat_as_get(&app, "/authorize", &form),
        Err(error) => Err(error.into()),
    };
    visitor.respond(&app, result)
}

async fn begin(app: &App, visitor: &Visitor, query: &[u8]) -> Result<Response, Failure> {
    // Until client and redirect URI are proven, an error is a page.
    let parameters = Parameters::parse(query)?;
    let client_id = ClientId::new(authorize::client_id(&parameters)?);
    let registered = app.clients.find(&client_id).await?.ok_or(Unproven::UnknownClient)?;
    let client = Arc::clone(&registered.client);
    let target = authorize::prove(&parameters, &client)?;
    // From here on an error goes to the client.
    let catalogue = app.registry.catalogue();
    let offer = Offer { catalogue: &catalogue, implicit: app.settings.grants.implicit };
    match authorize::validate(&parameters, &client, offer, &target) {
        Ok(request) => Flow { client, target, request, pending: None }.advance(app, visitor).await,
        Err(error) => visitor.refuse(app, &client, &target, &error),
    }
}
