//! `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): a token of one client for another client, to
//! speak for its subject, or to act for them by name. One read tells whether the subject token is good, one whether the
//! actor token is. What is issued has no row; it carries the grant of the subject token, and ends with it.

use std::sync::Arc;

use serde_json::Value;

use super::access_tokens::{self, OPAQUE_PREFIX, Subject};
use super::draft::{Draft, ForExchange, Origin};
use super::issue::TokenResponse;
use super::jwt_bearer;
use super::token_request::TokenRequest;
use crate::app::App;
use crate::audit::{self, Event};
use crate::keys::TokenType;
use crate::model::{Client, Grant, GrantType, ScopeSet, Timestamp, User, UserId};
use crate::protocol::assertion::Assertion;
use crate::protocol::claims::{self, AccessTokenClaims, Actor, Audience, IdTokenClaims};
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::resource::{self, Target};
use crate::protocol::token_exchange::{self as rules, Presented, Request, TokenKind};
use crate::protocol::{ErrorCode, OAuthError, left};
use crate::storage::{SignIn, StorageError, TokenState};

const SUBJECT: &str = "subject_token";
const ACTOR: &str = "actor_token";

pub(super) async fn exchange(app: &App, request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { client, parameters, now, .. } = *request;
    // RFC 8693 5: whoever holds a stray token must not make others of it.
    client.must_be_confidential()?;
    let wanted = Request::read(parameters)?;
    wanted.must_be_allowed(client)?;
    let proven = subject(app, request, wanted.subject).await?;
    let actor = match wanted.actor {
        Some(token) => Some(actor(app, request, token).await?),
        None => None,
    };
    let acting = actor.as_deref().unwrap_or(client.id.as_str());
    rules::must_be_named(proven.may_act.as_ref(), acting, app.issuer())?;
    let act = rules::act(proven.act.clone(), actor.clone())?;
    let target = target(app, request, proven.own.as_deref())?;
    wanted.requested.must_be_possible(target.format(client))?;
    let (asked, catalogue) = (parameters.get("scope"), app.registry.catalogue());
    let scope = rules::scope(proven.scope.as_ref(), asked, client, &catalogue)?;
    if asked.is_some() {
        target.must_admit(&scope)?;
    }
    let asked = ForExchange {
        subject: &proven.subject,
        origin: proven.origin,
        scope: &scope,
        target: &target,
        act,
        may_act: proven.may_act,
    };
    let token = Draft::for_exchange(app, client, asked, now).settle(app).await?;
    // Last: an assertion that is refused for another reason is not spent.
    if let Some(assertion) = &proven.assertion {
        jwt_bearer::spend(app, client, assertion).await.map_err(as_invalid_request)?;
    }
    tracing::info!(client = %client.id, subject = proven.subject.sub(), actor, "token exchanged");
    let issued = Event::TokenIssued {
        client: &client.id,
        subject: proven.subject.sub(),
        grant_type: GrantType::TokenExchange,
        scope: &scope,
        acting: actor.as_deref(),
    };
    app.note(&audit::Actor::Client, issued);
    Ok(token.mint(app, None)?.in_exchange(wanted.requested))
}

/// A subject token that is good, and everything that bounds what it can be exchanged for.
struct SubjectToken {
    subject: Subject,
    origin: Origin,
    /// None: an assertion has no scope.
    scope: Option<ScopeSet>,
    act: Option<Actor>,
    may_act: Option<Value>,
    /// Of a token of the client's own what it is for; the new one is for no more than that.
    own: Option<Vec<String>>,
    /// To be spent.
    assertion: Option<Assertion>,
}

async fn subject(
    app: &App,
    request: &TokenRequest<'_>,
    presented: Presented<'_>,
) -> Result<SubjectToken, OAuthError> {
    let TokenRequest { client, now, .. } = *request;
    let invalid = || rules::invalid_token(SUBJECT);
    match presented.kind {
        TokenKind::IdToken => {
            let (token, grant, user) =
                signed_in(app, client, presented.token, now).await?.ok_or_else(invalid)?;
            Ok(of_id_token(app, client, &token, grant, user))
        }
        TokenKind::AccessToken | TokenKind::Jwt => match access_token(app, client, presented, now).await? {
            Some(claims) if rules::may_take(client, &claims) => {
                let subject = access_tokens::subject(app, &claims).await?.ok_or_else(invalid)?;
                of_access_token(app, client, &claims, subject)
            }
            // Whom the operator lets exchange assertions by themselves.
            None if presented.kind == TokenKind::Jwt && client.may_use(GrantType::JwtBearer).is_ok() => {
                of_assertion(app, client, presented.token, now).await
            }
            Some(_) | None => Err(invalid()),
        },
    }
}

/// The `sub` of who acts. Only a token of the client's own says so: the client itself, or somebody who signed in at it.
async fn actor(
    app: &App,
    request: &TokenRequest<'_>,
    presented: Presented<'_>,
) -> Result<String, OAuthError> {
    let TokenRequest { client, now, .. } = *request;
    let invalid = || rules::invalid_token(ACTOR);
    if presented.kind == TokenKind::IdToken {
        let (token, ..) = signed_in(app, client, presented.token, now).await?.ok_or_else(invalid)?;
        return Ok(token.sub);
    }
    let claims =
        access_token(app, client, presented, now).await?.filter(|claims| rules::is_own(client, claims));
    let claims = claims.ok_or_else(invalid)?;
    rules::must_act_alone(&claims)?;
    match access_tokens::state(app, &claims).await? {
        TokenState::Good => Ok(claims.sub.clone()),
        TokenState::Revoked => Err(invalid()),
    }
}

