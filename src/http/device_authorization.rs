//! The device authorization endpoint (RFC 8628 3.1).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::extract::{self, ClientRequest};
use super::{error, json, place};
use crate::app::App;
use crate::grants::device_authorization::{self, Origin};
use crate::protocol::OAuthError;

pub(super) async fn device_authorization(State(app): State<Arc<App>>, sent: ClientRequest) -> Response {
    answer(&app, &sent).await.unwrap_or_else(|error| error::respond(&error))
}

async fn answer(app: &App, sent: &ClientRequest) -> Result<Response, OAuthError> {
    let parameters = sent.parameters()?;
    let client = sent.client(app, &parameters).await?;
    let origin = Origin { address: sent.address, user_agent: extract::user_agent(&sent.headers) };
    let start = device_authorization::start(app, &client, &parameters, origin);
    Ok(place::keep(app, &client, sent.address, start, json::respond).await)
}
