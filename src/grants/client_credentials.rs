//! `grant_type=client_credentials` (RFC 6749 4.4): no statement at all once the client is cached.

use super::TokenResponse;
use super::issue;
use crate::app::App;
use crate::model::{Scope, ScopeSet};
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::{ErrorCode, OAuthError, Parameters};

pub(super) fn exchange(
    app: &App,
    client: &AuthenticatedClient,
    parameters: &Parameters<'_>,
) -> Result<TokenResponse, OAuthError> {
    // RFC 6749 4.4: MUST only be used by confidential clients.
    client.must_be_confidential()?;
    let scope = scope(client, parameters.get("scope"))?;
    issue::for_client(app, client, &scope, app.now())
}

/// What was asked, all of it registered for the client; nothing where nothing was asked.
fn scope(client: &AuthenticatedClient, asked: Option<&str>) -> Result<ScopeSet, OAuthError> {
    let invalid = |description: &'static str| OAuthError::new(ErrorCode::InvalidScope, description);
    let asked: ScopeSet = asked
        .unwrap_or_default()
        .parse()
        .map_err(|_| invalid("A scope holds a character that none may have."))?;
    if asked.contains(Scope::OPENID) || asked.contains(Scope::OFFLINE_ACCESS) {
        return Err(invalid("openid and offline_access need a user; this grant has none."));
    }
    if !asked.is_subset(&client.scope) {
        return Err(invalid("A scope is not registered for this client."));
    }
    Ok(asked)
}
