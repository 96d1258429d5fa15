//! An authorization request on its way through the pages: what happens next, and how it ends.

use std::sync::Arc;

use super::accounts::{self, SignedIn};
use super::answer::{Answer, Failure};
use super::external;
use super::session_state;
use super::views::Problem;
use super::visit::Visit;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::config::ExternalUi;
use crate::crypto::random;
use crate::grants::approval::{self, Approval, Approved};
use crate::grants::authorization_response::ResponseEncoder;
use crate::grants::subject;
use crate::model::{
    Allowed, AuthorizationRequest, AuthorizationRequestId, Client, ConsentGeneration, GrantContext, GrantId,
    Means, PendingRequest, RequestOwner, Scope, User,
};
use crate::protocol::account::{self, Meant};
use crate::protocol::authorize::{self, Unproven};
use crate::protocol::claims;
use crate::protocol::interaction::{self, Assurance, Person, Situation, Step};
use crate::protocol::left;
use crate::protocol::response::{RedirectTarget, Success};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{Consent, Remember, Yes};
use crate::waiting::{Full, Holder};

/// A request whose client and redirect URI are proven.
pub(super) struct Flow {
    pub client: Arc<Client>,
    pub target: RedirectTarget,
    pub request: AuthorizationRequest,
    /// None: it has just come in, and nobody had to be asked yet.
    pub pending: Option<PendingRequest>,
    /// What it was about to be answered with has ended once already while it was answered.
    is_late: bool,
}

/// What was decided beside "yes".
#[derive(Default)]
pub(super) struct Decision {
    pub remember: Option<Remember>,
    /// The consent that was remembered before, where this is built upon it.
    pub before: Option<Consent>,
    /// When the yes was given, if that was not just now.
    pub given_at: Option<ConsentGeneration>,
    pub context: GrantContext,
}

impl Decision {
    pub(super) fn remembered(remember: Remember, before: Option<Consent>) -> Self {
        Self { remember: Some(remember), before, ..Self::default() }
    }
}

/// Whom a request is about, of those who are signed in in its browser.
pub(super) enum Who {
    Person { signed_in: Box<SignedIn>, by: Option<Means> },
    ToBeChosen,
    Another,
    Nobody,
}

impl Flow {
    pub(super) fn new(
        client: Arc<Client>,
        target: RedirectTarget,
        request: AuthorizationRequest,
        pending: Option<PendingRequest>,
    ) -> Self {
        Self { client, target, request, pending, is_late: false }
    }

    /// The waiting request of this browser with this id, for our own pages. One whose pages are not ours goes on there.
    pub(super) async fn resume(visit: &Visit, id: &str) -> Result<Box<Self>, Failure> {
        let flow = Self::load(visit, id).await?;
        if flow.external_ui(&visit.app).is_some() {
            return Err(flow.goes_on(visit).await);
        }
        Ok(flow)
    }

    /// What the next step answers, instead of the page that was asked for.
    async fn goes_on(self, visit: &Visit) -> Failure {
        Box::pin(self.advance(visit)).await.map_or_else(|failure| failure, Failure::elsewhere)
    }

    /// The waiting request of this browser with this id. One that has expired is started again.
    pub(super) async fn load(visit: &Visit, id: &str) -> Result<Box<Self>, Failure> {
        let expired = || Failure::new(Problem::Expired);
        let pending =
            visit.app.storage.request(&AuthorizationRequestId::new(id)).await?.ok_or_else(expired)?;
        // Bound to the browser that started it, so that nobody can be led into somebody else's request.
        if !pending.belongs_to(&visit.browser_digest()) {
            return Err(expired());
        }
        let registered = visit.app.clients.find(&pending.request.client_id).await?;
        let client = Arc::clone(&registered.ok_or(Unproven::UnknownClient)?.client);
        let target =
            RedirectTarget::of(&pending.request, &client).ok_or(Unproven::RedirectUriNotRegistered)?;
        let is_over = pending.expires_at <= visit.app.now();
        let request = pending.request.clone();
        let mut flow = Self::new(client, target, request, Some(pending));
        if is_over {
            // One that was answered is not started again: its grant has its id.
            if visit.app.storage.grant(&GrantId::new(id)).await?.is_some() {
                return Err(Failure::expired_at(&flow.client));
            }
            flow.pending = None;
            return Err(flow.goes_on(visit).await);
        }
        Ok(Box::new(flow))
    }

