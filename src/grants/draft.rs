//! What the tokens of one request will say, known before anything is consumed for them.

use serde_json::{Map, Value};

use super::access_tokens::Subject;
use super::subject;
use crate::app::App;
use crate::crypto::random;
use crate::model::{Client, Grant, GrantId, GrantType, Scope, ScopeSet, SessionId, Timestamp, TokenId, User};
use crate::protocol::claims::{self, AccessTokenClaims, Actor, IdTokenClaims, SubjectKind};
use crate::protocol::resource::Target;
use crate::protocol::{claims_mapping, claims_request, left, token_exchange};

/// Claims that nobody has signed yet. [`Draft::settle`](super::settle) makes of it what can be minted.
pub(super) struct Draft<'a> {
    pub grant_type: GrantType,
    pub client: &'a Client,
    pub user: Option<&'a User>,
    pub grant: Option<&'a Grant>,
    pub target: &'a Target,
    /// Whether the client asked for a scope or was granted one.
    pub has_scope: bool,
    pub access: AccessTokenClaims,
    pub id: Option<IdTokenClaims>,
}

/// Tokens for a user's grant.
pub(super) struct ForGrant<'a> {
    pub grant_type: GrantType,
    pub grant: &'a Grant,
    pub user: &'a User,
    /// At most what was granted.
    pub scope: &'a ScopeSet,
    /// What the access token is for.
    pub target: &'a Target,
    pub nonce: Option<String>,
}

/// Tokens without a grant: no row, no refresh token, no ID token.
pub(super) struct WithoutGrant<'a> {
    pub grant_type: GrantType,
    /// None: the client acts for itself (RFC 6749 4.4). Introspection tells the two apart by their `sub`.
    pub user: Option<&'a User>,
    pub scope: &'a ScopeSet,
    pub target: &'a Target,
}

/// A token in exchange for another (RFC 8693 2.2): no row, no refresh token, no ID token.
pub(super) struct ForExchange<'a> {
    pub subject: &'a Subject,
    pub origin: Origin,
    pub scope: &'a ScopeSet,
    pub target: &'a Target,
    pub act: Option<Actor>,
    pub may_act: Option<Value>,
}

/// What a token takes over from the one that it is exchanged for.
pub(super) struct Origin {
    /// It does not live longer.
    pub expires_at: Timestamp,
    /// Whatever ends it ends the new token too.
    pub grant: Option<GrantId>,
    pub sid: Option<SessionId>,
    pub auth_time: Option<Timestamp>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
}

impl<'a> Draft<'a> {
    /// Access and ID token of a grant.
    pub(super) fn for_grant(app: &App, client: &'a Client, asked: ForGrant<'a>, now: Timestamp) -> Self {
        let has_id_token = asked.scope.contains(Scope::OPENID);
        Self {
            grant_type: asked.grant_type,
            client,
            user: Some(asked.user),
            grant: Some(asked.grant),
            target: asked.target,
            has_scope: true,
            access: access_claims(app, client, &asked, now),
            id: has_id_token.then(|| id_claims(app, client, asked, now)),
        }
    }

    /// An access token that stands for itself.
    pub(super) fn without_grant(
        app: &App,
        client: &'a Client,
        asked: WithoutGrant<'a>,
        now: Timestamp,
    ) -> Self {
        let WithoutGrant { grant_type, user, scope, target } = asked;
        let access = AccessTokenClaims {
            // RFC 9068 2.2: without a resource owner, sub is the client.
            sub: user.map_or_else(|| client.id.to_string(), |user| subject::of(app, client, &user.id)),
            sealed_user: user.and_then(|user| subject::sealed(app, client, &user.id)),
            extra: claims_mapping::apply(&client.claims_mapping, user),
            ..bare_claims(app, client, scope, target, now)
        };
        let has_scope = !scope.is_empty();
        Self { grant_type, client, user, grant: None, target, has_scope, access, id: None }
    }

    /// An access token for the subject of another token.
    pub(super) fn for_exchange(
        app: &App,
        client: &'a Client,
        asked: ForExchange<'a>,
        now: Timestamp,
    ) -> Self {
        let ForExchange { subject: whose, origin, scope, target, act, may_act } = asked;
        let (sub, kind, user) = match whose {
            Subject::User(user) => (subject::of(app, client, &user.id), SubjectKind::User, Some(&**user)),
            Subject::Client(id) => (id.to_string(), SubjectKind::Client, None),
        };
        let without_grant = user.filter(|_| origin.grant.is_none());
        let bare = bare_claims(app, client, scope, target, now);
        let access = AccessTokenClaims {
            sub,
            sealed_user: without_grant.and_then(|user| subject::sealed(app, client, &user.id)),
            exp: bare.exp.min(origin.expires_at),
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
        let (grant_type, has_scope) = (GrantType::TokenExchange, !scope.is_empty());
        Self { grant_type, client, user, grant: None, target, has_scope, access, id: None }
    }
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
        sealed_user: None,
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

fn access_claims(app: &App, client: &Client, asked: &ForGrant<'_>, now: Timestamp) -> AccessTokenClaims {
    let authentication = &asked.grant.authentication;
    let context = &asked.grant.context;
    let granted = left::granted_audience(asked.grant, client);
    let default = granted.as_ref().or(context.audience.as_ref()).unwrap_or(&client.audience);
    AccessTokenClaims {
        aud: asked.target.audience(default, app.issuer()),
        sub: subject::of(app, client, &asked.user.id),
        grant: Some(asked.grant.id.clone()),
        sid: asked.grant.session_id.clone(),
        auth_time: Some(authentication.auth_time),
        acr: Some(claims::acr(asked.grant)),
        amr: claims::amr(&authentication.amr),
        ext: context.access_token.clone(),
        extra: claims_mapping::apply(&client.claims_mapping, Some(asked.user)),
        ..bare_claims(app, client, asked.scope, asked.target, now)
    }
}

fn id_claims(app: &App, client: &Client, asked: ForGrant<'_>, now: Timestamp) -> IdTokenClaims {
    let authentication = &asked.grant.authentication;
    let mut extra = claims_mapping::apply(&client.id_token_claims_mapping, Some(asked.user));
    let single = left::claims(&asked.grant.context.claims.id_token, client, &app.registry.catalogue());
    extra.extend(claims_request::answer(&single, asked.user));
    // What an external page says of this sign-in counts more than what is said of every one.
    extra.extend(asked.grant.context.id_token.clone());
    IdTokenClaims {
        iss: app.issuer().to_owned(),
        sub: subject::of(app, client, &asked.user.id),
        aud: client.id.clone(),
        iat: now,
        exp: now.plus(app.settings.tokens.id_token_seconds),
        auth_time: authentication.auth_time,
        nonce: asked.nonce,
        acr: claims::acr(asked.grant),
        amr: claims::amr(&authentication.amr),
        at_hash: None,
        c_hash: None,
        s_hash: None,
        sid: asked.grant.session_id.clone(),
        extra,
    }
}
