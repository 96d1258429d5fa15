//! What is remembered for a client until it has expired: the assertions that it used, and the access tokens that it revoked one
//! by one. Each is a row, which a client writes as often as it likes: so each takes a place of the client's first. For whoever
//! has not authenticated, and for a token that is not the client's, no row is written.

use crate::app::App;
use crate::model::{Client, Timestamp, TokenId};
use crate::protocol::OAuthError;
use crate::storage::Storage;
use crate::waiting::{Full, Holder, WINDOW};

const TOO_MANY_ASSERTIONS: &str =
    "The client used as many assertions as it may in a quarter of an hour; keep the tokens that they get.";
const TOO_MANY_REVOKED: &str =
    "The client revoked as many tokens one by one as it may in a quarter of an hour: this one is still good.";

/// Notes that this client used an assertion, its own or one of who vouches for a user. True for exactly one caller, however
/// many try at once.
pub async fn use_assertion(
    app: &App,
    client: &Client,
    id: &str,
    expires_at: Timestamp,
) -> Result<bool, OAuthError> {
    let (places, holder) = (&app.remembered.assertions, Holder::Client(client.id.clone()));
    let taken = places.take_of(holder.clone(), app.remembered.of(client), app.now());
    taken.map_err(|Full| OAuthError::later(TOO_MANY_ASSERTIONS, WINDOW as u32))?;
    let used = app.storage.use_assertion(id, expires_at).await;
    if !matches!(used, Ok(true)) {
        places.undo(&holder, app.now());
    }
    Ok(used?)
}

/// Revokes a single access token of this client until it expires by itself.
pub async fn revoke_token(
    app: &App,
    storage: &Storage,
    client: &Client,
    token: &TokenId,
    expires_at: Timestamp,
) -> Result<(), OAuthError> {
    let (places, holder) = (&app.remembered.revoked, Holder::Client(client.id.clone()));
    let taken = places.take_of(holder.clone(), app.remembered.of(client), app.now());
    // RFC 7009 2.2.1: the client must assume that the token still exists.
    taken.map_err(|Full| OAuthError::later(TOO_MANY_REVOKED, WINDOW as u32))?;
    let revoked = storage.revoke_token(token, expires_at).await;
    if !matches!(revoked, Ok(true)) {
        places.undo(&holder, app.now());
    }
    revoked.map(|_| ()).map_err(Into::into)
}
