//! `grant_type=authorization_code` (RFC 6749 4.1.3): one read, one conditional write.

use super::draft::{Draft, ForGrant};
use super::granted;
use super::issue::TokenResponse;
use super::token_request::TokenRequest;
use crate::app::App;
use crate::audit::{Actor, Event, Replayed, Revocation};
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{Grant, GrantId, GrantType, NewGrant};
use crate::observe::Replay;
use crate::protocol::code::{self, Attempt, Verdict};
use crate::protocol::{OAuthError, left};

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    let code = parameters.require("code")?;
    let new = find(app, code).await?;
    let attempt = Attempt {
        redirect_uri: parameters.get("redirect_uri"),
        code_verifier: parameters.get("code_verifier"),
        now,
    };
    let NewGrant { grant, user, others, .. } = &new;
    let conditions = match code::judge(&new, client, attempt) {
        Verdict::Redeem(conditions) => conditions,
        refused => return Err(refuse(app, grant, refused).await),
    };
    let scope = left::of_grant(grant, client, &app.registry.catalogue())?;
    let refreshable = conditions.refreshable && client.gets_refresh_token(&scope);
    let target = granted::target(app, request, grant)?;
    let asked = ForGrant {
        grant_type: GrantType::AuthorizationCode,
        grant,
        user,
        scope: &scope,
        target: &target,
        nonce: conditions.nonce.clone(),
    };
    let tokens = Draft::for_grant(app, client, asked, now).settle_or_spend(app).await?;
    if !app.storage.redeem_code(&grant.id, now).await? {
        // Somebody was faster, or whatever the code came from has ended meanwhile: the row says which.
        let now_there = find(app, code).await?;
        let verdict = code::judge(&now_there, client, attempt);
        return Err(refuse(app, &now_there.grant, verdict).await);
    }
    granted::redeemed(app, grant, GrantType::AuthorizationCode);
    if conditions.refreshable && !refreshable {
        app.storage.end_refreshing(&grant.id).await?;
    }
    if refreshable {
        granted::cap_grants(app, client, grant, *others).await?;
    }
    tokens.mint(app, refreshable.then_some(1))
}

/// The grant behind a genuine code.
async fn find(app: &App, code: &str) -> Result<NewGrant, OAuthError> {
    let unknown = || OAuthError::invalid_grant("The code is not one of this server.");
    let handle = Handle::parse(Purpose::AuthorizationCode, code).ok_or_else(unknown)?;
    let found = app.storage.new_grant(&GrantId::new(handle.id())).await?;
    found.filter(|new| handle.is_genuine(&app.master_key, &new.grant.salt)).ok_or_else(unknown)
}

/// Does what a verdict asks for beside the answer.
async fn refuse(app: &App, grant: &Grant, verdict: Verdict<'_>) -> OAuthError {
    let error = match verdict {
        Verdict::Revoke(error) => return revoke(app, grant, error).await,
        Verdict::Refuse(error) => return error,
        Verdict::Spend(error) => error,
        // It could be redeemed a moment ago, and its time is over now.
        Verdict::Redeem(_) => return code::expired(),
    };
    let revoked = Event::GrantRevoked { granted: grant.into(), reason: Revocation::FailedExchange };
    match app.storage.revoke_grant(app.noted(&Actor::Client, revoked), &grant.id).await {
        Ok(()) => error,
        Err(failure) => failure.into(),
    }
}

/// RFC 6749 4.1.2: a code that is used twice takes back what it was redeemed for.
async fn revoke(app: &App, grant: &Grant, error: OAuthError) -> OAuthError {
    app.events.replays.one(Replay::AuthorizationCode);
    tracing::warn!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "code used twice; grant revoked");
    let replayed = Event::GrantReplayed { granted: grant.into(), presented: Replayed::Code };
    match app.storage.revoke_grant(app.noted(&Actor::Client, replayed), &grant.id).await {
        Ok(()) => error,
        Err(failure) => failure.into(),
    }
}
