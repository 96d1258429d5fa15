//! What the authorization endpoint itself gives out (RFC 6749 4.2.2, OpenID Connect Core 3.2.2.5, 3.3.2.5). Never a refresh
//! token.

use super::{Beside, ForGrant};
use crate::app::App;
use crate::keys::TokenType;
use crate::model::{Client, Grant, ResponseType, Timestamp, User};
use crate::protocol::OAuthError;
use crate::protocol::resource::Target;
use crate::protocol::response::{FrontChannelToken, ResponseClaims, Success};

/// Seconds an access token lives at most that went through a browser.
const LONGEST: i64 = 600;

/// An approved request.
pub struct Approved<'a> {
    pub grant: &'a Grant,
    pub user: &'a User,
    pub response_type: ResponseType,
    pub state: Option<&'a str>,
    pub nonce: Option<&'a str>,
}

/// Everything that the response type asks for.
pub fn success(
    app: &App,
    client: &Client,
    approved: &Approved<'_>,
    now: Timestamp,
) -> Result<Success, OAuthError> {
    let Approved { grant, user, response_type, .. } = *approved;
    let code = response_type.has_code().then(|| super::code(app, grant)).transpose()?;
    if response_type == ResponseType::Code {
        return Ok(Success { code, ..Success::default() });
    }
    let target = Target::narrowed(&grant.resources, &[], client, &app.registry.catalogue())?;
    let issuance = ForGrant {
        grant,
        user,
        scope: &grant.scope,
        target: &target,
        nonce: approved.nonce.map(str::to_owned),
        refresh_generation: None,
    };
    let access_token = match response_type.has_token() {
        true => Some(access_token(app, client, &issuance, now)?),
        false => None,
    };
    let beside = Beside {
        access_token: access_token.as_ref().map(|access| access.token.as_str()),
        code: code.as_deref(),
        state: approved.state,
        // OpenID Connect Core 5.4: the claims are in the ID token where no access token is ever issued.
        tells_scopes: response_type == ResponseType::IdToken,
    };
    let id_token = match response_type.has_id_token() {
        true => Some(super::id_token(app, client, &issuance, beside, now)?),
        false => None,
    };
    Ok(Success { code, access_token, id_token })
}

fn access_token(
    app: &App,
    client: &Client,
    issuance: &ForGrant<'_>,
    now: Timestamp,
) -> Result<FrontChannelToken, OAuthError> {
    let mut claims = super::access_claims(app, client, issuance, now);
    claims.exp = claims.exp.min(now.plus(LONGEST));
    let token = super::access_token(app, client, issuance.target, &claims)?;
    Ok(FrontChannelToken { token, expires_in: claims.exp.since(now), scope: claims.scope })
}

/// Seconds anything that is given out without a code lives, at most.
pub fn lifetime(app: &App, response_type: ResponseType) -> i64 {
    if response_type.has_token() { LONGEST } else { app.settings.tokens.id_token_seconds }
}

/// An authorization response as one JWT (JARM 2.1).
pub fn signed_response(
    app: &App,
    client: &Client,
    claims: &ResponseClaims<'_>,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let registered = client.requests.authorization_signed_response_alg;
    let algorithm = registered.unwrap_or(app.settings.tokens.id_token_alg);
    Ok(app.keys.ring().sign(TokenType::AuthorizationResponse, algorithm, now, claims)?)
}
