//! Minting: the only place that makes tokens.

use serde::Serialize;
use serde_json::{Map, Value};

use super::access_tokens::{OPAQUE_PREFIX, OPAQUE_PURPOSE, Subject};
use crate::app::App;
use crate::crypto::handle::{self, Purpose};
use crate::crypto::random;
use crate::keys::{KeyError, TokenType};
use crate::model::{
    Client, Grant, GrantId, Lifetime, Scope, ScopeSet, SessionId, Timestamp, TokenFormat, TokenId,
    TokenResponseAlias, User,
};
use crate::protocol::OAuthError;
use crate::protocol::claims::{self, AccessTokenClaims, Actor, IdTokenClaims, SubjectKind};
use crate::protocol::claims_mapping;
use crate::protocol::resource::Target;
use crate::protocol::token_exchange::{self, Requested};

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

/// Tokens for a user's grant.
pub(super) struct ForGrant<'a> {
    pub grant: &'a Grant,
    pub user: &'a User,
    /// At most what was granted.
    pub scope: &'a ScopeSet,
    /// What the access token is for.
    pub target: &'a Target,
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
    let claims = access_claims(app, client, &issuance, now);
    let access_token = access_token(app, client, issuance.target, &claims)?;
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
        ..TokenResponse::new(client, access_token, claims, now)
    })
}

/// An access token of a client on its own behalf (RFC 6749 4.4.3): no row, no refresh token.
pub(super) fn for_client(
    app: &App,
    client: &Client,
    scope: &ScopeSet,
    target: &Target,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    lone(app, client, None, scope, target, now)
}

/// An access token for a user whom a trusted issuer vouches for (RFC 7523 2.1): no row, no refresh token. Introspection
/// knows by its `sub` that it is not the client's own.
pub(super) fn for_user_without_grant(
    app: &App,
    client: &Client,
    user: &User,
    scope: &ScopeSet,
    target: &Target,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    lone(app, client, Some(user), scope, target, now)
}

fn lone(
    app: &App,
    client: &Client,
    user: Option<&User>,
    scope: &ScopeSet,
    target: &Target,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let claims = AccessTokenClaims {
        // RFC 9068 2.2: without a resource owner, sub is the client.
        sub: user.map_or(client.id.as_str(), |user| user.id.as_str()).to_owned(),
        extra: claims_mapping::apply(&client.claims_mapping, user),
        ..bare_claims(app, client, scope, target, now)
    };
    let access_token = access_token(app, client, target, &claims)?;
    let response = TokenResponse::new(client, access_token, claims, now);
    Ok(TokenResponse { scope: response.scope.filter(|_| !scope.is_empty()), ..response })
}

/// A token in exchange for another (RFC 8693 2.2).
pub(super) struct ForExchange<'a> {
    pub subject: &'a Subject,
    pub origin: Origin,
    pub scope: &'a ScopeSet,
    pub target: &'a Target,
    pub act: Option<Actor>,
    pub may_act: Option<Value>,
    pub requested: Requested,
}

/// What a token takes over from the one that it is exchanged for.
#[derive(Default)]
pub(super) struct Origin {
    /// Whatever ends it ends the new token too.
    pub grant: Option<GrantId>,
    pub sid: Option<SessionId>,
    pub auth_time: Option<Timestamp>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
}

/// An access token for the subject of another token, which it does not outlive: no row, no refresh token.
pub(super) fn for_exchange(
    app: &App,
    client: &Client,
    exchange: ForExchange<'_>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<TokenResponse, OAuthError> {
    let ForExchange { subject, origin, scope, target, act, may_act, requested } = exchange;
    let (sub, kind, user) = match subject {
        Subject::User(user) => (user.id.as_str(), SubjectKind::User, Some(&**user)),
        Subject::Client(id) => (id.as_str(), SubjectKind::Client, None),
    };
    let bare = bare_claims(app, client, scope, target, now);
    let claims = AccessTokenClaims {
        sub: sub.to_owned(),
        exp: bare.exp.min(expires_at),
        grant: origin.grant,
        sid: origin.sid,
        auth_time: origin.auth_time,
        acr: origin.acr,
        amr: origin.amr,
        act,
        // Who alone may act for the subject stays so from one exchange to the next.
        may_act: may_act.or(bare.may_act),
        exchanged: Some(kind),
        extra: claims_mapping::apply(&client.claims_mapping, user),
        ..bare
    };
    let access_token = access_token(app, client, target, &claims)?;
    let response = TokenResponse::new(client, access_token, claims, now);
    Ok(TokenResponse {
        issued_token_type: Some(requested.as_str()),
        scope: response.scope.filter(|_| !scope.is_empty()),
        ..response
    })
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

fn bare_claims(
    app: &App,
    client: &Client,
    scope: &ScopeSet,
    target: &Target,
    now: Timestamp,
) -> AccessTokenClaims {
    AccessTokenClaims {
        iss: app.issuer().to_owned(),
        sub: String::new(),
        aud: target.audience(&client.audience, app.issuer()),
        client_id: client.id.clone(),
        iat: now,
        exp: now.plus(target.lifetime(client, app.settings.tokens.access_token_seconds)),
        jti: TokenId::new(random::id()),
        scope: target.scope(scope).to_string(),
        grant: None,
        sid: None,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        act: None,
        may_act: token_exchange::may_act(client),
        exchanged: None,
        ext: Map::new(),
        extra: Map::new(),
    }
}

fn access_claims(app: &App, client: &Client, issuance: &ForGrant<'_>, now: Timestamp) -> AccessTokenClaims {
    let authentication = &issuance.grant.authentication;
    let context = &issuance.grant.context;
    let registered = context.audience.as_ref().unwrap_or(&client.audience);
    AccessTokenClaims {
        aud: issuance.target.audience(registered, app.issuer()),
        sub: issuance.user.id.as_str().to_owned(),
        grant: Some(issuance.grant.id.clone()),
        sid: issuance.grant.session_id.clone(),
        auth_time: Some(authentication.auth_time),
        acr: Some(claims::acr(issuance.grant)),
        amr: claims::amr(&authentication.amr),
        ext: context.access_token.clone(),
        extra: claims_mapping::apply(&client.claims_mapping, Some(issuance.user)),
        ..bare_claims(app, client, issuance.scope, issuance.target, now)
    }
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
            Ok(app.keys.ring().sign(TokenType::AccessToken, algorithm, claims.iat, claims)?)
        }
        TokenFormat::Opaque => Ok(sealed(app, claims)?),
    }
}

/// Claims as an opaque token, which nobody but this server can read.
fn sealed(app: &App, claims: &AccessTokenClaims) -> Result<String, KeyError> {
    let sealed = app.master_key.seal_token(OPAQUE_PURPOSE, &serde_json::to_vec(claims)?)?;
    Ok(format!("{OPAQUE_PREFIX}{sealed}"))
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
    let mut extra = claims_mapping::apply(&client.id_token_claims_mapping, Some(issuance.user));
    // What an external page says of this sign-in counts more than what is said of every one.
    extra.extend(issuance.grant.context.id_token.clone());
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
        extra,
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
