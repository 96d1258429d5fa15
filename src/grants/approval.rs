//! Approval: an authorization request becomes a grant, and its answer (RFC 6749 4.1.2, OpenID Connect Core 3.2.2.5,
//! 3.3.2.5).

use super::issue;
use super::issue::front_channel;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::crypto::random;
use crate::model::{
    Authentication, AuthorizationRequest, AuthorizationRequestId, Client, CodeConditions, Grant,
    GrantContext, GrantId, GrantState, GrantType, Lifetime, ResponseType, Session, Timestamp, User,
};
use crate::protocol::OAuthError;
use crate::protocol::resource::Target;
use crate::protocol::response::Success;
use crate::storage::{Authority, Insertion, Remember, StorageError, Yes};

/// What is approved, and by whom.
pub(crate) struct Approval<'a> {
    /// The grant gets the same id: a request that is answered twice makes one grant.
    pub id: &'a AuthorizationRequestId,
    pub request: &'a AuthorizationRequest,
    pub client: &'a Client,
    pub session: &'a Session,
    pub user: &'a User,
    /// What to remember as allowed; none where nothing was asked.
    pub remember: Option<&'a Remember>,
    /// What was said before that is built upon.
    pub upon: Yes<'a>,
    /// What was said beside the scope.
    pub context: GrantContext,
}

/// What became of an approval.
pub(crate) enum Approved {
    Success(Success),
    /// The request was answered before, and what came of it is used or expired.
    AnsweredBefore,
    /// The session, the user or what was built upon has ended meanwhile.
    Ended,
}

/// Makes the grant.
pub(crate) async fn approve(app: &App, approval: Approval<'_>) -> Result<Approved, OAuthError> {
    let (now, client, request) = (app.now(), approval.client, approval.request);
    let target = match request.response_type {
        ResponseType::Code => Target::default(),
        _ => Target::narrowed(&request.resources, &[], client, &app.registry.catalogue())?,
    };
    let tokens = async |grant| match front_channel::draft(app, client, approval.made(grant, &target), now) {
        Some(draft) => draft.settle(app).await.map(Some),
        None => Ok(None),
    };
    let grant = grant(app, &approval, now);
    app.clients.note_use(approval.client).await?;
    let settled = tokens(&grant).await?;
    if insert(app, &approval, &grant, now).await? == Insertion::Inserted {
        tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "grant approved");
        return front_channel::mint(app, request, &grant, settled).map(Approved::Success);
    }
    let Some((first, _)) = app.storage.grant(&grant.id).await? else { return Ok(Approved::Ended) };
    if !is_the_same_again(app, &approval, &grant, &first, now) {
        return Ok(Approved::AnsweredBefore);
    }
    let settled = tokens(&first).await?;
    front_channel::mint(app, request, &first, settled).map(Approved::Success)
}

async fn insert(
    app: &App,
    approval: &Approval<'_>,
    grant: &Grant,
    now: Timestamp,
) -> Result<Insertion, StorageError> {
    let authority = Authority::Session(approval.upon);
    let grant_type = match approval.request.response_type.has_code() {
        true => GrantType::AuthorizationCode,
        false => GrantType::Implicit,
    };
    let created = Event::created(grant, grant_type);
    let Some(remember) = approval.remember else {
        return app.storage.insert_grant(app.noted(&Actor::User, created), grant, authority).await;
    };
    let (user, client) = (&grant.user_id, &grant.client_id);
    let scope = &remember.allowed.all_scopes();
    let resources = &approval.request.resources;
    let given = Event::ConsentGiven { user, client, grant: &grant.id, scope, resources };
    let noted = app.audit.noted(&Actor::User, &[given, created], now);
    app.storage.approve(noted, grant, remember, authority).await
}

impl<'a> Approval<'a> {
    fn made(&self, grant: &'a Grant, target: &'a Target) -> front_channel::Approved<'a> {
        front_channel::Approved { request: self.request, grant, user: self.user, target }
    }
}

/// A form that was sent twice gets the same code again, while it can still be redeemed, and the same tokens.
fn is_the_same_again(
    app: &App,
    approval: &Approval<'_>,
    again: &Grant,
    first: &Grant,
    now: Timestamp,
) -> bool {
    let same = first.user_id == again.user_id && first.client_id == again.client_id;
    let unused = match &first.state {
        GrantState::CodeIssued(code) => code.expires_at > now,
        // Without a code nothing is redeemed; a form is sent twice within moments.
        GrantState::Active { refresh: None } if !approval.request.response_type.has_code() => {
            first.created_at.plus(issue::code_lifetime(app, approval.client)) > now
        }
        GrantState::Active { .. } | GrantState::Revoked => false,
    };
    same && unused
}

fn grant(app: &App, approval: &Approval<'_>, now: Timestamp) -> Grant {
    let Approval { id, request, client, session, context, .. } = approval;
    // A session of an external login page may be used by others of the server's clients.
    let acr = context.acr.clone().or_else(|| session.acr.clone());
    let (state, life) = beginning(app, client, request, now);
    Grant {
        id: GrantId::new(id.as_str()),
        client_id: client.id.clone(),
        user_id: session.user_id.clone(),
        session_id: Some(session.id.clone()),
        scope: request.scope.clone(),
        resources: request.resources.clone(),
        authentication: Authentication { auth_time: session.auth_time, amr: session.amr.clone() },
        context: GrantContext {
            acr,
            claims_locales: request.claims_locales.clone(),
            claims: request.claims.clone(),
            ..context.clone()
        },
        salt: random::id(),
        created_at: now,
        expires_at: life.end(now),
        state,
    }
}

/// How the grant of a request begins, and how long it lives. Without a code it is active at once, and never refreshed.
fn beginning(
    app: &App,
    client: &Client,
    request: &AuthorizationRequest,
    now: Timestamp,
) -> (GrantState, Lifetime) {
    if !request.response_type.has_code() {
        let life = Lifetime::Seconds(front_channel::lifetime(app, request.response_type));
        return (GrantState::Active { refresh: None }, life);
    }
    let refreshable = issue::is_refreshable(client, &request.scope);
    let code_lifetime = issue::code_lifetime(app, client);
    let life = if refreshable {
        issue::refresh_absolute(app, client)
    } else {
        Lifetime::Seconds(code_lifetime + issue::access_lifetime(app, client, &request.resources))
    };
    let conditions = CodeConditions {
        expires_at: now.plus(code_lifetime),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        refreshable,
        access_token_issued: request.response_type.has_token(),
    };
    (GrantState::CodeIssued(conditions), life)
}
