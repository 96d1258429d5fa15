//! Minting: the only place that makes tokens.

use serde::Serialize;

use crate::app::App;
use crate::crypto::handle::{self, Purpose};
use crate::crypto::random;
use crate::keys::{KeyError, TokenType};
use crate::model::{
    Client, Grant, Lifetime, Scope, ScopeSet, Timestamp, TokenId, TokenResponseAlias, User, UserId,
};
use crate::protocol::OAuthError;
use crate::protocol::claims::{self, AccessTokenClaims, Audience, IdTokenClaims};

/// RFC 6749 5.1.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    /// The same again, for a client that reads it by this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Seconds; none: it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// The same again, for a client that reads it by this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
}

impl TokenResponse {
    /// What every response has, in the words that this client reads.
    fn new(app: &App, client: &Client, access_token: String, scope: &ScopeSet) -> Self {
        let (policy, scope) = (client.policy(), scope.to_string());
        let expires_in = access_lifetime(app, client);
        Self {
            access_token,
            token_type: if policy.has_alias(TokenResponseAlias::Bearer) { "bearer" } else { "Bearer" },
            expires_in,
            expire_in: policy.has_alias(TokenResponseAlias::ExpireIn).then_some(expires_in),
            refresh_token: None,
            refresh_token_expires_in: None,
            id_token: None,
            scopes: policy.has_alias(TokenResponseAlias::Scopes).then(|| scope.clone()),
            scope,
        }
    }
}

/// Tokens for a user's grant.
pub(super) struct ForGrant<'a> {
    pub grant: &'a Grant,
    pub user: &'a User,
    /// At most what was granted.
    pub scope: &'a ScopeSet,
    pub nonce: Option<String>,
    /// The refresh token to give out, if the grant has any.
    pub refresh_generation: Option<u32>,
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        Self::server_error(error)
    }
}

/// Access, refresh and ID token of a grant.
pub(super) fn for_grant(
    app: &App,
    client: &Client,
    issuance: ForGrant<'_>,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let access_token = access_token(app, client, access_claims(app, client, &issuance, now))?;
    let id_token = match issuance.scope.contains(Scope::OPENID) {
        true => Some(id_token(app, client, &issuance, &access_token, now)?),
        false => None,
    };
    let refresh =
        issuance.refresh_generation.map(|generation| refresh_token(app, issuance.grant, generation));
    let refresh_ends = [issuance.grant.expires_at, refresh_idle(app, client).end(now)];
    let refresh_expires_in = refresh_ends.into_iter().flatten().min().map(|end| end.since(now));
    Ok(TokenResponse {
        refresh_token_expires_in: refresh.is_some().then_some(refresh_expires_in).flatten(),
        refresh_token: refresh.transpose()?,
        id_token,
        ..TokenResponse::new(app, client, access_token, issuance.scope)
    })
}

/// An access token of a client on its own behalf (RFC 6749 4.4.3): no row, no refresh token.
pub(super) fn for_client(
    app: &App,
    client: &Client,
    scope: &ScopeSet,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    // RFC 9068 2.2: without a resource owner, sub is the client.
    lone(app, client, client.id.as_str(), scope, now)
}

/// An access token for a user whom a trusted issuer vouches for (RFC 7523 2.1): no row, no refresh token. Introspection
/// knows by its `sub` that it is not the client's own.
pub(super) fn for_user_without_grant(
    app: &App,
    client: &Client,
    user: &UserId,
    scope: &ScopeSet,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    lone(app, client, user.as_str(), scope, now)
}

fn lone(
    app: &App,
    client: &Client,
    subject: &str,
    scope: &ScopeSet,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let claims = AccessTokenClaims { sub: subject.to_owned(), ..bare_claims(app, client, scope, now) };
    Ok(TokenResponse::new(app, client, access_token(app, client, claims)?, scope))
}

/// Seconds a code of this client lives.
pub(super) fn code_lifetime(app: &App, client: &Client) -> i64 {
    client.policy().authorization_code_lifetime.unwrap_or(app.settings.tokens.authorization_code_seconds)
}

/// Whether a user's grant to this client comes with refresh tokens.
pub(super) fn is_refreshable(client: &Client, scope: &ScopeSet) -> bool {
    client.gets_refresh_token(scope)
}

