//! `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 3.4): a poll that waits is one read and one
//! write, the one that gets the tokens two reads and one conditional write.

use super::draft::{Draft, ForGrant};
use super::granted;
use super::issue::TokenResponse;
use super::token_request::TokenRequest;
use crate::app::App;
use crate::crypto::handle::{Handle, Purpose};
use crate::model::{
    DeviceAuthorization, DeviceAuthorizationId, Grant, GrantId, GrantState, GrantType, NewGrant, User,
};
use crate::protocol::device::{self, Verdict};
use crate::protocol::{OAuthError, left};

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    let authorization = find(app, parameters.require("device_code")?).await?;
    match device::judge(&authorization, client, now) {
        Verdict::Claim => {}
        Verdict::Refuse(error) => return Err(error),
        Verdict::Wait { error, interval } => {
            app.storage.note_device_poll(&authorization.id, interval, now).await?;
            return Err(error);
        }
    }
    let (grant, user, others) = approved(app, &authorization).await?;
    let scope = left::of_grant(&grant, client, &app.registry.catalogue())?;
    let target = granted::target(app, request, &grant)?;
    let asked = ForGrant {
        grant_type: GrantType::DeviceCode,
        grant: &grant,
        user: &user,
        scope: &scope,
        target: &target,
        nonce: None,
    };
    let tokens = Draft::for_grant(app, client, asked, now).settle_or_spend(app).await?;
    if !app.storage.consume_device(&authorization.id, now).await? {
        return Err(device::used());
    }
    tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "device received its tokens");
    granted::redeemed(app, &grant, GrantType::DeviceCode);
    let refresh_generation = match &grant.state {
        GrantState::Active { refresh } => {
            refresh.filter(|_| client.gets_refresh_token(&scope)).map(|refresh| refresh.generation)
        }
        GrantState::CodeIssued(_) | GrantState::Revoked => None,
    };
    if refresh_generation.is_some() {
        granted::cap_grants(app, client, &grant, others).await?;
    }
    tokens.mint(app, refresh_generation)
}

/// The authorization behind a genuine device code.
async fn find(app: &App, code: &str) -> Result<DeviceAuthorization, OAuthError> {
    let unknown = || OAuthError::invalid_grant("The device code is not one of this server.");
    let handle = Handle::parse(Purpose::DeviceCode, code).ok_or_else(unknown)?;
    let found = app.storage.device_authorization(&DeviceAuthorizationId::new(handle.id())).await?;
    found.filter(|found| handle.is_genuine(&app.master_key, &found.salt)).ok_or_else(unknown)
}

/// The grant of an approved authorization, if nothing has ended it meanwhile, and how many others its user has with the
/// client.
async fn approved(app: &App, authorization: &DeviceAuthorization) -> Result<(Grant, User, i64), OAuthError> {
    let found = app.storage.new_grant(&GrantId::new(authorization.id.as_str())).await?;
    let NewGrant { grant, user, others, .. } = found.ok_or_else(device::taken_back)?;
    if user.disabled {
        return Err(OAuthError::invalid_grant("The user is disabled."));
    }
    match grant.state {
        GrantState::Active { .. } => Ok((grant, user, others)),
        GrantState::CodeIssued(_) | GrantState::Revoked => Err(device::taken_back()),
    }
}
