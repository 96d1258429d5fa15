//! The page at which a person types a device's code and decides (RFC 8628 3.3), with what RFC 8628 5.4 and the
//! BCP for cross-device flows (RFC 10027) ask for against codes that an attacker sends around: the code is
//! typed or compared, the page shows who asks and from where, somebody always decides, and attempts are limited.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::SignedIn;
use super::answer::{Answer, Failure, retry_after};
use super::browser;
use super::destination::Destination;
use super::own_page::OwnPage;
use super::select_account;
use super::sent::{Form, Query};
use crate::site::i18n::Messages;

use super::views::{
    Application, DeviceConfirmPage, DeviceDonePage, DevicePage, DeviceProblem, Permission, Person, Place,
    Problem,
};
use super::visit::Visit;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::grants::device_authorization;
use crate::model::{Allowed, Client, DeviceAuthorization, DeviceState, GrantType};
use crate::protocol::Parameters;
use crate::protocol::device::UserCode;
use crate::protocol::left;
use crate::protocol::resource::Target;
use crate::storage::{Insertion, Remember, Yes};
use crate::tries::{self, Try};

/// A device's request, by the code that somebody typed.
struct Asked {
    authorization: DeviceAuthorization,
    client: Arc<Client>,
    code: UserCode,
}

/// A request that was found, and the try by which it was.
type Found<'a> = (Asked, Try<'a>);

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let code = device_authorization::code_of_link(&visit.app.master_key, &parameters);
    Ok(match visit.signed_in().await? {
        Some(person) => page(&visit, &person, "", code.as_ref(), None),
        None => go_by(&visit, code, "/login"),
    })
}

/// A code was typed.
pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let Some(person) = sender(&visit, &parameters).await? else {
        return Ok(go_by(&visit, None, "/login"));
    };
    let typed = parameters.get("user_code").unwrap_or_default();
    match find(&visit, &person, typed).await? {
        Ok((asked, attempt)) if is_open(&visit.app, &asked) => {
            attempt.was_right().await?;
            confirmation(&visit, &person, &asked).await
        }
        Ok(_) => {
            wrong(&visit, &person);
            Ok(page(&visit, &person, typed, None, Some(DeviceProblem::Wrong)))
        }
        Err(problem) => Ok(page(&visit, &person, typed, None, Some(problem))),
    }
}

/// Somebody has decided.
pub(super) async fn confirm(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let Some(person) = sender(&visit, &parameters).await? else {
        return Ok(go_by(&visit, None, "/login"));
    };
    let allowed = match parameters.get("decision") {
        Some("allow") => true,
        Some("deny") => false,
        Some("switch") => return Ok(go_by(&visit, None, select_account::PATH)),
        _ => return Err(Failure::new(Problem::BadRequest)),
    };
    let typed = parameters.get("user_code").unwrap_or_default();
    let (asked, attempt) = match find(&visit, &person, typed).await? {
        Ok(found) => found,
        Err(problem) => return Ok(page(&visit, &person, "", None, Some(problem))),
    };
    let decided = match allowed {
        true => allow(&visit.app, &person, &asked).await? == Insertion::Inserted,
        false => device_authorization::deny(&visit.app, &asked.authorization, &person.session).await?,
    };
    if decided || was_decided(&visit.app, &person, &asked, allowed).await? {
        attempt.was_right().await?;
        return Ok(done(&visit, &asked.client, allowed));
    }
    // Their session may have ended meanwhile.
    if visit.signed_in().await?.is_none() {
        return Ok(go_by(&visit, None, "/login"));
    }
    Ok(page(&visit, &person, "", None, Some(DeviceProblem::Wrong)))
}

async fn allow(app: &App, person: &SignedIn, asked: &Asked) -> Result<Insertion, Failure> {
    let Asked { authorization, client, .. } = asked;
    let mut outcome = Insertion::Nothing;
    // What was allowed before may have changed meanwhile: then it is read again, once.
    for _ in 0..2 {
        let before = app.storage.consent(&person.user.id, &client.id, app.now()).await?;
        let new = Allowed::of(&authorization.scope, &authorization.resources);
        let remember = Remember::adding(before.clone(), new, None);
        let (session, upon) = (&person.session, Yes::upon(before.as_ref()));
        outcome = device_authorization::approve(app, authorization, client, session, &remember, upon).await?;
        if outcome == Insertion::Inserted {
            break;
        }
    }
    Ok(outcome)
}

/// A form that was sent twice gets the same answer.
async fn was_decided(app: &App, person: &SignedIn, asked: &Asked, allowed: bool) -> Result<bool, Failure> {
    let Some(now) = device_authorization::find(app, &asked.code).await? else { return Ok(false) };
    let (was_allowed, user_id) = match now.state {
        DeviceState::Approved { user_id } | DeviceState::Consumed { user_id } => (true, user_id),
        DeviceState::Denied { user_id } => (false, user_id),
        DeviceState::Pending { .. } => return Ok(false),
    };
    Ok(was_allowed == allowed && user_id == person.user.id)
}

