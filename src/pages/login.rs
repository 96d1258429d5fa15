//! The sign-in page: for a waiting authorization request, or for a page of our own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{Answer, Failure};
use super::flow::{Flow, Resumed};
use super::links::ReturnTo;
use super::own_page::OwnPage;
use super::sent::{Form, Query};
use super::views::{Application, LoginPage, LoginProblem, Problem};
use super::visitor::Visitor;
use crate::app::App;
use crate::grants::password_check::{self, Unrecognised};
use crate::model::User;
use crate::protocol::interaction::{self, Step};

/// What one signs in for.
enum Goal {
    /// A waiting authorization request.
    Request(Box<Flow>),
    Page(OwnPage),
}

pub async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let Some(id) = parameters.get("request") else {
        let own = OwnPage::requested(&app, &parameters);
        return Ok(match visitor.signed_in(&app).await? {
            Some(_) => visitor.redirect_to_page(&app, &own.path(&app)),
            None => page(&app, &visitor, &Goal::Page(own), "", None),
        });
    };
    let flow = match Flow::resume(&app, &visitor, id).await? {
        Resumed::Waiting(flow) => flow,
        Resumed::Elsewhere(response) => return Ok(response),
    };
    // Whoever comes back to this page after signing in goes on from there.
    let signed_in = visitor.signed_in(&app).await?;
    let situation = flow.situation(&app, signed_in.as_ref(), None);
    match interaction::next(&flow.request, &flow.client, situation) {
        Step::SignIn => {
            let hint = flow.request.login_hint.clone().unwrap_or_default();
            Ok(page(&app, &visitor, &Goal::Request(flow), &hint, None))
        }
        Step::Consent { .. } | Step::Issue | Step::Refuse(_) => flow.advance(&app, &visitor).await,
    }
}

pub async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let goal = match parameters.get("request") {
        None => Goal::Page(OwnPage::requested(&app, &parameters)),
        Some(id) => match Flow::resume(&app, &visitor, id).await? {
            Resumed::Waiting(flow) => Goal::Request(flow),
            Resumed::Elsewhere(response) => return Ok(response),
        },
    };
    let username = parameters.get("username").unwrap_or_default();
    if !visitor.sent_by_us(&app, None, parameters.get("csrf")) {
        return Ok(page(&app, &visitor, &goal, username, Some(LoginProblem::Stale)));
    }
    match authenticate(&app, &visitor, username, parameters.get("password")).await? {
        Ok(user) => enter(&app, &visitor, goal, &user).await,
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
) -> Result<Result<User, LoginProblem>, Failure> {
    let Some(password) = password else { return Ok(Err(LoginProblem::PasswordMissing)) };
    if username.trim().is_empty() {
        return Ok(Err(LoginProblem::UsernameMissing));
    }
    match password_check::recognise(app, username, password, &visitor.address).await {
        Ok(user) => Ok(Ok(user)),
        Err(Unrecognised::Wrong) => Ok(Err(LoginProblem::Wrong)),
        Err(Unrecognised::TooMany) => Ok(Err(LoginProblem::TooMany)),
        Err(Unrecognised::Busy) => Ok(Err(LoginProblem::Busy)),
        Err(Unrecognised::Storage(error)) => Err(error.into()),
        Err(Unrecognised::Password(error)) => Err(error.into()),
    }
}

async fn enter(app: &App, visitor: &Visitor, goal: Goal, user: &User) -> Answer {
    let started = visitor.start_session(app, &user.id).await?;
    tracing::info!(user = %user.id, session = %started.session.id, address = %visitor.address, "signed in");
    let next = match goal {
        Goal::Page(own) => own.path(app),
        Goal::Request(flow) => {
            let pending = flow.pending.ok_or_else(|| Failure::new(Problem::Expired))?;
            app.storage.set_request_session(&pending.id, &started.session.id).await?;
            format!("/login?request={}", pending.id)
        }
    };
    let mut response = visitor.redirect_to_page(app, &next);
    started.set_cookie(app, &mut response);
    Ok(response)
}

fn page(
    app: &App,
    visitor: &Visitor,
    goal: &Goal,
    username: &str,
    problem: Option<LoginProblem>,
) -> Response {
    let (flow, return_page) = match goal {
        Goal::Request(flow) => (Some(flow), String::new()),
        Goal::Page(OwnPage::Account) => (None, String::new()),
        Goal::Page(own) => (None, own.path(app)),
    };
    let client = flow.map(|flow| &flow.client);
    let pending = flow.and_then(|flow| flow.pending.as_ref());
    let frame = visitor.frame(app, flow.and_then(|flow| flow.request.ui_locales.as_deref()));
    let view = LoginPage {
        frame,
        application: client.map(|client| Application::of(client, frame.text.tag())),
        return_to: flow.and_then(|flow| ReturnTo::parse(flow.target.uri())),
        request: pending.map_or("", |pending| pending.id.as_str()),
        return_page: &return_page,
        csrf: &visitor.csrf(app, None),
        username,
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(LoginProblem::Busy) => Problem::Busy.status(),
        Some(LoginProblem::Stale) => StatusCode::FORBIDDEN,
        Some(LoginProblem::TooMany) => StatusCode::TOO_MANY_REQUESTS,
        Some(LoginProblem::Wrong | LoginProblem::UsernameMissing | LoginProblem::PasswordMissing) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    visitor.page(app, status, &view)
}
