//! `sub`: who a user is to a client (OpenID Connect Core 8).
//!
//! A pairwise subject is an HMAC under a key of the server over sector and user. So it is the same on every replica and
//! at any time, needs no table, and tells nobody else whose it is. The server itself never goes back from it: it finds
//! the user through the grant of a token, or in a sealed claim where a token has no grant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::issue::sealed_user;
use crate::app::App;
use crate::model::{Client, UserId, sector};
use crate::protocol::claims::AccessTokenClaims;

const PURPOSE: &[u8] = b"pairwise subject";
const SEALED: &str = "user of a token without grant";

/// The subject that this client knows the user by: in ID tokens, UserInfo, access tokens (RFC 9068 6: a client can read
/// them), introspection, and whatever else names the user to it.
pub(crate) fn of(app: &App, client: &Client, user: &UserId) -> String {
    if !client.identity.is_pairwise() {
        return user.as_str().to_owned();
    }
    let uri = client.identity.sector_identifier_uri.as_deref();
    // Without a sector nothing is registered; a row that has none is a sector of its own.
    let sector = sector(uri, &client.redirect_uris).unwrap_or_else(|| format!(":{}", client.id));
    let parts = [PURPOSE, sector.as_bytes(), user.as_str().as_bytes()];
    URL_SAFE_NO_PAD.encode(app.master_key.lasting(&parts))
}

/// The user of a token without a grant, readable for this server only. None: its `sub` says it, because the client
/// knows users as all others do.
pub(crate) fn sealed(app: &App, client: &Client, user: &UserId) -> Option<String> {
    if !client.identity.is_pairwise() {
        return None;
    }
    // A token that is not sealed names nobody that exists, and is inactive.
    sealed_user::seal(app, SEALED, user)
}

/// The user of a token without a grant; none for a client's own.
pub(crate) fn user_of(app: &App, claims: &AccessTokenClaims) -> Option<UserId> {
    match &claims.sealed_user {
        Some(sealed) => {
            let user =
                app.master_key.open_token(SEALED, sealed).and_then(|user| String::from_utf8(user).ok());
            // What does not open is nobody, not the client.
            Some(UserId::new(user.unwrap_or_default()))
        }
        None => (claims.sub != claims.client_id.as_str()).then(|| UserId::new(&*claims.sub)),
    }
}