/// The person who sent a form of these pages; none: they have to sign in first.
async fn sender(visit: &Visit, parameters: &Parameters<'_>) -> Result<Option<SignedIn>, Failure> {
    let Some(person) = visit.signed_in().await? else { return Ok(None) };
    if visit.sent_by_us(Some(&person.session.id), parameters.get("csrf")) {
        Ok(Some(person))
    } else {
        Err(Failure::new(Problem::StaleForm))
    }
}

/// By way of another page, and back here.
fn go_by(visit: &Visit, code: Option<UserCode>, page: &str) -> Response {
    visit.redirect_to_page(&Destination::Page(OwnPage::Device(code)).by_way_of(&visit.app, page))
}

/// The request with this code. RFC 8628 5.1: there are few attempts, and each counts before it is looked up.
async fn find<'a>(
    visit: &'a Visit,
    person: &SignedIn,
    typed: &str,
) -> Result<Result<Found<'a>, DeviceProblem>, Failure> {
    if typed.trim().is_empty() {
        return Ok(Err(DeviceProblem::Missing));
    }
    let (user, session) = (&person.user.id, &person.session.id);
    let mut attempt =
        Try::user_code(&visit.app, session, user, &tries::network(&visit.app.master_key, visit.address));
    if let Err(wait) = attempt.count().await? {
        tracing::warn!(user = %person.user.id, address = %visit.address, "too many wrong user codes");
        visit.app.note(&Actor::User, Event::UserCodeThrottled { user, session });
        return Ok(Err(DeviceProblem::TooMany(wait)));
    }
    if let Some(code) = UserCode::parse(typed)
        && let Some(mut authorization) = device_authorization::find(&visit.app, &code).await?
        && let Some(registered) = visit.app.clients.find(&authorization.client_id).await?
        && registered.client.may_use(GrantType::DeviceCode)
    {
        let client = Arc::clone(&registered.client);
        // Nobody is asked for what was taken from the client since, and nobody allows it.
        authorization.scope = left::scope(&authorization.scope, &client, &visit.app.registry.catalogue());
        let asked = Asked { authorization, client, code };
        return Ok(Ok((asked, attempt)));
    }
    wrong(visit, person);
    Ok(Err(DeviceProblem::Wrong))
}

fn wrong(visit: &Visit, person: &SignedIn) {
    tracing::info!(user = %person.user.id, address = %visit.address, "wrong user code");
}

fn is_open(app: &App, asked: &Asked) -> bool {
    let DeviceAuthorization { state, expires_at, .. } = &asked.authorization;
    matches!(state, DeviceState::Pending { .. }) && *expires_at > app.now()
}

fn page(
    visit: &Visit,
    person: &SignedIn,
    typed: &str,
    linked: Option<&UserCode>,
    problem: Option<DeviceProblem>,
) -> Response {
    let linked = linked.map(UserCode::displayed);
    let view = DevicePage {
        frame: visit.frame(None),
        csrf: &visit.csrf(Some(&person.session.id)),
        signed_in_as: Person::of(&person.user),
        user_code: linked.as_deref().unwrap_or(typed),
        linked: linked.is_some(),
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(DeviceProblem::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(DeviceProblem::Missing | DeviceProblem::Wrong) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = visit.page(status, &view);
    if let Some(DeviceProblem::TooMany(wait)) = problem {
        retry_after(&mut response, wait);
    }
    response
}

/// Shown whatever was allowed before, and to the operator's own applications too: consent says what an application may
/// do, not that this device is the one in front of the person.
async fn confirmation(visit: &Visit, person: &SignedIn, asked: &Asked) -> Answer {
    let Asked { authorization, client, code } = asked;
    let before = visit.app.storage.consent(&person.user.id, &client.id, visit.app.now()).await?;
    let before = before.map(|consent| consent.allowed).unwrap_or_default();
    let new = before.new_in(&authorization.scope, &authorization.resources);
    let frame = visit.frame(None);
    let catalogue = visit.app.registry.catalogue();
    let target = Target::narrowed(&authorization.resources, &[], client, &catalogue).unwrap_or_default();
    let permission = |scope| Permission::new(frame.text, &catalogue, scope, new.scope.contains(scope));
    let view = DeviceConfirmPage {
        frame,
        application: Application::of(client, frame.text.tag()),
        signed_in_as: Person::of(&person.user),
        csrf: &visit.csrf(Some(&person.session.id)),
        user_code: &code.displayed(),
        resources: Place::all(&target, &before, &new),
        permissions: authorization.scope.iter().map(permission).collect(),
        offline: client.gets_refresh_token(&authorization.scope),
        address: &authorization.address.to_string(),
        device: browser::recognise(frame.text, &authorization.user_agent),
        asked: asked_when(&visit.app, frame.text, authorization),
    };
    Ok(visit.page(StatusCode::OK, &view))
}

fn asked_when(app: &App, text: &Messages, authorization: &DeviceAuthorization) -> String {
    text.minutes_ago(authorization.created_at.unix(), app.now().unix())
}

fn done(visit: &Visit, client: &Client, allowed: bool) -> Response {
    let frame = visit.frame(None);
    let application = Application::of(client, frame.text.tag());
    let view = DeviceDonePage { frame, application, allowed };
    visit.page(StatusCode::OK, &view)
}