/// What is left of the claims of an access token of ours that is of its type.
async fn access_token(
    app: &App,
    client: &Client,
    presented: Presented<'_>,
    now: Timestamp,
) -> Result<Option<Arc<AccessTokenClaims>>, StorageError> {
    let is_jwt = !presented.token.starts_with(OPAQUE_PREFIX);
    let of_type = presented.kind == TokenKind::AccessToken || is_jwt;
    match of_type.then(|| access_tokens::verify(app, presented.token, now)).flatten() {
        Some(claims) => access_tokens::left(app, &claims, client).await,
        None => Ok(None),
    }
}

/// An ID token of ours for this client, and the grant it stands for, if that lives and so does the session.
async fn signed_in(
    app: &App,
    client: &AuthenticatedClient,
    token: &str,
    now: Timestamp,
) -> Result<Option<(IdTokenClaims, Grant, User)>, OAuthError> {
    let claims = app.keys.ring().verify::<IdTokenClaims>(TokenType::IdToken, token);
    let is_good =
        |claims: &IdTokenClaims| claims.exp > now && claims.iss == app.issuer() && claims.aud == client.id;
    let Some(claims) = claims.filter(is_good) else { return Ok(None) };
    let sign_in = SignIn {
        user: &UserId::new(&*claims.sub),
        client: &client.id,
        session: claims.sid.as_ref(),
        auth_time: claims.auth_time,
        issued_at: claims.iat,
    };
    let found = app.storage.grant_of_id_token(sign_in, now).await?;
    Ok(found.map(|(grant, user)| (claims, grant, user)))
}

fn of_access_token(
    app: &App,
    client: &AuthenticatedClient,
    claims: &AccessTokenClaims,
    subject: Subject,
) -> Result<SubjectToken, OAuthError> {
    let own = rules::is_own(client, claims);
    Ok(SubjectToken {
        subject,
        origin: Origin {
            grant: claims.grant.clone(),
            sid: claims.sid.clone(),
            auth_time: claims.auth_time,
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
            expires_at: claims.exp,
        },
        scope: Some(claims.scope.parse().map_err(OAuthError::server_error)?),
        act: claims.act.clone(),
        may_act: claims.may_act.clone(),
        own: own.then(|| rules::audience_names(&claims.aud, client, app.issuer())),
        assertion: None,
    })
}

/// An ID token stands for the grant that it came from.
fn of_id_token(
    app: &App,
    client: &AuthenticatedClient,
    token: &IdTokenClaims,
    grant: Grant,
    user: User,
) -> SubjectToken {
    let own = match &grant.context.audience {
        Some(names) if grant.resources.is_empty() => {
            // Where nothing is left there is no token, least of all one for the default audience.
            let left = left::granted_audience(&grant, client).filter(|left| !left.is_empty());
            let names = Audience::of(left.as_ref().unwrap_or(names), app.issuer());
            rules::audience_names(&names, client, app.issuer())
        }
        _ => grant.resources.clone(),
    };
    SubjectToken {
        subject: Subject::User(Box::new(user)),
        act: None,
        may_act: rules::may_act(client),
        own: Some(own),
        assertion: None,
        origin: Origin {
            expires_at: token.exp,
            sid: grant.session_id.clone(),
            auth_time: Some(grant.authentication.auth_time),
            acr: Some(claims::acr(&grant)),
            amr: claims::amr(&grant.authentication.amr),
            grant: Some(grant.id),
        },
        scope: Some(left::scope(&grant.scope, client, &app.registry.catalogue())),
    }
}

async fn of_assertion(
    app: &App,
    client: &Client,
    jwt: &str,
    now: Timestamp,
) -> Result<SubjectToken, OAuthError> {
    let (assertion, user) = jwt_bearer::vouched_for(app, client, jwt).await.map_err(as_invalid_request)?;
    // Whoever acted before is not one whom this server knows.
    if assertion.has_actor || assertion.expires_at() <= now {
        return Err(rules::invalid_token(SUBJECT));
    }
    Ok(SubjectToken {
        subject: Subject::User(Box::new(user)),
        origin: Origin {
            expires_at: assertion.expires_at(),
            grant: None,
            sid: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
        },
        scope: None,
        act: None,
        may_act: assertion.may_act.clone(),
        own: None,
        assertion: Some(assertion),
    })
}

/// RFC 8693 2.2.2: whatever is wrong with the subject token is an `invalid_request`.
fn as_invalid_request(error: OAuthError) -> OAuthError {
    match error.code {
        ErrorCode::InvalidGrant => OAuthError::invalid_request(error.description),
        _ => error,
    }
}

/// RFC 8693 2.1: what the new token is for. Of the client's own token never more than that was for, as with a refresh.
fn target(app: &App, request: &TokenRequest<'_>, own: Option<&[String]>) -> Result<Target, OAuthError> {
    let TokenRequest { client, parameters, .. } = *request;
    let (asked, catalogue) = (resource::asked(parameters)?, app.registry.catalogue());
    match own {
        Some(granted) => Target::narrowed(granted, &asked, client, &catalogue)?,
        None => Target::new(&asked, client, &catalogue)?,
    }
    .must_agree(client)
}
