//! `grant_type=authorization_code` (RFC 6749 4.1.3): one read, one conditional write.

use super::TokenResponse;
use super::draft::{Draft, ForGrant};
use crate::app::App;
use crate::audit::{Actor, Event, Replayed, Revocation};
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{Grant, GrantId, GrantType, User};
use crate::observe::Replay;
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::code::{self, Attempt, Verdict};
use crate::protocol::{OAuthError, Parameters};

pub(super) async fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    parameters: &Parameters<'_>,
) -> Result<TokenResponse, OAuthError> {
    let now = app.now();
    let (grant, user, others) = find(app, parameters.require("code")?).await?;
    let attempt = Attempt {
        redirect_uri: parameters.get("redirect_uri"),
        code_verifier: parameters.get("code_verifier"),
        now,
    };
    let conditions = match code::judge(&grant, client, attempt) {
        Verdict::Redeem(conditions) => conditions,
        Verdict::Refuse(error) => return Err(error),
        Verdict::Spend(error) => {
            let reason = Revocation::FailedExchange;
            let revoked = Event::GrantRevoked { granted: (&grant).into(), reason };
            app.noting(&Actor::Client, revoked).revoke_grant(&grant.id).await?;
            return Err(error);
        }
        Verdict::Revoke(error) => return Err(revoke(app, &grant, error).await),
    };
    if user.disabled {
        return Err(OAuthError::invalid_grant("The user is disabled."));
    }
    let target = super::target(app, client, &grant, parameters)?;
    let asked = ForGrant {
        grant_type: GrantType::AuthorizationCode,
        grant: &grant,
        user: &user,
        scope: &grant.scope,
        target: &target,
        nonce: conditions.nonce.clone(),
    };
    let tokens = Draft::for_grant(app, client, asked, now).settle_or_spend(app).await?;
    if !app.storage.redeem_code(&grant.id, now).await? {
        return Err(revoke(app, &grant, code::used()).await);
    }
    super::redeemed(app, &grant, GrantType::AuthorizationCode);
    if conditions.refreshable {
        super::cap_grants(app, client, &grant, others).await?;
    }
    tokens.mint(app, conditions.refreshable.then_some(1))
}

/// The grant behind a genuine code, and how many others its user has with the client.
async fn find(app: &App, code: &str) -> Result<(Grant, User, i64), OAuthError> {
    let unknown = || OAuthError::invalid_grant("The code is not one of this server.");
    let handle = Handle::parse(Purpose::AuthorizationCode, code).ok_or_else(unknown)?;
    let found = app.storage.new_grant(&GrantId::new(handle.id())).await?;
    found.filter(|(grant, ..)| handle.is_genuine(&app.master_key, &grant.salt)).ok_or_else(unknown)
}

/// RFC 6749 4.1.2: a code that is used twice takes back what it was redeemed for.
async fn revoke(app: &App, grant: &Grant, error: OAuthError) -> OAuthError {
    app.events.replays.one(Replay::AuthorizationCode);
    tracing::warn!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "code used twice; grant revoked");
    let replayed = Event::GrantReplayed { granted: grant.into(), presented: Replayed::Code };
    match app.noting(&Actor::Client, replayed).revoke_grant(&grant.id).await {
        Ok(()) => error,
        Err(failure) => failure.into(),
    }
}
