//! What is remembered for a client until it has expired: the assertions that it used, and the access tokens that it revoked one
//! by one. Each is a row, which a client writes as often as it likes: so each takes a place of the client's first. For whoever
//! has not authenticated, and for a token that is not the client's, no row is written.

use crate::app::App;
use crate::model::{Client, Noted, Timestamp, TokenId};
use crate::protocol::OAuthError;
use crate::storage::StorageError;
use crate::waiting::{Full, Holder, WINDOW, Waiting};

const TOO_MANY_ASSERTIONS: &str =
    "The client used as many assertions as it may in a quarter of an hour; keep the tokens that they get.";
const TOO_MANY_REVOKED: &str =
    "The client revoked as many tokens one by one as it may in a quarter of an hour: this one is still good.";

/// Notes that this client used an assertion, its own or one of who vouches for a user. True for exactly one caller, however
/// many try at once.
pub(crate) async fn use_assertion(
    app: &App,
    client: &Client,
    id: &str,
    expires_at: Timestamp,
) -> Result<bool, OAuthError> {
    let use_it = app.storage.use_assertion(id, expires_at);
    with_place(app, client, &app.remembered.assertions, TOO_MANY_ASSERTIONS, use_it).await
}

/// Revokes a single access token of this client until it expires by itself.
pub(crate) async fn revoke_token(
    app: &App,
    noted: Noted,
    client: &Client,
    token: &TokenId,
    expires_at: Timestamp,
) -> Result<(), OAuthError> {
    let revoke = app.storage.revoke_token(noted, token, expires_at);
    // RFC 7009 2.2.1: the client must assume that the token still exists.
    with_place(app, client, &app.remembered.revoked, TOO_MANY_REVOKED, revoke).await.map(|_| ())
}

/// What `remember` writes, in a place of this client that is taken before; it is free again where no row was written.
async fn with_place(
    app: &App,
    client: &Client,
    places: &Waiting,
    too_many: &'static str,
    remember: impl Future<Output = Result<bool, StorageError>>,
) -> Result<bool, OAuthError> {
    let holder = Holder::Client(client.id.clone());
    let taken = places.take_of(holder.clone(), app.remembered.of(client), app.now());
    taken.map_err(|Full| OAuthError::later(too_many, WINDOW as u32))?;
    let written = remember.await;
    if !matches!(written, Ok(true)) {
        places.undo(&holder, app.now());
    }
    Ok(written?)
}
