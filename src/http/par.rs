//! The pushed authorization request endpoint (RFC 9126 2).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{error, extract, json, place};
use crate::app::App;
use crate::grants::pushed_request;
use crate::protocol::{OAuthError, Parameters};
use crate::server::edge::ClientAddress;

pub(super) async fn push(
    State(app): State<Arc<App>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let address = address.map(|Extension(address)| address.0.to_string()).unwrap_or_default();
    match answer(&app, &headers, body, &address).await {
        Ok(response) => response,
        Err(error) => error::respond(&error),
    }
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    body: extract::Body,
    address: &str,
) -> Result<Response, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let client = extract::client_at("/par", app, headers, &parameters).await?;
    let push = pushed_request::push(app, &client, &parameters);
    Ok(place::keep(app, &client, address, push, json::created).await)
}
