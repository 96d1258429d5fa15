//! The consent page asks about a request, and says what the user allowed.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::answer::{Json, Refusal};
use super::challenge::{self, Challenge, Completed, Page};
use crate::app::App;
use crate::http::extract::Body;
use crate::model::{AuthorizationRequest, Means, UserId};
use crate::protocol::handover::{self, AcceptConsent, Answer};
use crate::protocol::interaction::{self, Assurance, Person, Situation, Step};
use crate::protocol::left;
use crate::storage::Counts;

/// The members of Hydra's `consentRequest`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let challenge = Challenge::unanswered(&app, Page::Consent, query.as_deref()).await?;
    let (pending, handover) = (&challenge.pending, &challenge.handover);
    // Nobody is asked for what was taken from the client since.
    let mut request = pending.request.clone();
    left::narrow(&mut request, &challenge.client, &app.registry.catalogue());
    let request = &request;
    let session = pending.account.as_ref().map(|account| account.session_id.as_str());
    Ok(Json(json!({
        "challenge": pending.id,
        "requested_scope": handover::requested_scope(request),
        "requested_access_token_audience": handover::requested_audience(request, &challenge.client),
        "skip": skip(&app, &challenge, request).await?,
        "subject": handover.subject.as_ref().map(UserId::as_str).unwrap_or_default(),
        "oidc_context": handover::oidc_context(request),
        "client": **challenge.client,
        "request_url": handover::request_url(app.issuer(), request),
        "login_challenge": pending.id,
        "login_session_id": session.unwrap_or_default(),
        "acr": handover.login.acr.as_deref().unwrap_or_default(),
        "context": handover.login.context,
    })))
}

/// Whether nobody has to be asked: the same rule as for our own consent page.
async fn skip(app: &App, challenge: &Challenge, request: &AuthorizationRequest) -> Result<bool, Refusal> {
    let Some(subject) = &challenge.handover.subject else { return Ok(false) };
    let consent = app.storage.consent(subject, &challenge.client.id, app.now()).await?;
    let situation = Situation {
        person: Person::Known { auth_time: app.now(), by: Some(Means::SignIn) },
        consented: consent.as_ref().map(|consent| &consent.allowed),
        // What the sign-in amounts to is looked at when the browser comes back.
        assurance: Assurance::Met,
        decided: false,
        now: app.now(),
    };
    Ok(matches!(interaction::next(request, &challenge.client, situation), Step::Issue))
}

pub(super) async fn accept(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    let consent: AcceptConsent = challenge::read(body)?;
    let challenge = Challenge::find(&app, Page::Consent, query.as_deref()).await?;
    consent.check(&challenge.pending.request, &challenge.client)?;
    let standing = match &challenge.handover.subject {
        Some(subject) => app.storage.standing(subject).await?,
        None => None,
    };
    // It counts as of now, whenever the browser comes back.
    let counts = Counts { sign_in: None, consent: standing.map(|standing| standing.consent) };
    challenge.answer(&app, &Answer::Accept(consent), counts).await
}

pub(super) async fn reject(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    challenge::reject(&app, Page::Consent, query.as_deref(), body).await
}
