//! The introspection endpoint (RFC 7662 2), in JSON or, for whoever asks for it, as a signed JWT (RFC 9701).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::extract::ClientRequest;
use super::{bearer, error, json};
use crate::app::App;
use crate::grants::introspection;
use crate::model::Client;
use crate::protocol::OAuthError;
use crate::protocol::introspection::Introspection;
use crate::server::accept;

/// RFC 9701 5.
const JWT: &str = "application/token-introspection+jwt";

pub(super) async fn introspect(State(app): State<Arc<App>>, sent: ClientRequest) -> Response {
    let result = match bearer::is_meant(&sent.headers) {
        true => answer_bearer(&app, &sent).await,
        false => answer(&app, &sent).await,
    };
    result.unwrap_or_else(|error| error::respond(&error))
}

async fn answer(app: &App, sent: &ClientRequest) -> Result<Response, OAuthError> {
    let parameters = sent.parameters()?;
    let caller = sent.client(app, &parameters).await?;
    // RFC 7662 2.1: the endpoint MUST require some form of authorization.
    caller.must_be_confidential()?;
    let known = introspection::introspect(app, &caller, parameters.require("token")?).await?;
    render(app, &sent.headers, &caller, known)
}

/// The same for a caller that shows an access token of its own.
async fn answer_bearer(app: &App, sent: &ClientRequest) -> Result<Response, OAuthError> {
    let parameters = sent.parameters()?;
    let caller = introspection::bearer(app, bearer::token(&sent.headers, None)?.unwrap_or_default()).await?;
    let known = introspection::introspect(app, &caller.client, parameters.require("token")?).await?;
    render(app, &sent.headers, &caller.client, known)
}

/// RFC 9701 4: the resource server asks for a JWT by `Accept`.
fn render(
    app: &App,
    headers: &HeaderMap,
    caller: &Client,
    known: Introspection,
) -> Result<Response, OAuthError> {
    if !accept::prefers(headers, JWT) {
        return Ok(json::respond(Ok(known)));
    }
    let token = introspection::sign(app, caller, known)?;
    Ok(json::jwt(HeaderValue::from_static(JWT), token))
}
