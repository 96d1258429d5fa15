//! The token endpoint (RFC 6749 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{extract, json};
use crate::app::App;
use crate::grants::{self, TokenResponse};
use crate::protocol::{OAuthError, Parameters};

pub async fn token(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    json::respond(exchange(&app, &headers, body).await)
}

async fn exchange(app: &App, headers: &HeaderMap, body: extract::Body) -> Result<TokenResponse, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let client = extract::client(app, headers, &parameters).await?;
    grants::exchange(app, &client, &parameters).await
}
