//! The pushed authorization request endpoint (RFC 9126 2).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::middleware::ClientAddress;
use super::{error, extract, json};
use crate::app::App;
use crate::grants::pushed_request;
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::{OAuthError, Parameters};
use crate::waiting::Holder;

pub async fn push(
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
    // RFC 9126 2.3: 429 for a client that pushes too much.
    let Some(holder) = place(app, &client, address) else { return Ok(error::too_many(TOO_MANY)) };
    let pushed = pushed_request::push(app, &client, &parameters).await;
    if pushed.is_err() {
        app.waiting.undo(&holder, app.now());
    }
    Ok(json::created(pushed))
}

/// For the developer of whoever has no place left.
pub(super) const TOO_MANY: &str = "Too many requests wait for somebody to sign in: those of this client, or of this address if the client is public.";

/// Takes a place for a request of this client, before anything is stored; none when it has none left.
pub(super) fn place(app: &App, client: &AuthenticatedClient, address: &str) -> Option<Holder> {
    let holder = Holder::of(client, address);
    app.waiting.take(holder.clone(), app.now()).ok().map(|()| holder)
}