    /// Does the next step: ends at the application, or at a page for a person.
    pub(super) async fn advance(self, visit: &Visit) -> Answer {
        if let Some(ui) = self.external_ui(&visit.app) {
            return external::hand_over(self, visit, ui).await;
        }
        let who = self.who(visit).await?;
        let (step, before) = self.next(&visit.app, &who).await?;
        match (step, &who.person()) {
            (Step::Issue, Some(person)) => {
                let before = before.filter(|_| !self.client.skips_consent());
                self.issue(visit, person, Decision { before, ..Decision::default() }).await
            }
            (Step::SignIn, _) | (Step::Issue, None) => self.wait_at(visit, "/login").await,
            (Step::SelectAccount, _) => self.wait_at(visit, "/select_account").await,
            (Step::Consent { .. }, _) => self.wait_at(visit, "/consent").await,
            (Step::Refuse(error), _) => self.refuse_unseen(visit, &error).await,
        }
    }

    /// The next step, and what was allowed before.
    pub(super) async fn next(&self, app: &App, who: &Who) -> Result<(Step, Option<Consent>), Failure> {
        let before = match who.person() {
            Some(person) => app.storage.consent(&person.user.id, &self.client.id, app.now()).await?,
            None => None,
        };
        let situation = self.situation(app, who, before.as_ref().map(|consent| &consent.allowed));
        Ok((interaction::next(&self.request, &self.client, situation), before))
    }

    /// Whom this request is about.
    pub(super) async fn who(&self, visit: &Visit) -> Result<Who, Failure> {
        let accounts = visit.accounts().await?;
        let has_current = accounts.current.is_some();
        let all: Vec<_> = accounts.all().map(|person| (&person.session, &person.user)).collect();
        let decided = self.pending.as_ref().and_then(PendingRequest::account);
        let is_known_by = |user: &User, sub: &str| subject::of(&visit.app, &self.client, &user.id) == sub;
        let (at, by) = match account::meant(&self.request, decided, &all, has_current, is_known_by) {
            Meant::Account { at, by } => (at, by),
            Meant::Unsettled => return Ok(Who::ToBeChosen),
            Meant::Another => return Ok(Who::Another),
            Meant::Nobody => return Ok(Who::Nobody),
        };
        let mut all = accounts.into_all();
        if at >= all.len() {
            return Ok(Who::Nobody);
        }
        let signed_in = Box::new(all.swap_remove(at));
        accounts::touch(&visit.app, &signed_in.session).await?;
        Ok(Who::Person { signed_in, by })
    }

