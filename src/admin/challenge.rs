//! What both steps have in common: from a challenge to the request behind it, from an answer to a redirect.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::answer::{Json, Refusal};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::grants::handover::redirect_to;
use crate::http::extract::Body;
use crate::model::{AuthorizationRequestId, Client, ExternalPage, Handover, HandoverStep, PendingRequest};
use crate::protocol::handover::{Answer, Rejection};
use crate::protocol::{OAuthError, Parameters};
use crate::storage::Counts;

/// What is known of a request where one of the two pages has it.
pub(super) trait AtPage: Sized {
    const PAGE: ExternalPage;

    /// From the step that a request is at, and whether the page has answered.
    fn of(step: HandoverStep) -> Result<(Self, bool), Refusal>;
}

/// `{"redirect_to": ...}`
#[derive(Serialize)]
pub(super) struct Completed {
    redirect_to: String,
}

/// A request that waits for a page, or whose page has answered.
pub(super) struct Challenge<P> {
    pub pending: PendingRequest,
    pub client: Arc<Client>,
    pub at: P,
    salt: String,
    is_answered: bool,
}

impl<P: AtPage> Challenge<P> {
    /// The request behind the challenge of a query, if it has come as far as this page.
    pub(super) async fn find(app: &App, query: Option<&str>) -> Result<Self, Refusal> {
        let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())?;
        let name = P::PAGE.parameter();
        // Plain `challenge` is accepted too.
        let id = parameters.get(name).or_else(|| parameters.get("challenge"));
        let missing = || OAuthError::invalid_request(format!("The parameter {name} is missing."));
        let id = AuthorizationRequestId::new(id.ok_or_else(missing)?);
        let pending = app.storage.request(&id).await?.ok_or_else(Refusal::unknown_challenge)?;
        let Handover { salt, step, .. } =
            app.storage.handover(&id).await?.ok_or_else(Refusal::unknown_challenge)?;
        let (at, is_answered) = P::of(step)?;
        if pending.expires_at <= app.now() {
            return Err(Refusal::expired());
        }
        let registered = app.clients.find(&pending.request.client_id).await?;
        let client = Arc::clone(&registered.ok_or_else(Refusal::unknown_challenge)?.client);
        Ok(Self { pending, client, at, salt, is_answered })
    }

    /// The same while nobody has answered it: Hydra v1.6 shows no request that was handled.
    pub(super) async fn unanswered(app: &App, query: Option<&str>) -> Result<Self, Refusal> {
        let found = Self::find(app, query).await?;
        if found.is_answered { Err(Refusal::handled()) } else { Ok(found) }
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
            page: P::PAGE.as_str(),
            request: id,
            client: &self.client.id,
            accepted,
        };
        let noted = app.noted(&Actor::AdminApi, answered);
        if !app.storage.answer_handover(noted, id, P::PAGE, &answer, counts, app.now()).await? {
            return Err(Refusal::handled());
        }
        tracing::info!(client = %self.client.id, request = %id, page = ?P::PAGE, "external page answered");
        Ok(Json(Completed { redirect_to: redirect_to(app, id, &self.salt, P::PAGE)? }))
    }
}

/// PUT .../reject
pub(super) async fn reject<P: AtPage>(
    app: &App,
    query: Option<&str>,
    body: Body,
) -> Result<Json<Completed>, Refusal> {
    let rejection: Rejection = read(body)?;
    rejection.check()?;
    let challenge = Challenge::<P>::find(app, query).await?;
    // Its type is the page's; a rejection has none of it.
    challenge.answer(app, &Answer::<()>::Reject(rejection), Counts::Nothing).await
}

/// A JSON body, whatever its media type says: Hydra does not look at it either.
pub(super) fn read<T: DeserializeOwned + for<'d> Deserialize<'d>>(body: Body) -> Result<T, Refusal> {
    let body = body.map_err(|_| OAuthError::invalid_request("The body could not be read."))?;
    let read = serde_json::from_slice(&body);
    Ok(read.map_err(|error| {
        OAuthError::invalid_request(format!("The body is not what is expected: {error}."))
    })?)
}
