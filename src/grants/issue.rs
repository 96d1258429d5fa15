//! Minting: the only place that makes tokens.

pub(super) mod front_channel;
pub(super) mod sealed_user;

use serde::Serialize;
use serde_json::{Map, Value};

use super::access_tokens::{OPAQUE_PREFIX, OPAQUE_PURPOSE};
use super::draft::Draft;
use super::encryption::Encryptor;
use super::settle::Settled;
use super::subject;
use crate::app::App;
use crate::crypto::handle::{self, Purpose};
use crate::crypto::jwe::Payload;
use crate::crypto::random;
use crate::keys::{KeyError, TokenType};
use crate::model::{
    Algorithm, Client, Grant, Lifetime, LogoutDelivery, ScopeSet, Timestamp, TokenFormat, TokenId,
    TokenResponseAlias,
};
use crate::protocol::OAuthError;
use crate::protocol::backchannel_logout::{self, Events, LogoutTokenClaims};
use crate::protocol::claims::{self, AccessTokenClaims, IdTokenClaims};
use crate::protocol::introspection::SignedIntrospection;
use crate::protocol::resource::Target;
use crate::protocol::token_exchange::Requested;

/// RFC 6749 5.1.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    /// RFC 8693 2.2.1
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
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
    /// Of the access token. Left out only where nothing was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The same again, for a client that reads it by this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
}

impl TokenResponse {
    /// The answer to a token exchange, which says what was issued (RFC 8693 2.2.1).
    pub(super) fn in_exchange(self, requested: Requested) -> Self {
        Self { issued_token_type: Some(requested.as_str()), ..self }
    }

    /// What every response has, in the words that this client reads.
    fn new(client: &Client, access_token: String, claims: AccessTokenClaims, now: Timestamp) -> Self {
        let policy = client.policy();
        let expires_in = claims.exp.since(now);
        Self {
            access_token,
            issued_token_type: None,
            token_type: if policy.has_alias(TokenResponseAlias::Bearer) { "bearer" } else { "Bearer" },
            expires_in,
            expire_in: policy.has_alias(TokenResponseAlias::ExpireIn).then_some(expires_in),
            refresh_token: None,
            refresh_token_expires_in: None,
            id_token: None,
            scopes: policy.has_alias(TokenResponseAlias::Scopes).then(|| claims.scope.clone()),
            scope: Some(claims.scope),
        }
    }
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        Self::server_error(error)
    }
}

impl Settled<'_> {
    /// The tokens; the refresh token is that of this generation, if the grant has any.
    pub(super) fn mint(
        self,
        app: &App,
        refresh_generation: Option<u32>,
    ) -> Result<TokenResponse, OAuthError> {
        let (draft, encryptor) = self.into_parts();
        let Draft { client, grant, target, has_scope, access, id, .. } = draft;
        let now = access.iat;
        let access_token = access_token(app, client, target, &access)?;
        let hashed = HashInputs { access_token: Some(&access_token), ..HashInputs::default() };
        let id_token =
            id.map(|claims| id_token(app, client, claims, hashed, encryptor.as_ref())).transpose()?;
        let refresh = match (grant, refresh_generation) {
            (Some(grant), Some(generation)) => Some(refresh_token(app, grant, generation)?),
            _ => None,
        };
        let ends = [grant.and_then(|grant| grant.expires_at), refresh_idle(app, client).end(now)];
        let refresh_expires_in = ends.into_iter().flatten().min().map(|end| end.since(now));
        let response = TokenResponse::new(client, access_token, access, now);
        Ok(TokenResponse {
            refresh_token_expires_in: refresh.is_some().then_some(refresh_expires_in).flatten(),
            refresh_token: refresh,
            id_token,
            scope: response.scope.filter(|_| has_scope),
            ..response
        })
    }
}

/// Seconds a code of this client lives.
pub(super) fn code_lifetime(app: &App, client: &Client) -> i64 {
    client.policy().authorization_code_lifetime.unwrap_or(app.settings.tokens.authorization_code_seconds)
}

/// Whether a user's grant to this client comes with refresh tokens.
pub(super) fn is_refreshable(client: &Client, scope: &ScopeSet) -> bool {
    client.gets_refresh_token(scope)
}

