//! The account chooser (OpenID Connect Core 3.1.2.1, `select_account`): everybody who is signed in in this browser, a way
//! to sign in as somebody else, and to sign out of one account or of all.

use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::{Accounts, SignedIn};
use super::answer::{Answer, Failure};
use super::destination::Destination;
use super::flow;
use super::sent::{Form, Query};
use super::signed_out::{self, Onward};
use super::views::{AccountRow, Problem, SelectAccountPage};
use super::visit::Visit;
use crate::model::{Means, SessionId};
use crate::protocol::Parameters;

pub(super) const PATH: &str = "/select_account";

/// What a person may answer.
enum Choice {
    Account(SessionId),
    SignOut(SessionId),
    SignOutOfAll,
}

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    let destination = Destination::of(&visit, &sent.parameters()?).await?;
    let accounts = visit.accounts().await?;
    if accounts.is_empty() {
        return Ok(visit.redirect_to_page(&destination.by_way_of(&visit.app, "/login")));
    }
    Ok(page(&visit, &destination, &accounts))
}

pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let destination = Destination::of(&visit, &parameters).await?;
    let mut accounts = visit.accounts().await?;
    let current = accounts.current.as_ref().map(|person| &person.session.id);
    if !visit.sent_by_us(current, parameters.get("csrf")) {
        return Err(Failure::new(Problem::StaleForm));
    }
    // The pages of applications that are to hear of a sign-out.
    let mut frames = Vec::new();
    let next = match choice(&parameters)? {
        Choice::Account(id) => choose(&visit, &destination, &mut accounts, &id).await?,
        Choice::SignOut(id) => {
            if let Some(person) = accounts.find(&id) {
                frames = signed_out::end(&visit.app, person).await?;
            }
            accounts.remove(&id);
            destination.by_way_of(&visit.app, PATH)
        }
        Choice::SignOutOfAll => {
            for person in accounts.all() {
                frames.extend(signed_out::end(&visit.app, person).await?);
            }
            accounts.clear();
            destination.by_way_of(&visit.app, "/login")
        }
    };
    let frame = visit.frame(destination.ui_locales());
    let mut response = signed_out::answer(&visit, frame, Onward::Page(&next), &frames);
    accounts.set_cookies(&visit.app, &mut response);
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
    visit: &Visit,
    destination: &Destination,
    accounts: &mut Accounts,
    id: &SessionId,
) -> Result<String, Failure> {
    if !accounts.choose(id) {
        return Ok(destination.by_way_of(&visit.app, PATH));
    }
    match destination {
        Destination::Request(flow) => {
            let pending = flow.pending.as_ref().ok_or_else(|| Failure::new(Problem::Expired))?;
            visit.app.storage.set_request_account(&pending.id, id, Means::Choice).await?;
            flow::taken_up(visit, &pending.id);
            Ok(destination.by_way_of(&visit.app, "/login"))
        }
        Destination::Page(own) => Ok(own.path(&visit.app)),
    }
}

fn page(visit: &Visit, destination: &Destination, accounts: &Accounts) -> Response {
    let current = accounts.current.as_ref().map(|person| &person.session.id);
    let frame = visit.frame(destination.ui_locales());
    let view = SelectAccountPage {
        frame,
        application: destination.application(frame.text),
        return_to: destination.return_to(),
        request: destination.request_id(),
        return_page: &destination.return_page(&visit.app),
        csrf: &visit.csrf(current),
        accounts: accounts.all().map(row).collect(),
        another: &another(&destination.by_way_of(&visit.app, "/login")),
    };
    match destination {
        Destination::Request(_) => visit.page_with_opener(StatusCode::OK, &view),
        Destination::Page(_) => visit.page(StatusCode::OK, &view),
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
