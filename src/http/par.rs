//! The pushed authorization request endpoint (RFC 9126 2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::extract::ClientRequest;
use super::{error, json, place};
use crate::app::App;
use crate::grants::pushed_request;
use crate::protocol::OAuthError;

pub(super) async fn push(State(app): State<Arc<App>>, sent: ClientRequest) -> Response {
    answer(&app, &sent).await.unwrap_or_else(|error| error::respond(&error))
}

async fn answer(app: &App, sent: &ClientRequest) -> Result<Response, OAuthError> {
    let parameters = sent.parameters()?;
    let client = sent.client_at("/par", app, &parameters).await?;
    let push = pushed_request::push(app, &client, &parameters);
    Ok(place::keep(app, &client, sent.address, push, json::created).await)
}