/// Seconds any access token for some of these resources lives, at most.
pub(super) fn access_lifetime(app: &App, client: &Client, resources: &[String]) -> i64 {
    // A resource that was taken away meanwhile is the token request's to refuse.
    let target = Target::narrowed(resources, &[], client, &app.registry.catalogue()).unwrap_or_default();
    target.longest_lifetime(client, app.settings.tokens.access_token_seconds)
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

fn access_token(
    app: &App,
    client: &Client,
    target: &Target,
    claims: &AccessTokenClaims,
) -> Result<String, OAuthError> {
    match target.format(client) {
        TokenFormat::Jwt => {
            let algorithm = target.algorithm(client).unwrap_or(app.settings.tokens.access_token_alg);
            Ok(app.keys.sign(TokenType::AccessToken, algorithm, claims.iat, claims)?)
        }
        TokenFormat::Opaque => Ok(sealed(app, claims)?),
    }
}

/// Claims as an opaque token, which nobody but this server can read.
fn sealed(app: &App, claims: &AccessTokenClaims) -> Result<String, KeyError> {
    let sealed = app.master_key.seal_token(OPAQUE_PURPOSE, &serde_json::to_vec(claims)?)?;
    Ok(format!("{OPAQUE_PREFIX}{sealed}"))
}

/// What an ID token has the hashes of (`at_hash`, `c_hash`, `s_hash`), so that it is bound to them.
#[derive(Default)]
struct HashInputs<'a> {
    access_token: Option<&'a str>,
    code: Option<&'a str>,
    state: Option<&'a str>,
}

/// Signed, and then encrypted where there is a key for that (OpenID Connect Core 2).
fn id_token(
    app: &App,
    client: &Client,
    mut claims: IdTokenClaims,
    hashed: HashInputs<'_>,
    encryptor: Option<&Encryptor>,
) -> Result<String, OAuthError> {
    let algorithm = id_token_algorithm(app, client);
    let hash = |text: Option<&str>| text.map(|text| claims::left_half(algorithm, text));
    claims.at_hash = hash(hashed.access_token);
    claims.c_hash = hash(hashed.code);
    claims.s_hash = hash(hashed.state);
    let token = app.keys.sign(TokenType::IdToken, algorithm, claims.iat, &claims)?;
    match encryptor {
        Some(encryptor) => encryptor.encrypt(Payload::Jwt, token.as_bytes()),
        None => Ok(token),
    }
}

/// An introspection answer for `caller`. RFC 9701 6 has the same default as OpenID Connect Registration 2 has for ID tokens:
/// RS256.
pub(super) fn introspection(
    app: &App,
    caller: &Client,
    claims: &SignedIntrospection,
) -> Result<String, OAuthError> {
    let registered = caller.identity.introspection_signed_response_alg;
    let algorithm = registered.unwrap_or(app.settings.tokens.id_token_alg);
    Ok(app.keys.sign(TokenType::TokenIntrospection, algorithm, claims.iat, claims)?)
}

/// What tells a client that a session of its has ended, signed as its ID tokens are.
pub(super) fn logout_token(
    app: &App,
    client: &Client,
    delivery: &LogoutDelivery,
    now: Timestamp,
) -> Result<String, OAuthError> {
    let subject = subject::of(app, client, &delivery.user_id);
    let claims = LogoutTokenClaims {
        iss: app.issuer(),
        sub: &subject,
        aud: &client.id,
        iat: now,
        exp: now.plus(backchannel_logout::LIFETIME),
        // Of its own each time: a client that remembers what it has seen must not refuse another attempt.
        jti: TokenId::new(random::id()),
        events: Events::default(),
        sid: &delivery.session_id,
    };
    let algorithm = id_token_algorithm(app, client);
    Ok(app.keys.sign(TokenType::LogoutToken, algorithm, now, &claims)?)
}

/// What UserInfo says, signed (OpenID Connect Core 5.3.2).
pub(super) fn userinfo(
    app: &App,
    algorithm: Algorithm,
    claims: &Map<String, Value>,
) -> Result<String, OAuthError> {
    Ok(app.keys.sign(TokenType::Userinfo, algorithm, app.now(), claims)?)
}

fn id_token_algorithm(app: &App, client: &Client) -> Algorithm {
    client.id_token_signed_response_alg.unwrap_or(app.settings.tokens.id_token_alg)
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
