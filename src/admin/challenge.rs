//! What both steps have in common: from a challenge to the request behind it, from an answer to a redirect.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::{Json, Refusal};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::grants::handover::{CONSENT, LOGIN, redirect_to};
use crate::http::extract::Body;
use crate::model::{Client, Handover, HandoverStep, PendingRequest, RequestId};
use crate::protocol::handover::{Answer, Rejection};
use crate::protocol::{OAuthError, Parameters};
use crate::storage::Counts;

/// One of the two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Login,
    Consent,
}

impl Page {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Consent => "consent",
        }
    }

    /// What Hydra calls the challenge of this page; plain `challenge` is accepted too.
    fn parameter(self) -> &'static str {
        match self {
            Self::Login => "login_challenge",
            Self::Consent => "consent_challenge",
        }
    }

    fn steps(self) -> (HandoverStep, HandoverStep) {
        match self {
            Self::Login => (HandoverStep::Login, HandoverStep::LoginAnswered),
            Self::Consent => (HandoverStep::Consent, HandoverStep::ConsentAnswered),
        }
    }

    fn generation(self) -> u32 {
        match self {
            Self::Login => LOGIN,
            Self::Consent => CONSENT,
        }
    }
}

/// `{"redirect_to": ...}`
#[derive(Serialize)]
pub(super) struct Completed {
    redirect_to: String,
}

/// A request that waits for a page, or whose page has answered.
pub(super) struct Challenge {
    pub pending: PendingRequest,
    pub handover: Handover,
    pub client: Arc<Client>,
    page: Page,
}

impl Challenge {
    /// The request behind the challenge of a query, if it has come as far as this page.
    pub(super) async fn find(app: &App, page: Page, query: Option<&str>) -> Result<Self, Refusal> {
        let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())?;
        let id = parameters.get(page.parameter()).or_else(|| parameters.get("challenge"));
        let missing =
            || OAuthError::invalid_request(format!("The parameter {} is missing.", page.parameter()));
        let id = RequestId::new(id.ok_or_else(missing)?);
        let pending = app.storage.request(&id).await?.ok_or_else(Refusal::unknown_challenge)?;
        let handover = app.storage.handover(&id).await?.ok_or_else(Refusal::unknown_challenge)?;
        let at_login = matches!(handover.step, HandoverStep::Login | HandoverStep::LoginAnswered);
        if page == Page::Consent && at_login {
            return Err(Refusal::unknown_challenge());
        }
        let (waits, answered) = page.steps();
        if handover.step != waits && handover.step != answered {
            return Err(Refusal::handled());
        }
        if pending.expires_at <= app.now() {
            return Err(Refusal::expired());
        }
        let registered = app.clients.find(&pending.request.client_id).await?;
        let client = Arc::clone(&registered.ok_or_else(Refusal::unknown_challenge)?.client);
        Ok(Self { pending, handover, client, page })
    }

    /// The same while nobody has answered it: Hydra v1.6 shows no request that was handled.
    pub(super) async fn unanswered(app: &App, page: Page, query: Option<&str>) -> Result<Self, Refusal> {
        let found = Self::find(app, page, query).await?;
        if found.handover.step == page.steps().0 { Ok(found) } else { Err(Refusal::handled()) }
    }

    /// Notes the answer, once. The very same answer again gets the same redirect until the browser has used it, because
    /// the page may have lost our response; any other is a conflict.
    pub(super) async fn answer<T: Serialize>(
        &self,
        app: &App,
        answer: &Answer<T>,
        counts: Counts,
    ) -> Result<Json<Completed>, Refusal> {
        let id = &self.pending.id;
        let accepted = matches!(answer, Answer::Accept(_));
        let answer = serde_json::to_string(answer).map_err(OAuthError::server_error)?;
        let answered = Event::ExternalPageAnswered {
            page: self.page.name(),
            request: id,
            client: &self.client.id,
            accepted,
        };
        let storage = app.noting(&Actor::AdminApi, answered);
        if !storage.answer_handover(id, self.page.steps(), &answer, counts, app.now()).await? {
            return Err(Refusal::handled());
        }
        tracing::info!(client = %self.client.id, request = %id, page = ?self.page, "external page answered");
        Ok(Json(Completed { redirect_to: redirect_to(app, &self.handover, self.page.generation())? }))
    }
}

/// PUT .../reject
pub(super) async fn reject(
    app: &App,
    page: Page,
    query: Option<&str>,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    let rejection: Rejection = read(body)?;
    rejection.check()?;
    let challenge = Challenge::find(app, page, query).await?;
    // Its type is the page's; a rejection has none of it.
    challenge.answer(app, &Answer::<()>::Reject(rejection), Counts::default()).await
}

/// A JSON body, whatever its media type says: Hydra does not look at it either.
pub(super) fn read<T: DeserializeOwned + for<'d> Deserialize<'d>>(body: Body) -> Result<T, Refusal> {
    let body = body.map_err(|_| OAuthError::invalid_request("The body could not be read."))?;
    let read = serde_json::from_slice(&body);
    Ok(read.map_err(|error| {
        OAuthError::invalid_request(format!("The body is not what is expected: {error}."))
    })?)
}
