//! `grant_type=client_credentials` (RFC 6749 4.4): no statement at all once the client is cached.

use super::draft::{Draft, WithoutGrant};
use super::issue::TokenResponse;
use super::token_request::TokenRequest;
use crate::app::App;
use crate::model::{GrantType, Scope};
use crate::protocol::resource::{self, Target};
use crate::protocol::{ErrorCode, OAuthError, scope};

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    // RFC 6749 4.4: MUST only be used by confidential clients.
    client.must_be_confidential()?;
    let catalogue = app.registry.catalogue();
    let scope = scope::asked(parameters.get("scope").unwrap_or_default(), client, &catalogue)?;
    if scope.contains(Scope::OPENID) || scope.contains(Scope::OFFLINE_ACCESS) {
        let description = "openid and offline_access need a user; this grant has none.";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    let target = Target::new(&resource::asked(parameters)?, client, &catalogue)?.must_agree(client)?;
    target.must_admit(&scope)?;
    let asked =
        WithoutGrant { grant_type: GrantType::ClientCredentials, user: None, scope: &scope, target: &target };
    Draft::without_grant(app, client, asked, now).settle(app).await?.mint(app, None)
}
