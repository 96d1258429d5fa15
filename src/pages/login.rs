//! The sign-in page: for a waiting authorization request, or for a page of our own.

use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{Answer, Failure, retry_after};
use super::destination::Destination;
use super::flow::{self, Flow};
use super::own_page::OwnPage;
use super::select_account;
use super::sent::{Form, Query};
use super::views::{LoginPage, LoginProblem, Problem};
use super::visit::Visit;
use crate::grants::password_check::{self, Recognised, Typed, Unrecognised};
use crate::model::Means;
use crate::protocol::Parameters;
use crate::protocol::interaction::{self, Step};

/// `account=other`: whoever is signed in wants to sign in as somebody else too.
fn wants_another(parameters: &Parameters<'_>) -> bool {
    parameters.get("account") == Some("other")
}

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let destination = Destination::of(&visit, &parameters).await?;
    match destination {
        _ if wants_another(&parameters) => Ok(page(&visit, &destination, "", None)),
        Destination::Request(flow) => show(&visit, flow).await,
        Destination::Page(own) => show_own(&visit, own).await,
    }
}

/// Whoever comes back to this page after signing in goes on from there.
async fn show(visit: &Visit, flow: Box<Flow>) -> Answer {
    let who = flow.who(visit).await?;
    match interaction::next(&flow.request, &flow.client, flow.situation(&visit.app, &who, None)) {
        Step::SignIn => {
            let hint = flow.request.login_hint.clone().unwrap_or_default();
            let username = who.chosen().map_or(hint, |person| person.user.username.clone());
            Ok(page(visit, &Destination::Request(flow), &username, None))
        }
        Step::SelectAccount | Step::Consent { .. } | Step::Issue | Step::Refuse(_) => {
            flow.advance(visit).await
        }
    }
}

async fn show_own(visit: &Visit, own: OwnPage) -> Answer {
    let accounts = visit.accounts().await?;
    if accounts.current.is_some() {
        return Ok(visit.redirect_to_page(&own.path(&visit.app)));
    }
    let destination = Destination::Page(own);
    if accounts.is_empty() {
        return Ok(page(visit, &destination, "", None));
    }
    Ok(visit.redirect_to_page(&destination.by_way_of(&visit.app, select_account::PATH)))
}

pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let destination = Destination::of(&visit, &parameters).await?;
    let username = parameters.get("username").unwrap_or_default();
    if !visit.sent_by_us(None, parameters.get("csrf")) {
        return Ok(page(&visit, &destination, username, Some(LoginProblem::Stale)));
    }
    match authenticate(&visit, username, parameters.get("password")).await? {
        Ok(recognised) => enter(&visit, destination, &recognised, username).await,
        Err(problem) => {
            tracing::info!(address = %visit.address, "sign-in refused");
            Ok(page(&visit, &destination, username, Some(problem)))
        }
    }
}

/// Who a user name and a password belong to.
async fn authenticate(
    visit: &Visit,
    username: &str,
    password: Option<&str>,
) -> Result<Result<Recognised, LoginProblem>, Failure> {
    let Some(password) = password else { return Ok(Err(LoginProblem::PasswordMissing)) };
    if username.trim().is_empty() {
        return Ok(Err(LoginProblem::UsernameMissing));
    }
    let typed = Typed { username, password, address: visit.address, browser: visit.known.as_ref() };
    match password_check::recognise(&visit.app, &typed).await {
        Ok(recognised) => Ok(Ok(recognised)),
        Err(Unrecognised::Wrong) => Ok(Err(LoginProblem::Wrong)),
        Err(Unrecognised::TooMany(wait)) => Ok(Err(LoginProblem::TooMany(wait))),
        Err(Unrecognised::Busy) => Ok(Err(LoginProblem::Busy)),
        Err(Unrecognised::Storage(error)) => Err(error.into()),
        Err(Unrecognised::Password(error)) => Err(error.into()),
    }
}

async fn enter(visit: &Visit, destination: Destination, recognised: &Recognised, username: &str) -> Answer {
    let user = &recognised.user;
    let Some(started) = visit.start_session(recognised).await? else {
        password_check::outlived(&visit.app, user);
        return Ok(page(visit, &destination, username, Some(LoginProblem::Wrong)));
    };
    tracing::info!(user = %user.id, session = %started.session.id, address = %visit.address, "signed in");
    let next = match destination {
        Destination::Page(own) => own.path(&visit.app),
        Destination::Request(flow) => {
            let pending = flow.pending.ok_or_else(|| Failure::new(Problem::Expired))?;
            visit.app.storage.set_request_account(&pending.id, &started.session.id, Means::SignIn).await?;
            flow::taken_up(visit, &pending.id);
            format!("/login?request={}", pending.id)
        }
    };
    let mut response = visit.redirect_to_page(&next);
    started.set_cookies(&visit.app, &mut response);
    Ok(response)
}

fn page(visit: &Visit, destination: &Destination, username: &str, problem: Option<LoginProblem>) -> Response {
    let frame = visit.frame(destination.ui_locales());
    let view = LoginPage {
        frame,
        application: destination.application(frame.text),
        return_to: destination.return_to(),
        request: destination.request_id(),
        return_page: &destination.return_page(&visit.app),
        csrf: &visit.csrf(None),
        username,
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(LoginProblem::Busy) => Problem::Busy.status(),
        Some(LoginProblem::Stale) => StatusCode::FORBIDDEN,
        Some(LoginProblem::TooMany(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(LoginProblem::Wrong | LoginProblem::UsernameMissing | LoginProblem::PasswordMissing) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    let mut response = match destination {
        Destination::Request(_) => visit.page_with_opener(status, &view),
        Destination::Page(_) => visit.page(status, &view),
    };
    if let Some(LoginProblem::TooMany(wait)) = problem {
        retry_after(&mut response, wait);
    }
    response
}
