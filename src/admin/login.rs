//! The login page asks about a request, and says who signed in.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::answer::{Json, Refusal};
use super::challenge::{self, Challenge, Completed, Page};
use crate::app::App;
use crate::http::extract::Body;
use crate::model::{ClientId, SignInGeneration, UserId};
use crate::protocol::OAuthError;
use crate::protocol::handover::{self, AcceptLogin, Answer};
use crate::storage::Counts;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let challenge = Challenge::unanswered(&app, Page::Login, query.as_deref()).await?;
    Ok(Json(describe(&app, &challenge)))
}

/// The members of Hydra's `loginRequest`.
fn describe(app: &App, challenge: &Challenge) -> Value {
    let (request, handover) = (&challenge.pending.request, &challenge.handover);
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    json!({
        "challenge": challenge.pending.id,
        "requested_scope": handover::requested_scope(request),
        "requested_access_token_audience": handover::requested_audience(request, &challenge.client),
        "skip": handover.subject.is_some(),
        "subject": text(handover.subject.as_ref().map(UserId::as_str)),
        "oidc_context": handover::oidc_context(request),
        "client": **challenge.client,
        "request_url": handover::request_url(app.issuer(), request),
        "session_id": text(handover.session_id.as_ref().map(|id| id.as_str())),
    })
}

pub(super) async fn accept(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    let login: AcceptLogin = challenge::read(body)?;
    let challenge = Challenge::find(&app, Page::Login, query.as_deref()).await?;
    login.check(challenge.handover.subject.as_ref().map(UserId::as_str))?;
    // RFC 9068 5: nobody's sub may be that of a client on its own behalf.
    if app.clients.find(&ClientId::new(&login.subject)).await?.is_some() {
        return Err(OAuthError::invalid_request("subject: a client has this id.").into());
    }
    let standing = app.storage.standing(&UserId::new(&login.subject)).await?;
    if standing.is_some_and(|standing| standing.disabled) {
        return Err(Refusal::disabled());
    }
    // It counts as of now, whenever the browser comes back.
    let sign_in = standing.map_or(SignInGeneration::OF_NOBODY, |standing| standing.sign_in);
    let counts = Counts { sign_in: Some(sign_in), consent: None };
    challenge.answer(&app, &Answer::Accept(login), counts).await
}

pub(super) async fn reject(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    challenge::reject(&app, Page::Login, query.as_deref(), body).await
}
