//! The consent page asks about a request, and says what the user allowed.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Refusal, respond};
use super::challenge::{self, Challenge, Completed, Page};
use crate::app::App;
use crate::model::UserId;
use crate::protocol::handover::{self, AcceptConsent, Answer};
use crate::protocol::interaction::{self, Situation, Step};

pub async fn show(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    respond(shown(&app, query.as_deref()).await)
}

/// The members of Hydra's `consentRequest`.
async fn shown(app: &App, query: Option<&str>) -> Result<Value, Refusal> {
    let challenge = Challenge::unanswered(app, Page::Consent, query).await?;
    let (pending, handover) = (&challenge.pending, &challenge.handover);
    let request = &pending.request;
    let session = pending.session_id.as_ref().map(|id| id.as_str());
    Ok(json!({
        "challenge": pending.id,
        "requested_scope": handover::requested_scope(request),
        "requested_access_token_audience": handover::requested_audience(request, &challenge.client),
        "skip": skip(app, &challenge).await?,
        "subject": handover.subject.as_ref().map(UserId::as_str).unwrap_or_default(),
        "oidc_context": handover::oidc_context(request),
        "client": *challenge.client,
        "request_url": handover::request_url(app.issuer(), request),
        "login_challenge": pending.id,
        "login_session_id": session.unwrap_or_default(),
        "acr": handover.login.acr.as_deref().unwrap_or_default(),
        "context": handover.login.context,
    }))
}

/// Whether nobody has to be asked: the same rule as for our own consent page.
async fn skip(app: &App, challenge: &Challenge) -> Result<bool, Refusal> {
    let Some(subject) = &challenge.handover.subject else { return Ok(false) };
    let consent = app.storage.consent(subject, &challenge.client.id, app.now()).await?;
    let situation = Situation {
        auth_time: Some(app.now()),
        consented: consent.as_ref().map(|consent| &consent.scope),
        signed_in_for_this: true,
        decided: false,
        now: app.now(),
    };
    Ok(matches!(interaction::next(&challenge.pending.request, &challenge.client, situation), Step::Issue))
}

pub async fn accept(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    respond(accepted(&app, query.as_deref(), body).await)
}

async fn accepted(
    app: &App,
    query: Option<&str>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Completed, Refusal> {
    let consent: AcceptConsent = challenge::read(body)?;
    let challenge = Challenge::find(app, Page::Consent, query).await?;
    consent.check(&challenge.pending.request, &challenge.client)?;
    challenge.answer(app, &Answer::Accept(consent)).await
}

pub async fn reject(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    respond(challenge::reject(&app, Page::Consent, query.as_deref(), body).await)
}
