//! The account page: which applications have access, where one is signed in, the password.

use axum::http::StatusCode;

use super::accounts::{SignedIn, is_live};
use super::answer::{Answer, Failure, retry_after};
use super::browser;
use super::select_account;
use super::sent::{Form, Query};
use crate::site::i18n::Messages;
use crate::site::links::WebLink;

use super::views::{
    AccountNotice, AccountPage, AppLink, AppRow, Application, PasswordProblem, Permission, Person, Place,
    Problem, SessionRow,
};
use super::visit::Visit;
use crate::app::App;
use crate::audit::{Actor, Ended, Event, SessionEnd};
use crate::crypto::password::{self, Against, PasswordError, UnacceptablePassword};
use crate::grants::password_check::{self, Recognised};
use crate::model::{Allowed, ClientId, ScopeSet, Secret, Session, SessionId, SignInGeneration, Timestamp};
use crate::protocol::{Parameters, initiated_login};
use crate::storage::{Ending, PasswordChange, StorageError};
use crate::tries::{self, Try};

/// An application with access, put together from the consent and the grants.
struct Access {
    client_id: ClientId,
    allowed: Allowed,
    since: Timestamp,
    last_used_at: Option<Timestamp>,
    grace_used_at: Option<Timestamp>,
}

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    match visit.signed_in().await? {
        Some(person) => page(&visit, &person, notice(&sent.parameters()?), None).await,
        None => Ok(visit.redirect_to_page("/login")),
    }
}

pub(super) async fn revoke_app(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let person = sender(&visit, &parameters).await?;
    let client = ClientId::new(parameters.require("client_id")?);
    let SignedIn { user, session, .. } = &person;
    let revoked = Event::ConsentRevoked { user: &user.id, session: &session.id, client: &client };
    if visit.app.storage.withdraw(visit.app.noted(&Actor::User, revoked), &user.id, &client).await? {
        tracing::info!(user = %person.user.id, %client, "access taken back");
    }
    Ok(visit.redirect_to_page("/account?done=access"))
}

pub(super) async fn end_session(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let person = sender(&visit, &parameters).await?;
    let session = SessionId::new(parameters.require("session")?);
    let (user, reason) = (&person.user.id, SessionEnd::AccountPage);
    let ended = Event::SessionEnded { user, session: &session, reason };
    if visit
        .app
        .storage
        .end_session(visit.app.noted(&Actor::User, ended), &session, user, visit.app.now())
        .await?
    {
        tracing::info!(user = %person.user.id, %session, "session ended from the account page");
    }
    Ok(visit.redirect_to_page("/account?done=session"))
}

pub(super) async fn change_password(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let person = sender(&visit, &parameters).await?;
    match set_password(&visit, &person, &parameters).await? {
        Ok(proof) => reenter(&visit, person, proof).await,
        Err(problem) => page(&visit, &person, None, Some(problem)).await,
    }
}

/// The person who sent a form of this page.
async fn sender(visit: &Visit, parameters: &Parameters<'_>) -> Result<SignedIn, Failure> {
    let stale = || Failure::new(Problem::StaleForm);
    let person = visit.signed_in().await?.ok_or_else(stale)?;
    if visit.sent_by_us(Some(&person.session.id), parameters.get("csrf")) { Ok(person) } else { Err(stale()) }
}

async fn set_password(
    visit: &Visit,
    person: &SignedIn,
    parameters: &Parameters<'_>,
) -> Result<Result<NewProof, PasswordProblem>, Failure> {
    let field = |name| parameters.get(name).unwrap_or_default();
    let (current, new) = (field("current_password"), Secret::new(field("new_password")));
    match password::check_new(&new) {
        Ok(()) => {}
        Err(UnacceptablePassword::TooShort) => {
            return Ok(Err(PasswordProblem::TooShort(password::SHORTEST_CHARACTERS)));
        }
        Err(UnacceptablePassword::TooLong) => {
            return Ok(Err(PasswordProblem::TooLong(password::LONGEST_BYTES)));
        }
        Err(UnacceptablePassword::Unseen) => return Ok(Err(PasswordProblem::Unseen)),
    }
    if new.expose() != field("repeat_password") {
        return Ok(Err(PasswordProblem::Mismatch));
    }
    // The box is ticked as the page comes, and a box that is not ticked is not sent.
    let new = NewPassword { password: new, everywhere: parameters.get("everywhere").is_some() };
    match change(visit, person, current, new).await {
        Err(NotChanged::Password(PasswordError::Busy)) => Ok(Err(PasswordProblem::Busy)),
        Err(NotChanged::Password(error)) => Err(error.into()),
        Err(NotChanged::Storage(error)) => Err(error.into()),
        Err(NotChanged::Stale) => Err(Failure::new(Problem::StaleForm)),
        Ok(done) => Ok(done),
    }
}

