//! Revocation (RFC 7009): a refresh token takes its whole grant with it, an access token only itself.

use super::{access_tokens, remembered};
use crate::app::App;
use crate::audit::{Actor, Event, Revocation};
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{ClientId, GrantId, GrantState};
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::{ErrorCode, OAuthError};

/// Revokes a token of the caller. A token that is unknown, expired or revoked already is a success (RFC 7009 2.2).
pub(crate) async fn revoke(app: &App, caller: &AuthenticatedClient, token: &str) -> Result<(), OAuthError> {
    if let Some(handle) = Handle::parse(Purpose::RefreshToken, token) {
        let Some((grant, _)) = app.storage.grant(&GrantId::new(handle.id())).await? else { return Ok(()) };
        if !handle.is_genuine(&app.master_key, &grant.salt) {
            return Ok(());
        }
        must_own(caller, &grant.client_id)?;
        if grant.state == GrantState::Revoked {
            return Ok(());
        }
        tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "grant revoked by its client");
        let revoked = Event::GrantRevoked { granted: (&grant).into(), reason: Revocation::ByClient };
        return Ok(app.storage.revoke_grant(app.noted(&Actor::Client, revoked), &grant.id).await?);
    }
    let Some(claims) = access_tokens::verify(app, token, app.now()) else { return Ok(()) };
    must_own(caller, &claims.client_id)?;
    let revoked = Event::TokenRevoked { client: &claims.client_id, jti: &claims.jti };
    let noted = app.noted(&Actor::Client, revoked);
    remembered::revoke_token(app, noted, caller, &claims.jti, claims.exp).await
}

/// RFC 7009 2.1: a token that was issued to another client is refused.
fn must_own(caller: &AuthenticatedClient, owner: &ClientId) -> Result<(), OAuthError> {
    if caller.id == *owner {
        return Ok(());
    }
    Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The token was issued to another client."))
}
