//! The sign-in page: for a waiting authorization request, or for a page of our own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{Answer, Failure, retry_after};
use super::flow::{self, Flow};
use super::goal::Goal;
use super::own_page::OwnPage;
use super::select_account;
use super::sent::{Form, Query};
use super::views::{LoginPage, LoginProblem, Problem};
use super::visitor::Visitor;
use crate::app::App;
use crate::grants::password_check::{self, Recognised, Typed, Unrecognised};
use crate::model::Means;
use crate::protocol::Parameters;
use crate::protocol::interaction::{self, Step};

/// `account=other`: whoever is signed in wants to sign in as somebody else too.
fn wants_another(parameters: &Parameters<'_>) -> bool {
    parameters.get("account") == Some("other")
}

pub(super) async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let goal = match Goal::of(&app, &visitor, &parameters).await? {
        Ok(goal) => goal,
        Err(elsewhere) => return Ok(elsewhere),
    };
    match goal {
        _ if wants_another(&parameters) => Ok(page(&app, &visitor, &goal, "", None)),
        Goal::Request(flow) => show(&app, &visitor, flow).await,
        Goal::Page(own) => show_own(&app, &visitor, own).await,
    }
}

/// Whoever comes back to this page after signing in goes on from there.
async fn show(app: &App, visitor: &Visitor, flow: Box<Flow>) -> Answer {
    let who = flow.who(app, visitor).await?;
    match interaction::next(&flow.request, &flow.client, flow.situation(app, &who, None)) {
        Step::SignIn => {
            let hint = flow.request.login_hint.clone().unwrap_or_default();
            let username = who.chosen().map_or(hint, |person| person.user.username.clone());
            Ok(page(app, visitor, &Goal::Request(flow), &username, None))
        }
        Step::SelectAccount | Step::Consent { .. } | Step::Issue | Step::Refuse(_) => {
            flow.advance(app, visitor).await
        }
    }
}

async fn show_own(app: &App, visitor: &Visitor, own: OwnPage) -> Answer {
    let accounts = visitor.accounts(app).await?;
    if accounts.current.is_some() {
        return Ok(visitor.redirect_to_page(app, &own.path(app)));
    }
    let goal = Goal::Page(own);
    if accounts.is_empty() {
        return Ok(page(app, visitor, &goal, "", None));
    }
    Ok(visitor.redirect_to_page(app, &goal.by_way_of(app, select_account::PATH)))
}

pub(super) async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let goal = match Goal::of(&app, &visitor, &parameters).await? {
        Ok(goal) => goal,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let username = parameters.get("username").unwrap_or_default();
    if !visitor.sent_by_us(&app, None, parameters.get("csrf")) {
        return Ok(page(&app, &visitor, &goal, username, Some(LoginProblem::Stale)));
    }
    match authenticate(&app, &visitor, username, parameters.get("password")).await? {
        Ok(recognised) => enter(&app, &visitor, goal, &recognised, username).await,
        Err(problem) => {
            tracing::info!(address = %visitor.address, "sign-in refused");
            Ok(page(&app, &visitor, &goal, username, Some(problem)))
        }
    }
}

/// Who a user name and a password belong to.
async fn authenticate(
    app: &App,
    visitor: &Visitor,
    username: &str,
    password: Option<&str>,
) -> Result<Result<Recognised, LoginProblem>, Failure> {
    let Some(password) = password else { return Ok(Err(LoginProblem::PasswordMissing)) };
    if username.trim().is_empty() {
        return Ok(Err(LoginProblem::UsernameMissing));
    }
    let typed = Typed { username, password, address: &visitor.address, browser: visitor.known.as_ref() };
    match password_check::recognise(app, &typed).await {
        Ok(recognised) => Ok(Ok(recognised)),
        Err(Unrecognised::Wrong) => Ok(Err(LoginProblem::Wrong)),
        Err(Unrecognised::TooMany(wait)) => Ok(Err(LoginProblem::TooMany(wait))),
        Err(Unrecognised::Busy) => Ok(Err(LoginProblem::Busy)),
        Err(Unrecognised::Storage(error)) => Err(error.into()),
        Err(Unrecognised::Password(error)) => Err(error.into()),
    }
}

async fn enter(app: &App, visitor: &Visitor, goal: Goal, recognised: &Recognised, username: &str) -> Answer {
    let user = &recognised.user;
    let Some(started) = visitor.start_session(app, recognised).await? else {
        password_check::outlived(app, user);
        return Ok(page(app, visitor, &goal, username, Some(LoginProblem::Wrong)));
    };
    tracing::info!(user = %user.id, session = %started.session.id, address = %visitor.address, "signed in");
    let next = match goal {
        Goal::Page(own) => own.path(app),
        Goal::Request(flow) => {
            let pending = flow.pending.ok_or_else(|| Failure::new(Problem::Expired))?;
            app.storage.set_request_account(&pending.id, &started.session.id, Means::SignIn).await?;
            flow::taken_up(app, visitor, &pending.id);
            format!("/login?request={}", pending.id)
        }
    };
    let mut response = visitor.redirect_to_page(app, &next);
    started.set_cookies(app, &mut response);
    Ok(response)
}

fn page(
    app: &App,
    visitor: &Visitor,
    goal: &Goal,
    username: &str,
    problem: Option<LoginProblem>,
) -> Response {
    let frame = visitor.frame(app, goal.ui_locales());
    let view = LoginPage {
        frame,
        application: goal.application(frame.text),
        return_to: goal.return_to(),
        request: goal.request_id(),
        return_page: &goal.return_page(app),
        csrf: &visitor.csrf(app, None),
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
    let mut response = match goal {
        Goal::Request(_) => visitor.page_with_opener(app, status, &view),
        Goal::Page(_) => visitor.page(app, status, &view),
    };
    if let Some(LoginProblem::TooMany(wait)) = problem {
        retry_after(&mut response, wait);
    }
    response
}