    /// The pages of somebody else, if this client uses them.
    pub(super) fn external_ui<'a>(&self, app: &'a App) -> Option<&'a ExternalUi> {
        app.settings.ui.external_for(&self.client)
    }

    /// What is known about the person at the browser, for the rules.
    pub(super) fn situation<'a>(
        &self,
        app: &App,
        who: &Who,
        consented: Option<&'a Allowed>,
    ) -> Situation<'a> {
        let person = match who {
            Who::Person { signed_in, by } => {
                Person::Known { auth_time: signed_in.session.auth_time, by: *by }
            }
            Who::ToBeChosen => Person::ToBeChosen,
            Who::Another => Person::Another,
            Who::Nobody => Person::Unknown,
        };
        Situation { person, consented, assurance: self.assurance(app, who), decided: false, now: app.now() }
    }

    fn assurance(&self, app: &App, who: &Who) -> Assurance {
        let ours = self.external_ui(app).is_none();
        let of = |acr, by| Assurance::of(&self.request, acr, by, ours);
        match who {
            Who::Person { signed_in, by } => of(Some(claims::acr_of(signed_in.session.acr.as_deref())), *by),
            // The one who is chosen is looked at then.
            Who::ToBeChosen => Assurance::Met,
            Who::Another | Who::Nobody => of(None, None),
        }
    }

    /// How the answer is encoded.
    pub(super) async fn response_encoder(&self, app: &App) -> Result<ResponseEncoder, Failure> {
        Ok(ResponseEncoder::find(app, &self.client, &self.target).await?)
    }

    /// Leaves out what was taken from the client since the request was checked: nobody is asked for it, and nobody allows
    /// it.
    pub(super) fn keep_what_is_left(&mut self, app: &App) -> Result<(), OAuthError> {
        left::narrow_request(&mut self.request, &self.client, &app.registry.catalogue())
    }

    /// Issues what was asked for and sends the browser back with it. Where nothing can be sent, nothing is used up.
    pub(super) async fn issue(self, visit: &Visit, person: &SignedIn, decision: Decision) -> Answer {
        let encoder = self.response_encoder(&visit.app).await?;
        self.issue_with(&encoder, visit, person, decision).await
    }

    pub(super) async fn issue_with(
        mut self,
        encoder: &ResponseEncoder,
        visit: &Visit,
        person: &SignedIn,
        decision: Decision,
    ) -> Answer {
        if let Err(error) = authorize::may_still_answer(&self.client, &self.request) {
            return self.refuse(visit, &error).await;
        }
        if let Err(error) = self.keep_what_is_left(&visit.app) {
            return self.refuse(visit, &error).await;
        }
        // An external page may grant less than was asked for.
        if self.request.response_type.has_id_token() && !self.request.scope.contains(Scope::OPENID) {
            let description = "The scope openid was not granted, which an ID token needs.";
            return self.refuse(visit, &OAuthError::new(ErrorCode::AccessDenied, description)).await;
        }
        // The pages of somebody else say themselves what a sign-in was worth.
        let acr = claims::acr_of(decision.context.acr.as_deref().or(person.session.acr.as_deref()));
        if Assurance::of(&self.request, Some(acr), Some(Means::SignIn), true) != Assurance::Met {
            return self.refuse(visit, &interaction::unmet_acr()).await;
        }
        let fresh = AuthorizationRequestId::new(random::id());
        let id = self.pending.as_ref().map_or(&fresh, |pending| &pending.id);
        let approval = Approval {
            id,
            request: &self.request,
            client: &self.client,
            session: &person.session,
            user: &person.user,
            remember: decision.remember.as_ref(),
            upon: Yes { remembered: decision.before.as_ref(), given_at: decision.given_at },
            context: decision.context,
        };
        let success = match approval::approve(&visit.app, approval).await? {
            Approved::Success(success) => success,
            Approved::AnsweredBefore => return Err(Failure::expired_at(&self.client)),
            Approved::Ended => return Box::pin(self.again(visit)).await,
        };
        if self.pending.is_some() {
            taken_up(visit, id);
        }
        let browser_state = visit.browser_state();
        let session_state = session_state::of_answer(&self.request, id, &browser_state);
        let success = Success { session_state, ..success };
        let answer = self.target.success(visit.app.issuer(), success);
        let mut response = visit.deliver(&self.client, encoder, answer)?;
        visit.mend_browser_state(&browser_state, &mut response);
        Ok(response)
    }

    /// The session, the account or the consent has ended while the request was answered: what happens next is another
    /// question now.
    async fn again(mut self, visit: &Visit) -> Answer {
        if self.is_late {
            let description = "The sign-in or the consent ended while the request was answered.";
            return self.refuse(visit, &OAuthError::new(ErrorCode::LoginRequired, description)).await;
        }
        self.is_late = true;
        // External pages have answered this one, and are asked anew about what was asked for at first.
        if self.external_ui(&visit.app).is_some()
            && let Some(pending) = self.pending.take()
        {
            self.request = pending.request;
        }
        self.advance(visit).await
    }

    /// The person said no (RFC 6749 4.1.2.1).
    pub(super) async fn deny(&self, visit: &Visit, person: &SignedIn) -> Answer {
        let (user, client, scope) = (&person.user.id, &self.client.id, &self.request.scope);
        let refused = Event::ConsentRefused { user, client, scope };
        visit.app.audit.write(&Actor::User, &refused, visit.app.now()).await?;
        let error = OAuthError::new(ErrorCode::AccessDenied, "The user did not give consent.");
        self.refuse(visit, &error).await
    }

    /// Sends the browser back with an error.
    pub(super) async fn refuse(&self, visit: &Visit, error: &OAuthError) -> Answer {
        if let Some(pending) = &self.pending {
            visit.app.storage.note_answered(&pending.id).await?;
        }
        visit.refuse(&self.client, &self.target, error).await
    }

    /// The same where it may be that no person has seen a page about the request: signing in and choosing are on pages that
    /// name where it leads.
    pub(super) async fn refuse_unseen(&self, visit: &Visit, error: &OAuthError) -> Answer {
        let Some(pending) = &self.pending else {
            return visit.refuse_unseen(&self.client, &self.target, error).await;
        };
        if pending.account().is_some() {
            return self.refuse(visit, error).await;
        }
        visit.app.storage.note_answered(&pending.id).await?;
        visit.refuse_unseen(&self.client, &self.target, error).await
    }

    /// Sends the browser to a page that carries only the request's id.
    async fn wait_at(self, visit: &Visit, page: &str) -> Answer {
        let id = match self.pending {
            Some(pending) => pending.id,
            None => store(visit, self.request).await?,
        };
        Ok(visit.redirect_to_page(&format!("{page}?request={id}")))
    }
}

