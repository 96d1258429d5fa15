//! The consent page asks about a request, and says what the user allowed.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::answer::{Json, Refusal};
use super::challenge::{self, AtPage, Challenge, Completed};
use crate::app::App;
use crate::http::extract::Body;
use crate::model::{AuthorizationRequest, ExternalPage, HandoverStep, Means, TakenLogin};
use crate::protocol::handover::{self, AcceptConsent, Answer};
use crate::protocol::interaction::{self, Assurance, Person, Situation, Step};
use crate::protocol::left;
use crate::storage::Counts;

/// The consent page has the request, and asks whoever signed in.
pub(super) struct AtConsent(TakenLogin);

impl AtPage for AtConsent {
    const PAGE: ExternalPage = ExternalPage::Consent;

    fn of(step: HandoverStep) -> Result<(Self, bool), Refusal> {
        match step {
            HandoverStep::Login { .. } | HandoverStep::LoginAnswered { .. } => {
                Err(Refusal::unknown_challenge())
            }
            HandoverStep::Consent { login } => Ok((Self(login), false)),
            HandoverStep::ConsentAnswered { login, .. } => Ok((Self(login), true)),
            HandoverStep::Over => Err(Refusal::handled()),
        }
    }
}

/// The members of Hydra's `consentRequest`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let challenge = Challenge::<AtConsent>::unanswered(&app, query.as_deref()).await?;
    let (pending, login) = (&challenge.pending, &challenge.at.0);
    // Nobody is asked for what was taken from the client since.
    let mut request = pending.request.clone();
    left::narrow(&mut request, &challenge.client, &app.registry.catalogue());
    let request = &request;
    let session = pending.account().map(|account| account.session_id.as_str());
    Ok(Json(json!({
        "challenge": pending.id,
        "requested_scope": handover::requested_scope(request),
        "requested_access_token_audience": handover::requested_audience(request, &challenge.client),
        "skip": skip(&app, &challenge, request).await?,
        "subject": login.subject,
        "oidc_context": handover::oidc_context(request),
        "client": **challenge.client,
        "request_url": handover::request_url(app.issuer(), request),
        "login_challenge": pending.id,
        "login_session_id": session.unwrap_or_default(),
        "acr": login.facts.acr.as_deref().unwrap_or_default(),
        "context": login.facts.context,
    })))
}

/// Whether nobody has to be asked: the same rule as for our own consent page.
async fn skip(
    app: &App,
    challenge: &Challenge<AtConsent>,
    request: &AuthorizationRequest,
) -> Result<bool, Refusal> {
    let consent = app.storage.consent(&challenge.at.0.subject, &challenge.client.id, app.now()).await?;
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
    let challenge = Challenge::<AtConsent>::find(&app, query.as_deref()).await?;
    consent.check(&challenge.pending.request, &challenge.client)?;
    let standing = app.storage.standing(&challenge.at.0.subject).await?;
    // It counts as of now, whenever the browser comes back.
    let counts = standing.map_or(Counts::Nothing, |standing| Counts::Consent(standing.consent));
    challenge.answer(&app, &Answer::Accept(consent), counts).await
}

pub(super) async fn reject(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    challenge::reject::<AtConsent>(&app, query.as_deref(), body).await
}
