//! The order of reads and writes around the rules: one file a grant type, and what is done with its tokens.
//! `issue.rs` is the only place that mints tokens.

pub(crate) mod access_tokens;
pub(crate) mod approval;
mod authorization_code;
pub(crate) mod authorization_request;
pub(crate) mod authorization_response;
pub(crate) mod client_authentication;
mod client_credentials;
pub(crate) mod device_authorization;
mod device_code;
mod draft;
pub(crate) mod encryption;
mod granted;
pub(crate) mod handover;
pub(crate) mod introspection;
mod issue;
mod jwt_bearer;
pub mod logout_delivery;
mod password;
pub(crate) mod password_check;
pub(crate) mod password_renewal;
pub(crate) mod pushed_request;
mod refresh_token;
pub(crate) mod registration;
pub(crate) mod remembered;
pub(crate) mod revocation;
mod settle;
pub(crate) mod subject;
mod token_exchange;
mod token_request;
pub(crate) mod unused;
pub(crate) mod userinfo;

pub use issue::TokenResponse;
pub(crate) use token_request::TokenRequest;

use crate::app::App;
use crate::model::GrantType;
use crate::observe::Outcome;
use crate::protocol::{ErrorCode, OAuthError, Parameters};
use crate::server::load::Crowded;
use crate::storage::StorageError;

impl From<StorageError> for OAuthError {
    fn from(error: StorageError) -> Self {
        if error.is_unavailable() {
            Self::unavailable(error)
        } else if error.is_orphan() {
            Self::invalid_request("The client or the user was deleted meanwhile.")
        } else {
            Self::server_error(error)
        }
    }
}

impl From<Crowded> for OAuthError {
    fn from(_: Crowded) -> Self {
        let description = "Too many requests wait for the servers of others. Try again in a moment.";
        Self::new(ErrorCode::TemporarilyUnavailable, description)
    }
}

/// The tokens that are asked for, or why there are none.
pub(crate) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let grant_type = grant_type(app, request.parameters)?;
    let result = exchange_by(app, grant_type, request).await;
    let outcome = result.as_ref().map_or_else(|error| Outcome::Refused(error.code), |_| Outcome::Success);
    app.events.grants.one((grant_type, outcome));
    result
}

async fn exchange_by(
    app: &App,
    grant_type: GrantType,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    request.client.may_use(grant_type)?;
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::exchange(app, request).await,
        GrantType::RefreshToken => refresh_token::exchange(app, request).await,
        GrantType::ClientCredentials => client_credentials::exchange(app, request).await,
        GrantType::Password => password::exchange(app, request).await,
        GrantType::DeviceCode => device_code::exchange(app, request).await,
        GrantType::JwtBearer => jwt_bearer::exchange(app, request).await,
        GrantType::TokenExchange => token_exchange::exchange(app, request).await,
        GrantType::Implicit => Err(unsupported()),
    }
}

fn grant_type(app: &App, parameters: &Parameters<'_>) -> Result<GrantType, OAuthError> {
    match GrantType::named(parameters.require("grant_type")?) {
        // RFC 6749 4.2: the implicit grant is not at the token endpoint.
        None | Some(GrantType::Implicit) => Err(unsupported()),
        // RFC 9700 2.4: MUST NOT be used. It is here for clients that know nothing else, and off twice.
        Some(GrantType::Password) if !app.settings.grants.password => Err(unsupported()),
        Some(grant_type) => Ok(grant_type),
    }
}

fn unsupported() -> OAuthError {
    let description = "The server does not speak this grant type.";
    OAuthError::new(ErrorCode::UnsupportedGrantType, description)
}