impl Who {
    pub(super) fn person(&self) -> Option<&SignedIn> {
        match self {
            Self::Person { signed_in, .. } => Some(signed_in),
            Self::ToBeChosen | Self::Another | Self::Nobody => None,
        }
    }

    /// The one whom somebody chose for this request.
    pub(super) fn chosen(&self) -> Option<&SignedIn> {
        match self {
            Self::Person { signed_in, by: Some(Means::Choice) } => Some(signed_in),
            Self::Person { .. } | Self::ToBeChosen | Self::Another | Self::Nobody => None,
        }
    }
}

pub(super) async fn store(
    visit: &Visit,
    request: AuthorizationRequest,
) -> Result<AuthorizationRequestId, Failure> {
    let now = visit.app.now();
    let pending = PendingRequest {
        id: AuthorizationRequestId::new(random::id()),
        request,
        owner: RequestOwner::Browser { digest: visit.browser_digest(), account: None },
        created_at: now,
        expires_at: now.plus(visit.app.settings.sessions.request_seconds),
    };
    with_place(visit, async { Ok(visit.app.storage.insert_request(&pending).await?) }).await?;
    Ok(pending.id)
}

/// Nobody is known yet who could be held to what is stored: whoever is at this address has so many places.
pub(super) async fn with_place<T>(
    visit: &Visit,
    store: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let placed = visit.app.waiting.with_place(Holder::at(visit.address), || visit.app.now(), store).await;
    placed.map_err(|Full| Failure::new(Problem::TooManyRequests))?
}

/// A person has taken up a request that waited.
pub(super) fn taken_up(visit: &Visit, id: &AuthorizationRequestId) {
    visit.app.waiting.give_back(&Holder::at(visit.address), id.as_str(), visit.app.now());
}
