//! UserInfo (OpenID Connect Core 5.3): the claims of the token's user as of now.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::encryption::Encryptor;
use super::{access_tokens, issue, subject};
use crate::app::App;
use crate::crypto::hs256;
use crate::crypto::jwe::Payload;
use crate::model::{Client, Scope, StatusProfile, User, UserinfoProfile};
use crate::protocol::claims::AccessTokenClaims;
use crate::protocol::{ErrorCode, OAuthError, claims, claims_request, left, legacy_userinfo, resource};
use crate::registry::clients::{self, Registered};

/// What the client of the token reads.
pub(crate) enum Answer {
    Json(Map<String, Value>),
    /// Signed, encrypted, or both.
    Jwt(String),
    /// The same media type, for GET only.
    LegacyJwt(String),
}

/// A refusal, and in which status codes the client of the token expects it, if it is known.
pub(crate) struct Refusal {
    pub error: OAuthError,
    pub status: StatusProfile,
}

/// The claims that an access token gives access to.
pub(crate) async fn userinfo(app: &App, token: &str) -> Result<Answer, Refusal> {
    let unknown = |error| Refusal { error, status: StatusProfile::Standard };
    // An expired token still says whose it is.
    let claims = access_tokens::signed(app, token).ok_or_else(|| unknown(invalid()))?;
    let registered = app.clients.find(&claims.client_id).await.map_err(|error| unknown(error.into()))?;
    let registered = registered.ok_or_else(|| unknown(invalid()))?;
    let of_client = |error| Refusal { error, status: registered.client.policy().status };
    answer(app, token, &claims, &registered).await.map_err(of_client)
}

fn invalid() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "The access token is unknown, expired or revoked.")
}

async fn answer(
    app: &App,
    token: &str,
    claims: &Arc<AccessTokenClaims>,
    registered: &Registered,
) -> Result<Answer, OAuthError> {
    if !access_tokens::is_current(app, claims, app.now()) {
        return Err(invalid());
    }
    let claims = &access_tokens::left(app, claims, &registered.client).await?.ok_or_else(invalid)?;
    // RFC 9068 4: a token whose aud does not name this resource MUST be rejected.
    if resource::is_for_others_only(&claims.aud, app.issuer(), &app.registry.catalogue()) {
        let description = "The access token is for another resource; ask for one without resource.";
        return Err(OAuthError::new(ErrorCode::InvalidToken, description));
    }
    let legacy = registered.client.policy().userinfo == UserinfoProfile::LegacyHs256;
    // OpenID Connect Core 5.3.1: the token has to come from OpenID authentication.
    let Some(grant) = claims.grant.as_ref().filter(|_| legacy || claims.has_scope(Scope::OPENID)) else {
        let description = "The access token was issued without the scope openid.";
        return Err(OAuthError::new(ErrorCode::InsufficientScope, description));
    };
    let (user, context) = app.storage.token_user(grant, &claims.jti).await?.ok_or_else(invalid)?;
    if legacy {
        return legacy_jwt(app, token, claims, registered, &user).map(Answer::LegacyJwt);
    }
    let subject = subject::of(app, &registered.client, &user.id);
    let mut about = context.id_token;
    let single = left::claims(&context.claims.userinfo, &registered.client, &app.registry.catalogue());
    about.extend(claims_request::answer(&single, &user));
    let locales = context.claims_locales.as_deref();
    about.append(&mut claims::of_user(subject, &user, claims.scope.split(' '), locales));
    as_registered(app, &registered.client, about).await
}

/// Plain, signed, encrypted, or signed and then encrypted (OpenID Connect Core 5.3.2).
async fn as_registered(
    app: &App,
    client: &Client,
    mut about: Map<String, Value>,
) -> Result<Answer, OAuthError> {
    let identity = &client.identity;
    let encryptor = match identity.userinfo_encryption() {
        Some(encryption) => Some(Encryptor::find(app, client, encryption, "UserInfo").await?),
        None => None,
    };
    let signed = match identity.userinfo_signed_response_alg {
        Some(algorithm) => {
            about.insert("iss".into(), app.issuer().into());
            about.insert("aud".into(), client.id.as_str().into());
            Some(issue::userinfo(app, algorithm, &about)?)
        }
        None => None,
    };
    match (signed, encryptor) {
        (None, None) => Ok(Answer::Json(about)),
        (Some(token), None) => Ok(Answer::Jwt(token)),
        (Some(token), Some(encryptor)) => encryptor.encrypt(Payload::Jwt, token.as_bytes()).map(Answer::Jwt),
        (None, Some(encryptor)) => {
            let claims = serde_json::to_vec(&about).map_err(OAuthError::server_error)?;
            encryptor.encrypt(Payload::Claims, &claims).map(Answer::Jwt)
        }
    }
}

fn legacy_jwt(
    app: &App,
    token: &str,
    claims: &AccessTokenClaims,
    registered: &Registered,
    user: &User,
) -> Result<String, OAuthError> {
    let Registered { client, secrets, .. } = registered;
    let sealed = secrets.sealed.as_ref().ok_or_else(|| not_sealed(client))?;
    let secret =
        clients::open_secret(&app.master_key, &client.id, sealed).map_err(OAuthError::server_error)?;
    let name = &app.settings.branding.name;
    let members = legacy_userinfo::claims(user, claims, token, name, app.now());
    hs256::sign(legacy_userinfo::TYPE, &members, &secret).map_err(OAuthError::server_error)
}

fn not_sealed(client: &Client) -> OAuthError {
    let id = &client.id;
    OAuthError::server_error(format!(
        "the secret of {id} is known by its digest only; `chancery client rotate-secret {id}` makes one to sign with"
    ))
}
