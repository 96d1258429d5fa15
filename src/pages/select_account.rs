//! The account chooser (OpenID Connect Core 3.1.2.1, `select_account`): everybody who is signed in in this browser, a way
//! to sign in as somebody else, and to sign out of one account or of all.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::{Accounts, SignedIn};
use super::answer::{Answer, Failure};
use super::flow;
use super::goal::Goal;
use super::sent::{Form, Query};
use super::signed_out::{self, Onward};
use super::views::{AccountRow, Problem, SelectAccountPage};
use super::visitor::Visitor;
use crate::app::App;
use crate::model::{Means, SessionId};
use crate::protocol::Parameters;

pub(super) const PATH: &str = "/select_account";

/// What a person may answer.
enum Choice {
    Account(SessionId),
    SignOut(SessionId),
    SignOutOfAll,
}

pub(super) async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    let goal = match Goal::of(&app, &visitor, &sent.parameters()?).await? {
        Ok(goal) => goal,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let accounts = visitor.accounts(&app).await?;
    if accounts.is_empty() {
        return Ok(visitor.redirect_to_page(&app, &goal.by_way_of(&app, "/login")));
    }
    Ok(page(&app, &visitor, &goal, &accounts))
}

pub(super) async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let goal = match Goal::of(&app, &visitor, &parameters).await? {
        Ok(goal) => goal,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut accounts = visitor.accounts(&app).await?;
    let current = accounts.current.as_ref().map(|person| &person.session.id);
    if !visitor.sent_by_us(&app, current, parameters.get("csrf")) {
        return Err(Failure::new(Problem::StaleForm));
    }
    // The pages of applications that are to hear of a sign-out.
    let mut frames = Vec::new();
    let next = match choice(&parameters)? {
        Choice::Account(id) => choose(&app, &visitor, &goal, &mut accounts, &id).await?,
        Choice::SignOut(id) => {
            if let Some(person) = accounts.find(&id) {
                frames = signed_out::end(&app, person).await?;
            }
            accounts.remove(&id);
            goal.by_way_of(&app, PATH)
        }
        Choice::SignOutOfAll => {
            for person in accounts.all() {
                frames.extend(signed_out::end(&app, person).await?);
            }
            accounts.clear();
            goal.by_way_of(&app, "/login")
        }
    };
    let frame = visitor.frame(&app, goal.ui_locales());
    let mut response = signed_out::answer(&app, &visitor, frame, Onward::Page(&next), &frames);
    accounts.set_cookies(&app, &mut response);
    Ok(response)
}

fn choice(parameters: &Parameters<'_>) -> Result<Choice, Failure> {
    let session = || parameters.require("session").map(SessionId::new);
    match parameters.get("decision") {
        Some("choose") => Ok(Choice::Account(session()?)),
        Some("sign_out") => Ok(Choice::SignOut(session()?)),
        Some("sign_out_all") => Ok(Choice::SignOutOfAll),
        _ => Err(Failure::new(Problem::BadRequest)),
    }
}

/// The chosen account becomes the current one, and goes on with the request. One that is gone meanwhile is not chosen.
async fn choose(
    app: &App,
    visitor: &Visitor,
    goal: &Goal,
    accounts: &mut Accounts,
    id: &SessionId,
) -> Result<String, Failure> {
    if !accounts.choose(id) {
        return Ok(goal.by_way_of(app, PATH));
    }
    match goal {
        Goal::Request(flow) => {
            let pending = flow.pending.as_ref().ok_or_else(|| Failure::new(Problem::Expired))?;
            app.storage.set_request_account(&pending.id, id, Means::Choice).await?;
            flow::taken_up(app, visitor, &pending.id);
            Ok(goal.by_way_of(app, "/login"))
        }
        Goal::Page(own) => Ok(own.path(app)),
    }
}

fn page(app: &App, visitor: &Visitor, goal: &Goal, accounts: &Accounts) -> Response {
    let current = accounts.current.as_ref().map(|person| &person.session.id);
    let frame = visitor.frame(app, goal.ui_locales());
    let view = SelectAccountPage {
        frame,
        application: goal.application(frame.text),
        return_to: goal.return_to(),
        request: goal.request_id(),
        return_page: &goal.return_page(app),
        csrf: &visitor.csrf(app, current),
        accounts: accounts.all().map(row).collect(),
        another: &another(&goal.by_way_of(app, "/login")),
    };
    match goal {
        Goal::Request(_) => visitor.page_with_opener(app, StatusCode::OK, &view),
        Goal::Page(_) => visitor.page(app, StatusCode::OK, &view),
    }
}

/// The sign-in page for somebody else, whoever is signed in.
fn another(login: &str) -> String {
    let separator = if login.contains('?') { '&' } else { '?' };
    format!("{login}{separator}account=other")
}

/// An account as it is shown.
pub(super) fn row(person: &SignedIn) -> AccountRow {
    let user = &person.user;
    AccountRow {
        session: person.session.id.as_str().to_owned(),
        name: user.display_name().to_owned(),
        username: user.username.clone(),
    }
}
