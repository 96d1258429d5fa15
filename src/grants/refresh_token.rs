//! `grant_type=refresh_token` (RFC 6749 6): one read, one conditional write that also tells a replay.

use super::draft::{Draft, ForGrant};
use super::issue::TokenResponse;
use super::token_request::TokenRequest;
use super::{granted, issue};
use crate::app::App;
use crate::audit::{Actor, Event, Replayed};
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{Client, Grant, GrantId, GrantType, Timestamp, User};
use crate::observe::Replay;
use crate::protocol::refresh::{self, RefreshPolicy, Verdict};
use crate::protocol::{OAuthError, left, scope};
use crate::storage::Rotation;

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    let (handle, grant, user) = find(app, parameters.require("refresh_token")?).await?;
    let generation = handle.generation();
    let verdict = match refresh::judge(&grant, client, generation, policy(app, client), now) {
        Verdict::Refuse(error) => return Err(error),
        Verdict::Replay => return Err(revoke(app, &grant).await),
        allowed => allowed,
    };
    if user.disabled {
        return Err(OAuthError::invalid_grant("The user is disabled."));
    }
    let (asked, catalogue) = (parameters.get("scope"), app.registry.catalogue());
    let left = refresh::must_be_allowed(client, left::of_grant(&grant, client, &catalogue)?)?;
    // What the client names may be what was granted and then taken away: it gets the rest, and is told (RFC 6749 5.1).
    let scope = match asked {
        None => left,
        Some(_) => {
            left::scope_asked(&scope::narrowed(&grant.scope, asked, client, &catalogue)?, client, &catalogue)?
        }
    };
    let target = granted::target(app, request, &grant)?;
    if asked.is_some() {
        target.must_admit(&scope)?;
    }
    let asked = ForGrant {
        grant_type: GrantType::RefreshToken,
        grant: &grant,
        user: &user,
        scope: &scope,
        target: &target,
        nonce: None,
    };
    let tokens = Draft::for_grant(app, client, asked, now).settle(app).await?;
    let next = match verdict {
        Verdict::Reuse => use_again(app, &grant, generation, now).await?,
        verdict => rotate(app, client, &grant, generation, matches!(verdict, Verdict::Rotate), now).await?,
    };
    tokens.mint(app, Some(next))
}

pub(super) fn policy(app: &App, client: &Client) -> RefreshPolicy {
    let of_client = client.policy();
    RefreshPolicy {
        idle: issue::refresh_idle(app, client),
        grace: app.settings.tokens.refresh_grace_seconds,
        rotation: of_client.rotation,
        interval: of_client.refresh_interval,
    }
}

/// Keeps the generation: the same refresh token goes out again.
async fn use_again(app: &App, grant: &Grant, generation: u32, now: Timestamp) -> Result<u32, OAuthError> {
    if app.storage.use_refresh_token(&grant.id, generation, now).await? {
        return Ok(generation);
    }
    Err(refresh::revoked())
}

/// Moves to the successor, if this is the valid one as it was read. Others may have moved since: then this may be within the
/// grace, else the row is judged again, once.
async fn rotate(
    app: &App,
    client: &Client,
    grant: &Grant,
    generation: u32,
    is_valid: bool,
    now: Timestamp,
) -> Result<u32, OAuthError> {
    let successor = generation
        .checked_add(1)
        .ok_or_else(|| OAuthError::invalid_grant("The refresh token has come to its end."))?;
    let rotation = Rotation { from: generation, now, grace: app.settings.tokens.refresh_grace_seconds };
    if is_valid && app.storage.rotate(&grant.id, rotation).await? {
        return Ok(successor);
    }
    if app.storage.rotate_again(&grant.id, rotation).await? {
        in_grace(app, grant);
        return Ok(successor);
    }
    let Some((now_there, _)) = app.storage.grant(&grant.id).await? else {
        return Err(refresh::revoked());
    };
    match refresh::judge(&now_there, client, generation, policy(app, client), now) {
        Verdict::Refuse(error) => Err(error),
        Verdict::Rotate | Verdict::RotateAgain | Verdict::Reuse | Verdict::Replay => {
            Err(revoke(app, grant).await)
        }
    }
}

/// Tells that a token was presented after it had been replaced. Most often its client lost the answer; whoever stays in
/// step with it looks the same, so somebody has to be able to see it.
fn in_grace(app: &App, grant: &Grant) {
    app.events.replays.one(Replay::RefreshTokenInGrace);
    tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "replaced refresh token presented within the grace");
    app.note(&Actor::Client, Event::GraceUsed { granted: grant.into() });
}

/// The grant behind a genuine refresh token of any generation.
async fn find(app: &App, token: &str) -> Result<(Handle, Grant, User), OAuthError> {
    let unknown = || OAuthError::invalid_grant("The refresh token is not one of this server.");
    let handle = Handle::parse(Purpose::RefreshToken, token).ok_or_else(unknown)?;
    let (grant, user) = app.storage.grant(&GrantId::new(handle.id())).await?.ok_or_else(unknown)?;
    if !handle.is_genuine(&app.master_key, &grant.salt) {
        return Err(unknown());
    }
    Ok((handle, grant, user))
}

/// RFC 9700 4.14.2: a replay cannot tell the thief from the client, so both lose the grant.
async fn revoke(app: &App, grant: &Grant) -> OAuthError {
    app.events.replays.one(Replay::RefreshToken);
    tracing::warn!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "refresh token replayed; grant revoked");
    let replayed = Event::GrantReplayed { granted: grant.into(), presented: Replayed::RefreshToken };
    match app.storage.revoke_grant(app.noted(&Actor::Client, replayed), &grant.id).await {
        Ok(()) => refresh::replayed(),
        Err(failure) => failure.into(),
    }
}
