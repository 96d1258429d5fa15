//! Clients whose login and consent pages are somebody else's: the browser goes there with the id of its request, the
//! page answers over the admin listener (`admin`), and the browser comes back with a verifier.
//!
//! The page is asked at every request, as with Hydra: also where nobody has to sign in or to be asked (`skip`), because
//! it has the claims. A verifier is worth nothing in another browser, for another request or step, or twice.

use axum::response::Response;

use super::accounts::SignedIn;
use super::answer::{self, Failure};
use super::flow::{self, Decision, Flow};
use super::sent::Query;
use super::sessions::{Before, Proof, Started, Term};
use super::views::Problem;
use super::visit::Visit;
use crate::app::App;
use crate::config::ExternalUi;
use crate::crypto::handle::{Handle, Purpose};
use crate::crypto::random;
use crate::grants::{handover, subject};
use crate::model::{
    Allowed, AuthorizationRequestId, ConsentGeneration, ExternalPage, GrantContext, HandoverStep,
    LiveSession, LoginFacts, Means, PageAnswer, RequestAccount, SessionId, SignInGeneration, TakenLogin,
    Timestamp, User, UserId,
};
use crate::protocol::handover::{AcceptConsent, AcceptLogin, Answer, Rejection, Remembered};
use crate::protocol::interaction::Step;
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Consent, Remember};

fn expired() -> Failure {
    Failure::new(Problem::Expired)
}

/// Sends the browser to the page whose turn it is.
pub(super) async fn hand_over(flow: Flow, visit: &Visit, ui: &ExternalUi) -> answer::Answer {
    if let Some(pending) = &flow.pending
        && let Some(handover) = visit.app.storage.handover(&pending.id).await?
    {
        return match handover.step {
            HandoverStep::Login { .. } => Ok(send(visit, ui, ExternalPage::Login, &pending.id)),
            HandoverStep::Consent { .. } => Ok(send(visit, ui, ExternalPage::Consent, &pending.id)),
            HandoverStep::LoginAnswered { .. }
            | HandoverStep::ConsentAnswered { .. }
            | HandoverStep::Over => Err(expired()),
        };
    }
    let who = flow.who(visit).await?;
    let live = match flow.next(&visit.app, &who).await?.0 {
        Step::Refuse(error) => return flow.refuse_unseen(visit, &error).await,
        // Choosing an account is that page's work too.
        Step::SelectAccount | Step::SignIn => None,
        Step::Consent { .. } | Step::Issue => who.person(),
    };
    let id = match flow.pending {
        Some(pending) => pending.id,
        None => flow::store(visit, flow.request).await?,
    };
    let live = live
        .map(|person| LiveSession { session_id: person.session.id.clone(), user_id: person.user.id.clone() });
    visit.app.storage.insert_handover(&id, &random::id(), live.as_ref()).await?;
    Ok(send(visit, ui, ExternalPage::Login, &id))
}

fn send(visit: &Visit, ui: &ExternalUi, page: ExternalPage, id: &AuthorizationRequestId) -> Response {
    let mut url = match page {
        ExternalPage::Login => ui.login_url.clone(),
        ExternalPage::Consent => ui.consent_url.clone(),
    };
    url.query_pairs_mut().append_pair(page.parameter(), id.as_str());
    visit.redirect(url.as_str())
}

