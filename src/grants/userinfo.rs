//! UserInfo (OpenID Connect Core 5.3): the claims of the token's user as of now.

use serde_json::{Map, Value};

use super::access_tokens;
use crate::app::App;
use crate::model::Scope;
use crate::protocol::{ErrorCode, OAuthError, claims, resource};

/// The claims that an access token gives access to.
pub async fn userinfo(app: &App, token: &str) -> Result<Map<String, Value>, OAuthError> {
    let invalid = || {
        let description = "The access token is unknown, expired or revoked.";
        OAuthError::new(ErrorCode::InvalidToken, description)
    };
    let claims = access_tokens::verify(app, token, app.now()).ok_or_else(invalid)?;
    // RFC 9068 4: a token whose aud does not name this resource MUST be rejected.
    if resource::is_for_others_only(&claims.aud, app.issuer(), &app.registry.catalogue()) {
        let description = "The access token is for another resource; ask for one without resource.";
        return Err(OAuthError::new(ErrorCode::InvalidToken, description));
    }
    // OpenID Connect Core 5.3.1: the token has to come from OpenID authentication.
    let Some(grant) = claims.grant.as_ref().filter(|_| claims.has_scope(Scope::OPENID)) else {
        let description = "The access token was issued without the scope openid.";
        return Err(OAuthError::new(ErrorCode::InsufficientScope, description));
    };
    let (user, context) = app.storage.token_user(grant, &claims.jti).await?.ok_or_else(invalid)?;
    let mut about = context.id_token;
    about.extend(claims::of_user(&user, claims.scope.split(' ')));
    Ok(about)
}
