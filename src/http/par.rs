//! The pushed authorization request endpoint (RFC 9126 2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{extract, json};
use crate::app::App;
use crate::grants::pushed_request::{self, Pushed};
use crate::protocol::{OAuthError, Parameters};

pub async fn push(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    json::created(answer(&app, &headers, body).await)
}

async fn answer(app: &App, headers: &HeaderMap, body: extract::Body) -> Result<Pushed, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let client = extract::client_at("/par", app, headers, &parameters).await?;
    pushed_request::push(app, &client, &parameters).await
}