/// Seconds an access token of this client lives.
pub(super) fn access_lifetime(app: &App, client: &Client) -> i64 {
    client.policy().access_token_lifetime.unwrap_or(app.settings.tokens.access_token_seconds)
}

/// How long an unused refresh token of this client lives.
pub(super) fn refresh_idle(app: &App, client: &Client) -> Lifetime {
    client
        .policy()
        .refresh_token_idle_lifetime
        .unwrap_or(lifetime(app.settings.tokens.refresh_token_idle_seconds))
}

/// How long the refresh tokens of one grant live together.
pub(super) fn refresh_absolute(app: &App, client: &Client) -> Lifetime {
    client.policy().refresh_token_lifetime.unwrap_or(lifetime(app.settings.tokens.refresh_token_seconds))
}

fn lifetime(seconds: Option<i64>) -> Lifetime {
    seconds.map_or(Lifetime::Unlimited, Lifetime::Seconds)
}

fn bare_claims(app: &App, client: &Client, scope: &ScopeSet, now: Timestamp) -> AccessTokenClaims {
    AccessTokenClaims {
        iss: app.issuer().to_owned(),
        sub: String::new(),
        aud: Audience::of(&client.audience, app.issuer()),
        client_id: client.id.clone(),
        iat: now,
        exp: now.plus(access_lifetime(app, client)),
        jti: TokenId::new(random::id()),
        scope: scope.to_string(),
        grant: None,
        sid: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        ext: serde_json::Map::new(),
    }
}

fn access_claims(app: &App, client: &Client, issuance: &ForGrant<'_>, now: Timestamp) -> AccessTokenClaims {
    let authentication = &issuance.grant.authentication;
    let context = &issuance.grant.context;
    let registered = context.audience.as_ref().unwrap_or(&client.audience);
    AccessTokenClaims {
        aud: Audience::of(registered, app.issuer()),
        sub: issuance.user.id.as_str().to_owned(),
        grant: Some(issuance.grant.id.clone()),
        sid: issuance.grant.session_id.clone(),
        auth_time: Some(authentication.auth_time),
        acr: Some(claims::acr(issuance.grant)),
        amr: claims::amr(&authentication.amr),
        ext: context.access_token.clone(),
        ..bare_claims(app, client, issuance.scope, now)
    }
}

fn access_token(app: &App, client: &Client, claims: AccessTokenClaims) -> Result<String, OAuthError> {
    let algorithm = client.access_token_signed_response_alg.unwrap_or(app.settings.tokens.access_token_alg);
    Ok(app.keys.ring().sign(TokenType::AccessToken, algorithm, claims.iat, &claims)?)
}

fn id_token(
    app: &App,
    client: &Client,
    issuance: &ForGrant<'_>,
    access_token: &str,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let algorithm = client.id_token_signed_response_alg.unwrap_or(app.settings.tokens.id_token_alg);
    let authentication = &issuance.grant.authentication;
    let claims = IdTokenClaims {
        iss: app.issuer().to_owned(),
        sub: issuance.user.id.as_str().to_owned(),
        aud: client.id.clone(),
        iat: now,
        exp: now.plus(app.settings.tokens.id_token_seconds),
        auth_time: authentication.auth_time,
        nonce: issuance.nonce.clone(),
        acr: claims::acr(issuance.grant),
        amr: claims::amr(&authentication.amr),
        at_hash: claims::at_hash(algorithm, access_token),
        sid: issuance.grant.session_id.clone(),
        extra: issuance.grant.context.id_token.clone(),
    };
    Ok(app.keys.ring().sign(TokenType::IdToken, algorithm, now, &claims)?)
}

fn refresh_token(app: &App, grant: &Grant, generation: u32) -> Result<String, OAuthError> {
    handle_of(app, Purpose::RefreshToken, grant, generation)
}

/// The code of a grant: always the same, so a request that is answered twice gets one code.
pub(super) fn code(app: &App, grant: &Grant) -> Result<String, OAuthError> {
    handle_of(app, Purpose::AuthorizationCode, grant, 0)
}

fn handle_of(app: &App, purpose: Purpose, grant: &Grant, generation: u32) -> Result<String, OAuthError> {
    handle::issue(&app.master_key, purpose, grant.id.as_str(), generation, &grant.salt)
        .map(|secret| secret.expose().to_owned())
        .ok_or_else(|| OAuthError::server_error("the grant's id is malformed"))
}
