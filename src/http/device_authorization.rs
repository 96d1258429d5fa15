//! The device authorization endpoint (RFC 8628 3.1).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{error, extract, json, place};
use crate::app::App;
use crate::grants::device_authorization::{self, Origin};
use crate::protocol::{OAuthError, Parameters};
use crate::server::edge::ClientAddress;

pub(super) async fn device_authorization(
    State(app): State<Arc<App>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: extract::Body,
) -> Response {
    let origin = Origin {
        address: address.map(|Extension(address)| address.0.to_string()).unwrap_or_default(),
        user_agent: extract::user_agent(&headers),
    };
    match answer(&app, &headers, body, origin).await {
        Ok(response) => response,
        Err(error) => error::respond(&error),
    }
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    body: extract::Body,
    origin: Origin,
) -> Result<Response, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let client = extract::client(app, headers, &parameters).await?;
    let address = origin.address.clone();
    let start = device_authorization::start(app, &client, &parameters, origin);
    Ok(place::keep(app, &client, &address, start, json::respond).await)
}
