//! Introspection (RFC 7662): the signature locally, then one question to the database.

use std::sync::Arc;

use super::{access_tokens, issue, refresh_token, subject};
use crate::app::App;
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{Client, Grant, GrantId, GrantState, IntrospectionPolicy, Timestamp};
use crate::protocol::introspection::{Introspection, SignedIntrospection, may_ask};
use crate::protocol::{ErrorCode, OAuthError, left, refresh, resource};
use crate::registry::clients::Registered;
use crate::storage::TokenState;

/// What a client may know of a token. Everything that is not good and its business is inactive. The form of a token
/// tells its kind, so `token_type_hint` is not needed (RFC 7662 2.1: it MAY be ignored).
pub(crate) async fn introspect(app: &App, caller: &Client, token: &str) -> Result<Introspection, OAuthError> {
    let now = app.now();
    match Handle::parse(Purpose::RefreshToken, token) {
        Some(handle) => introspect_refresh_token(app, caller, &handle, now).await,
        None => introspect_access_token(app, caller, token, now).await,
    }
}

/// The answer as a JWT for the caller alone, by the algorithm it registered (RFC 9701 5).
pub(crate) fn sign(app: &App, caller: &Client, answer: Introspection) -> Result<String, OAuthError> {
    let claims = SignedIntrospection {
        iss: app.issuer().to_owned(),
        aud: caller.id.clone(),
        iat: app.now(),
        token_introspection: answer,
    };
    issue::introspection(app, caller, &claims)
}

/// The client of a good access token, which may ask with that instead of its credentials (RFC 7662 2.1) if it may ask
/// about every token.
pub(crate) async fn bearer(app: &App, token: &str) -> Result<Arc<Registered>, OAuthError> {
    let invalid = || {
        let description =
            "Client authentication failed: the access token is not good, or its client may not ask with one.";
        OAuthError::new(ErrorCode::InvalidClient, description)
    };
    let claims = access_tokens::verify(app, token, app.now()).ok_or_else(invalid)?;
    let registered = app.clients.find(&claims.client_id).await?.ok_or_else(invalid)?;
    let claims = access_tokens::left(app, &claims, &registered.client).await?.ok_or_else(invalid)?;
    // RFC 9068 4: whoever serves another resource must not ask with the tokens that come to it.
    if resource::is_for_others_only(&claims.aud, app.issuer(), &app.registry.catalogue()) {
        return Err(invalid());
    }
    let may_ask = registered.client.policy().introspection == IntrospectionPolicy::Any;
    match access_tokens::state(app, &claims).await? {
        TokenState::Good if may_ask => Ok(registered),
        TokenState::Good | TokenState::Revoked => Err(invalid()),
    }
}

async fn introspect_access_token(
    app: &App,
    caller: &Client,
    token: &str,
    now: Timestamp,
) -> Result<Introspection, OAuthError> {
    let Some(claims) = access_tokens::verify(app, token, now) else { return Ok(Introspection::INACTIVE) };
    let Some(claims) = access_tokens::left(app, &claims, caller).await? else {
        return Ok(Introspection::INACTIVE);
    };
    if !may_ask(caller, &claims.client_id, Some(&claims.aud)) {
        return Ok(Introspection::INACTIVE);
    }
    Ok(match access_tokens::state(app, &claims).await? {
        TokenState::Good => Introspection::of_access_token(&claims),
        TokenState::Revoked => Introspection::INACTIVE,
    })
}

async fn introspect_refresh_token(
    app: &App,
    caller: &Client,
    handle: &Handle,
    now: Timestamp,
) -> Result<Introspection, OAuthError> {
    let Some((grant, user)) = app.storage.grant(&GrantId::new(handle.id())).await? else {
        return Ok(Introspection::INACTIVE);
    };
    let genuine = handle.is_genuine(&app.master_key, &grant.salt);
    let GrantState::Active { refresh: Some(current) } = grant.state else {
        return Ok(Introspection::INACTIVE);
    };
    if !genuine
        || user.disabled
        || handle.generation() != current.generation
        || !may_ask(caller, &grant.client_id, None)
    {
        return Ok(Introspection::INACTIVE);
    }
    let Some(owner) = app.clients.find(&grant.client_id).await? else { return Ok(Introspection::INACTIVE) };
    let left = left::of_grant(&grant, &owner.client, &app.registry.catalogue());
    let Ok(scope) = left.and_then(|left| refresh::must_be_allowed(&owner.client, left)) else {
        return Ok(Introspection::INACTIVE);
    };
    let policy = refresh_token::policy(app, &owner.client);
    if refresh::is_expired(&grant, current, policy, now) {
        return Ok(Introspection::INACTIVE);
    }
    let ends = [grant.expires_at, issue::refresh_idle(app, &owner.client).end(current.rotated_at)];
    let exp = ends.into_iter().flatten().min();
    let sub = subject::of(app, &owner.client, &grant.user_id);
    let grant = Grant { scope, ..grant };
    Ok(Introspection::of_refresh_token(&grant, sub, app.issuer(), current.rotated_at, exp))
}
