//! The login page asks about a request, and says who signed in.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::answer::{Json, Refusal};
use super::challenge::{self, AtPage, Challenge, Completed};
use crate::app::App;
use crate::http::extract::Body;
use crate::model::{ClientId, ExternalPage, HandoverStep, LiveSession, SignInGeneration, UserId};
use crate::protocol::OAuthError;
use crate::protocol::handover::{self, AcceptLogin, Answer};
use crate::storage::Counts;

/// The login page has the request. With a session that was live, nobody has to sign in.
pub(super) struct AtLogin(Option<LiveSession>);

impl AtPage for AtLogin {
    const PAGE: ExternalPage = ExternalPage::Login;

    fn of(step: HandoverStep) -> Result<(Self, bool), Refusal> {
        match step {
            HandoverStep::Login { live } => Ok((Self(live), false)),
            HandoverStep::LoginAnswered { live, .. } => Ok((Self(live), true)),
            HandoverStep::Consent { .. } | HandoverStep::ConsentAnswered { .. } | HandoverStep::Over => {
                Err(Refusal::handled())
            }
        }
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refusal> {
    let challenge = Challenge::unanswered(&app, query.as_deref()).await?;
    Ok(Json(describe(&app, &challenge)))
}

/// The members of Hydra's `loginRequest`.
fn describe(app: &App, challenge: &Challenge<AtLogin>) -> Value {
    let (request, live) = (&challenge.pending.request, challenge.at.0.as_ref());
    json!({
        "challenge": challenge.pending.id,
        "requested_scope": handover::requested_scope(request),
        "requested_access_token_audience": handover::requested_audience(request, &challenge.client),
        "skip": live.is_some(),
        "subject": live.map(|live| live.user_id.as_str()).unwrap_or_default(),
        "oidc_context": handover::oidc_context(request),
        "client": **challenge.client,
        "request_url": handover::request_url(app.issuer(), request),
        "session_id": live.map(|live| live.session_id.as_str()).unwrap_or_default(),
    })
}

pub(super) async fn accept(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    let login: AcceptLogin = challenge::read(body)?;
    let challenge = Challenge::<AtLogin>::find(&app, query.as_deref()).await?;
    login.check(challenge.at.0.as_ref().map(|live| live.user_id.as_str()))?;
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
    challenge.answer(&app, &Answer::Accept(login), Counts::SignIn(sign_in)).await
}

pub(super) async fn reject(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    challenge::reject::<AtLogin>(&app, query.as_deref(), body).await
}
