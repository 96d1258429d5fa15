//! The introspection endpoint (RFC 7662 2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{bearer, extract, json};
use crate::app::App;
use crate::grants::introspection;
use crate::protocol::introspection::Introspection;
use crate::protocol::{OAuthError, Parameters};

pub async fn introspect(State(app): State<Arc<App>>, headers: HeaderMap, body: extract::Body) -> Response {
    let result = match bearer::is_meant(&headers) {
        true => answer_bearer(&app, &headers, body).await,
        false => answer(&app, &headers, body).await,
    };
    json::respond(result)
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

/// The same for a caller that shows an access token of its own.
async fn answer_bearer(
    app: &App,
    headers: &HeaderMap,
    body: extract::Body,
) -> Result<Introspection, OAuthError> {
    let form = extract::form(headers, body)?;
    let parameters = Parameters::parse(&form)?;
    parameters.refuse_repeated()?;
    let caller = introspection::bearer(app, bearer::token(headers, None)?.unwrap_or_default()).await?;
    introspection::introspect(app, &caller.client, parameters.require("token")?).await
}
