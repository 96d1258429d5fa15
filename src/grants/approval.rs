//! Approval: an authorization request becomes a grant with a code (RFC 6749 4.1.2).

use super::issue;
use crate::app::App;
use crate::crypto::random;
use crate::model::{
    Authentication, AuthorizationRequest, Client, CodeConditions, Grant, GrantContext, GrantId, GrantState,
    Lifetime, RequestId, Session, Timestamp,
};
use crate::protocol::OAuthError;
use crate::storage::Remember;

/// What is approved, and by whom.
pub struct Approval<'a> {
    /// The grant gets the same id: a request that is answered twice makes one grant.
    pub id: &'a RequestId,
    pub request: &'a AuthorizationRequest,
    pub client: &'a Client,
    pub session: &'a Session,
    /// What to remember as allowed; none where nothing was asked.
    pub remember: Option<&'a Remember>,
    /// What was said beside the scope.
    pub context: GrantContext,
}

/// Issues the code. None when the request was answered before and its code is used or expired.
pub async fn approve(app: &App, approval: Approval<'_>) -> Result<Option<String>, OAuthError> {
    let now = app.now();
    let grant = grant(app, &approval, now);
    app.clients.note_use(approval.client).await?;
    let issued = match approval.remember {
        Some(remember) => app.storage.approve(&grant, remember).await?,
        None => app.storage.insert_grant(&grant).await?,
    };
    if issued {
        tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "grant approved");
        return issue::code(app, &grant).map(Some);
    }
    answered_before(app, &grant, now).await
}

/// A form that was sent twice gets the same code again, while it can still be redeemed.
async fn answered_before(app: &App, again: &Grant, now: Timestamp) -> Result<Option<String>, OAuthError> {
    let Some((first, _)) = app.storage.grant(&again.id).await? else { return Ok(None) };
    let same = first.user_id == again.user_id && first.client_id == again.client_id;
    match &first.state {
        GrantState::CodeIssued(code) if same && code.expires_at > now => issue::code(app, &first).map(Some),
        GrantState::CodeIssued(_) | GrantState::Active { .. } | GrantState::Revoked => Ok(None),
    }
}

fn grant(app: &App, approval: &Approval<'_>, now: Timestamp) -> Grant {
    let Approval { id, request, client, session, context, .. } = approval;
    // A session of an external login page may be used by others of the server's clients.
    let acr = context.acr.clone().or_else(|| session.acr.clone());
    let refreshable = issue::is_refreshable(client, &request.scope);
    let code_lifetime = issue::code_lifetime(app, client);
    let life = if refreshable {
        issue::refresh_absolute(app, client)
    } else {
        Lifetime::Seconds(code_lifetime + issue::access_lifetime(app, client, &request.resources))
    };
    Grant {
        id: GrantId::new(id.as_str()),
        client_id: client.id.clone(),
        user_id: session.user_id.clone(),
        session_id: Some(session.id.clone()),
        scope: request.scope.clone(),
        resources: request.resources.clone(),
        authentication: Authentication { auth_time: session.auth_time, amr: session.amr.clone() },
        context: GrantContext { acr, ..context.clone() },
        salt: random::id(),
        created_at: now,
        expires_at: life.end(now),
        state: GrantState::CodeIssued(CodeConditions {
            expires_at: now.plus(code_lifetime),
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            refreshable,
        }),
    }
}
