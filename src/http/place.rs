//! What clients have stored for somebody of whom nothing is known yet, and who has no place left for it.

use axum::response::Response;

use super::error;
use crate::app::App;
use crate::model::NetworkAddress;
use crate::protocol::OAuthError;
use crate::protocol::client_auth::AuthenticatedClient;
use crate::waiting::{Full, Holder};

/// For the developer of whoever has no place left.
const TOO_MANY: &str = "Too many requests wait for somebody to sign in: those of this client, or of this address if the client is public.";

/// Responds with what `store` keeps for this client.
pub(super) async fn keep<T>(
    app: &App,
    client: &AuthenticatedClient,
    address: NetworkAddress,
    store: impl Future<Output = Result<T, OAuthError>>,
    respond: impl FnOnce(Result<T, OAuthError>) -> Response,
) -> Response {
    match app.waiting.with_place(Holder::of(client, address), || app.now(), store).await {
        Ok(stored) => respond(stored),
        // RFC 9126 2.3: 429 for a client that asks too much.
        Err(Full) => error::too_many(TOO_MANY),
    }
}