/// `GET /authorize/continue`: the browser comes back from a page that has answered.
pub(super) async fn go_on(visit: Visit, Query(sent): Query) -> answer::Answer {
    let parameters = sent.parameters()?;
    let verifier = parameters.get("verifier").and_then(|text| Handle::parse(Purpose::Verifier, text));
    let verifier = verifier.ok_or_else(expired)?;
    let flow = *Flow::load(&visit, &verifier.id()).await?;
    let handover =
        visit.app.storage.handover(&AuthorizationRequestId::new(verifier.id())).await?.ok_or_else(expired)?;
    if !verifier.is_genuine(&visit.app.master_key, &handover.salt) {
        return Err(expired());
    }
    let id = &handover.request_id;
    match (handover::page_of(&verifier), handover.step) {
        (Some(ExternalPage::Login), HandoverStep::LoginAnswered { live, answer }) => {
            Box::pin(take_login(&visit, flow, id, live, answer)).await
        }
        (Some(ExternalPage::Consent), HandoverStep::ConsentAnswered { login, answer }) => {
            Box::pin(take_consent(&visit, flow, id, login, answer)).await
        }
        _ => Err(expired()),
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<Answer<T>, Failure> {
    serde_json::from_str(json).map_err(|error| OAuthError::server_error(error).into())
}

async fn take_login(
    visit: &Visit,
    mut flow: Flow,
    id: &AuthorizationRequestId,
    live: Option<LiveSession>,
    answer: PageAnswer<SignInGeneration>,
) -> answer::Answer {
    let PageAnswer { at, counts, .. } = answer;
    let accepted: AcceptLogin = match read(&answer.json)? {
        Answer::Accept(accepted) => accepted,
        Answer::Reject(rejection) => {
            return reject(visit, &flow, id, ExternalPage::Login, &rejection).await;
        }
    };
    let live = match live {
        Some(skipped) => {
            let still = visit.accounts().await?.find(&skipped.session_id).cloned();
            // It ended meanwhile: somebody has to sign in after all.
            if still.is_none() {
                return restart(visit, flow).await;
            }
            still
        }
        None => None,
    };
    let subject = UserId::new(&accepted.subject);
    let known_by = subject::of(&visit.app, &flow.client, &subject);
    if flow.request.subject.as_ref().is_some_and(|required| *required != known_by) {
        return refuse_another(visit, &flow, id).await;
    }
    let facts = LoginFacts { acr: accepted.acr(), context: accepted.context.clone() };
    if !visit.app.storage.take_login(id, &subject, &facts).await? {
        return Err(expired());
    }
    let started = match &live {
        Some(_) => None,
        None => {
            let Some((user, counts)) = vouched_for(&visit.app, counts, &subject, at).await? else {
                // Deleted after the page had accepted.
                return restart(visit, flow).await;
            };
            if user.disabled {
                return refuse_disabled(visit, &flow).await;
            }
            match sign_in(visit, &flow, (&user, counts), &accepted, at).await? {
                Some(started) => Some(started),
                // Everything of theirs was ended after the page had accepted.
                None => return restart(visit, flow).await,
            }
        }
    };
    let session = live.map(|person| person.session.id);
    let session: Option<SessionId> = session.or(started.as_ref().map(|started| started.session.id.clone()));
    if let Some(session) = &session {
        visit.app.storage.set_request_account(id, session, Means::SignIn).await?;
        flow::taken_up(visit, id);
    }
    if let Some(pending) = &mut flow.pending {
        pending.set_account(session.map(|session_id| RequestAccount { session_id, by: Means::SignIn }));
    }
    let mut response = flow.advance(visit).await?;
    if let Some(started) = started {
        started.set_cookies(&visit.app, &mut response);
    }
    Ok(response)
}

/// The user whom the page vouched for, and what that counts for. None: they were one, and are gone.
async fn vouched_for(
    app: &App,
    counts: Option<SignInGeneration>,
    subject: &UserId,
    at: Timestamp,
) -> Result<Option<(User, SignInGeneration)>, Failure> {
    match counts {
        Some(SignInGeneration::OF_NOBODY) => {
            Ok(Some((app.storage.external_user(subject, at).await?, SignInGeneration::FIRST)))
        }
        Some(counts) => Ok(app.storage.user(subject).await?.map(|user| (user, counts))),
        // A server of the version before took the answer.
        None => {
            let user = app.storage.external_user(subject, at).await?;
            let standing = app.storage.standing(subject).await?;
            Ok(standing.map(|standing| (user, standing.sign_in)))
        }
    }
}

/// OpenID Connect Core 3.1.2.1, 5.5.1: the answer is about the user of id_token_hint or of claims, or an error.
async fn refuse_another(visit: &Visit, flow: &Flow, id: &AuthorizationRequestId) -> answer::Answer {
    let encoder = flow.response_encoder(&visit.app).await?;
    if !visit.app.storage.end_handover(id, ExternalPage::Login).await? {
        return Err(expired());
    }
    let description = "Somebody else than the user whom the request names has signed in.";
    let error = OAuthError::new(ErrorCode::LoginRequired, description);
    visit.refuse_with(&encoder, &visit.app, &flow.client, &flow.target, &error)
}

async fn refuse_disabled(visit: &Visit, flow: &Flow) -> Result<Response, Failure> {
    let error = OAuthError::new(ErrorCode::AccessDenied, "The user is disabled.");
    flow.refuse(visit, &error).await
}

async fn sign_in(
    visit: &Visit,
    flow: &Flow,
    (user, counts): (&User, SignInGeneration),
    accepted: &AcceptLogin,
    at: Timestamp,
) -> Result<Option<Started>, Failure> {
    let longest = visit.app.settings.sessions.lifetime_seconds;
    let term = match accepted.remembered() {
        Remembered::Seconds(seconds) => {
            let seconds = seconds.min(longest);
            Term { ends: at.plus(seconds), persistent: true, only_for: None }
        }
        Remembered::Open => Term { ends: at.plus(longest), persistent: false, only_for: None },
        Remembered::No => {
            let pending = flow.pending.as_ref().ok_or_else(expired)?;
            Term { ends: pending.expires_at, persistent: false, only_for: Some(pending.id.clone()) }
        }
    };
    let proof = Proof { user, counts, at, amr: accepted.amr(), acr: accepted.acr() };
    let Some(started) = visit.start_session_with(proof, term, Before::Ends).await? else {
        return Ok(None);
    };
    tracing::info!(user = %user.id, session = %started.session.id, address = %visit.address, "signed in elsewhere");
    Ok(Some(started))
}

async fn take_consent(
    visit: &Visit,
    mut flow: Flow,
    id: &AuthorizationRequestId,
    login: TakenLogin,
    answer: PageAnswer<ConsentGeneration>,
) -> answer::Answer {
    let accepted: AcceptConsent = match read(&answer.json)? {
        Answer::Accept(accepted) => accepted,
        Answer::Reject(rejection) => {
            return reject(visit, &flow, id, ExternalPage::Consent, &rejection).await;
        }
    };
    let account = flow.pending.as_ref().and_then(|pending| pending.account());
    let person = match account {
        Some(account) => visit.signed_in_for(id, &account.session_id).await?,
        None => None,
    };
    let person = person.filter(|person| person.user.id == login.subject);
    // Signed out meanwhile, or somebody else is: from the beginning.
    let Some(person) = person else { return restart(visit, flow).await };
    let encoder = flow.response_encoder(&visit.app).await?;
    if !visit.app.storage.end_handover(id, ExternalPage::Consent).await? {
        return Err(expired());
    }
    let scope = accepted.scope()?;
    let had_resources = !flow.request.resources.is_empty();
    if let Some(granted) = &accepted.grant_access_token_audience {
        // No token of this grant is for more, whatever the client asks for later.
        flow.request.resources.retain(|uri| granted.contains(uri));
    }
    // Of several resources none was granted: what was allowed is for none, not for the default audience.
    let (remember, before) = match had_resources && flow.request.resources.is_empty() {
        true => (None, None),
        false => remember(&visit.app, &flow, answer.at, &accepted, &person).await?,
    };
    let context = context(login.facts, accepted);
    let decision = Decision { remember, before, given_at: answer.counts, context };
    flow.request.claims = flow.request.claims.within(&scope);
    // What was allowed for the sake of a single claim is no scope of the tokens.
    flow.request.scope = flow.request.scope.within(&scope);
    flow.issue_with(&encoder, visit, &person, decision).await
}

async fn remember(
    app: &App,
    flow: &Flow,
    at: Timestamp,
    accepted: &AcceptConsent,
    person: &SignedIn,
) -> Result<(Option<Remember>, Option<Consent>), Failure> {
    let until = match accepted.remembered() {
        Remembered::No => return Ok((None, None)),
        Remembered::Seconds(seconds) => Some(at.plus(seconds)),
        Remembered::Open => None,
    };
    let before = app.storage.consent(&person.user.id, &flow.client.id, app.now()).await?;
    let new = Allowed::of(&accepted.scope()?, &flow.request.resources);
    Ok((Some(Remember::adding(before.clone(), new, until)), before))
}

fn context(login: LoginFacts, accepted: AcceptConsent) -> GrantContext {
    GrantContext {
        acr: login.acr,
        access_token: accepted.access_token_claims().cloned().unwrap_or_default(),
        id_token: accepted.id_token_claims().cloned().unwrap_or_default(),
        audience: accepted.grant_access_token_audience,
        ..GrantContext::default()
    }
}

/// The page said no: the application is told, once.
async fn reject(
    visit: &Visit,
    flow: &Flow,
    id: &AuthorizationRequestId,
    page: ExternalPage,
    rejection: &Rejection,
) -> answer::Answer {
    let encoder = flow.response_encoder(&visit.app).await?;
    if !visit.app.storage.end_handover(id, page).await? {
        return Err(expired());
    }
    visit.deliver(&flow.client, &encoder, flow.target.rejection(visit.app.issuer(), rejection))
}

/// From the beginning, as a new request with a new challenge.
async fn restart(visit: &Visit, mut flow: Flow) -> answer::Answer {
    flow.pending = None;
    flow.advance(visit).await
}
