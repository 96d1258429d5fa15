//! The introspection endpoint (RFC 7662 2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{extract, json};
use crate::app::App;
use crate::grants::introspection;
use crate::protocol::introspection::Introspection;
use crate::protocol::{OAuthError, Parameters};

pub async fn introspect(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    json::respond(answer(&app, &headers, body).await)
}

async fn answer(app: &App, headers: &HeaderMap, body: extract::Body) -> Result<Introspection, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let caller = extract::client(app, headers, &parameters).await?;
    // RFC 7662 2.1: the endpoint MUST require some form of authorization.
    caller.must_be_confidential()?;
    introspection::introspect(app, &caller, parameters.require("token")?).await
}