/// What somebody wants their password to be.
struct NewPassword {
    password: Secret,
    /// Whether the access of applications is to end as well.
    everywhere: bool,
}

/// What whoever changed their password may go on with.
struct NewProof {
    counts: SignInGeneration,
    /// What changes with the password, for browsers to be known by.
    known_since: String,
}

/// Why a password could be neither compared nor changed.
enum NotChanged {
    Password(PasswordError),
    Storage(StorageError),
    /// Their session ended meanwhile, or the password is another one by now.
    Stale,
}

impl From<PasswordError> for NotChanged {
    fn from(error: PasswordError) -> Self {
        Self::Password(error)
    }
}

impl From<StorageError> for NotChanged {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Changes the password. The current one counts for the session in which it is
/// given: strangers who guess do not hold up who is signed in, and whoever has a stolen session guesses slowly.
async fn change(
    visit: &Visit,
    person: &SignedIn,
    current: &str,
    new: NewPassword,
) -> Result<Result<NewProof, PasswordProblem>, NotChanged> {
    let (user, session) = (&person.user.id, &person.session.id);
    let mut attempt = Try::password_of(&visit.app, session);
    let network = tries::network(&visit.app.master_key, visit.address);
    let entry = visit.app.passwords.enter(&network, attempt.one())?;
    let place = visit.app.passwords.place(entry, attempt.one(), user.as_str())?;
    if let Err(wait) = attempt.count().await? {
        visit.app.note(&Actor::User, Event::PasswordChangeThrottled { user, session });
        return Ok(Err(PasswordProblem::TooMany(wait)));
    }
    // Users of an external login page have no password, and their names may be those of others.
    let found = visit.app.storage.credentials(&person.user.username).await?;
    let found = found.filter(|found| found.user.id == person.user.id);
    let sign_in = found.as_ref().map_or(SignInGeneration::FIRST, |found| found.sign_in);
    let hash = found.and_then(|found| found.password_hash);
    let against = hash.as_deref().map_or(Against::Nothing(user.as_str()), Against::Hash);
    if !visit.app.passwords.verify(&place, Secret::new(current), against).await? {
        attempt.was_wrong().await?;
        visit.app.note(&Actor::User, Event::PasswordChangeFailed { user, session });
        return Ok(Err(PasswordProblem::Wrong));
    }
    attempt.was_theirs().await?;
    let hash = visit.app.passwords.hash_at(&place, new.password).await?;
    let ended = if new.everywhere { Ended::Everything } else { Ended::Sessions };
    let noted = visit.app.noted(&Actor::User, Event::PasswordChanged { user, session, ended });
    let storage = if new.everywhere {
        &visit.app.storage.clone().ending(Ending::Everything)
    } else {
        &visit.app.storage
    };
    let change = PasswordChange { user, session, sign_in, hash: &hash };
    // Their session may have ended while two passwords were hashed, or the old one may be another by now.
    let Some(counts) = storage.change_password(noted, change, visit.app.now()).await? else {
        return Err(NotChanged::Stale);
    };
    tracing::info!(user = %person.user.id, everywhere = new.everywhere, "password changed; every session ended");
    let known_since = password_check::known_since(&hash, counts).unwrap_or_default();
    Ok(Ok(NewProof { counts, known_since }))
}

/// A new password ends every session; the one who changed it goes on in a new one.
async fn reenter(visit: &Visit, person: SignedIn, proof: NewProof) -> Answer {
    let NewProof { counts, known_since } = proof;
    let recognised = Recognised { user: person.user, proof: counts, known_since };
    let Some(started) = visit.start_session(&recognised).await? else {
        return Ok(visit.redirect_to_page("/login"));
    };
    let mut response = visit.redirect_to_page("/account?done=password");
    started.set_cookies(&visit.app, &mut response);
    Ok(response)
}

fn notice(parameters: &Parameters<'_>) -> Option<AccountNotice> {
    match parameters.get("done") {
        Some("access") => Some(AccountNotice::AccessRemoved),
        Some("session") => Some(AccountNotice::SessionEnded),
        Some("password") => Some(AccountNotice::PasswordChanged),
        _ => None,
    }
}

async fn page(
    visit: &Visit,
    person: &SignedIn,
    notice: Option<AccountNotice>,
    password_problem: Option<PasswordProblem>,
) -> Answer {
    let frame = visit.frame(None);
    let mut sessions = visit.app.storage.sessions_of(&person.user.id, visit.app.now()).await?;
    sessions.retain(|session| is_live(&visit.app, session));
    let apps = app_rows(&visit.app, frame.text, person).await?;
    let view = AccountPage {
        frame,
        csrf: &visit.csrf(Some(&person.session.id)),
        signed_in_as: Person::of(&person.user),
        notice,
        password_problem,
        others: visit.accounts().await?.others.iter().map(select_account::row).collect(),
        more_apps: more_apps(&visit.app, frame.text, person, &apps).await?,
        apps,
        sessions: sessions
            .iter()
            .map(|session| session_row(&visit.app, frame.text, person, session))
            .collect(),
    };
    let status = match password_problem {
        None => StatusCode::OK,
        Some(PasswordProblem::Busy) => Problem::Busy.status(),
        Some(PasswordProblem::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = visit.page(status, &view);
    if let Some(PasswordProblem::TooMany(wait)) = password_problem {
        retry_after(&mut response, wait);
    }
    Ok(response)
}

async fn app_rows(app: &App, text: &Messages, person: &SignedIn) -> Result<Vec<AppRow>, Failure> {
    let (mut rows, catalogue) = (Vec::new(), app.registry.catalogue());
    for access in access(app, person).await? {
        let Some(registered) = app.clients.find(&access.client_id).await? else { continue };
        let client = &registered.client;
        let permission = |scope| Permission::new(text, &catalogue, scope, false);
        let scope = access.allowed.all_scopes();
        let start = initiated_login::link(client, app.issuer(), &person.user.username, &scope);
        let unchecked = start.as_deref().filter(|_| client.is_self_registered());
        rows.push(AppRow {
            client_id: access.client_id.as_str().to_owned(),
            application: Application::of(client, text.tag()),
            permissions: scope.iter().map(permission).collect(),
            resources: Place::allowed(&access.allowed, &catalogue),
            start_host: unchecked.and_then(WebLink::parse).map(|link| link.host),
            start,
            since: text.date(access.since.unix()),
            last_used: access.last_used_at.map(|at| text.when(at.unix(), app.now().unix())),
            presented_again: access.grace_used_at.map(|at| text.when(at.unix(), app.now().unix())),
        });
    }
    Ok(rows)
}

/// The operator's apps that the person has not given access yet.
async fn more_apps(
    app: &App,
    text: &Messages,
    person: &SignedIn,
    known: &[AppRow],
) -> Result<Vec<AppLink>, Failure> {
    let mut links = Vec::new();
    for client in app.storage.clients_for_everybody().await? {
        let is_known = known.iter().any(|row| row.client_id == client.id.as_str());
        let (name, nothing) = (&person.user.username, ScopeSet::default());
        let start = initiated_login::link(&client, app.issuer(), name, &nothing).filter(|_| !is_known);
        links.extend(start.map(|start| AppLink { application: Application::of(&client, text.tag()), start }));
    }
    Ok(links)
}

/// Consents and live grants, one entry a client.
async fn access(app: &App, person: &SignedIn) -> Result<Vec<Access>, Failure> {
    let granted = app.storage.access_of(&person.user.id, app.now()).await?;
    let consents = app.storage.consents_of(&person.user.id, app.now()).await?;
    let mut all: Vec<Access> = consents
        .into_iter()
        .map(|consent| Access {
            client_id: consent.client_id,
            allowed: consent.allowed,
            since: consent.created_at,
            last_used_at: None,
            grace_used_at: None,
        })
        .collect();
    for grant in granted {
        match all.iter_mut().find(|access| access.client_id == grant.client_id) {
            Some(access) => {
                (access.last_used_at, access.grace_used_at) = (Some(grant.last_used_at), grant.grace_used_at);
            }
            // Access without a consent: the operator's own application.
            None => all.push(Access {
                client_id: grant.client_id,
                allowed: Allowed::default(),
                since: grant.since,
                last_used_at: Some(grant.last_used_at),
                grace_used_at: grant.grace_used_at,
            }),
        }
    }
    Ok(all)
}

fn session_row(app: &App, text: &Messages, person: &SignedIn, session: &Session) -> SessionRow {
    let now = app.now().unix();
    SessionRow {
        id: session.id.as_str().to_owned(),
        browser: browser::describe(text, Some(&session.user_agent)),
        since: text.when(session.created_at.unix(), now),
        last_seen: text.when(session.last_seen_at.unix(), now),
        is_current: session.id == person.session.id,
    }
}
