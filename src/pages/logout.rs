//! Sign-out: from the account page, or asked for by an application (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::{Accounts, SignedIn};
use super::answer::{Answer, Failure};
use super::sent::{Form, Query};

use super::views::{Application, LoggedOutPage, LogoutPage, Problem};
use super::visitor::Visitor;
use crate::app::App;
use crate::grants::subject;
use crate::keys::TokenType;
use crate::model::{Client, ClientId};
use crate::protocol::claims::IdTokenClaims;
use crate::protocol::{Parameters, logout};

/// What an application may send, and what the confirmation page sends along.
const PARAMETERS: [&str; 5] =
    ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

pub async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    answer(&app, &visitor, &sent.parameters()?, Way::Query).await
}

/// Section 2: POST MUST be supported. A form of our own carries a decision; one of an application comes from another
/// site, without the session's cookie.
pub async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    match parameters.get("decision") {
        Some(_) => answer(&app, &visitor, &parameters, Way::Form).await,
        None => visitor.repeat_as_get(&app, "/logout", sent.encoded()),
    }
}

/// How the parameters came: only a form can decide.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Query,
    Form,
}

/// What an application asked for, as far as it is proven.
struct Request {
    hint: Option<IdTokenClaims>,
    client: Option<Arc<Client>>,
    return_to: Option<String>,
}

impl Request {
    /// Whether this very session is proven to be meant.
    fn means(&self, app: &App, person: &SignedIn) -> bool {
        let (Some(hint), Some(client)) = (&self.hint, &self.client) else { return false };
        logout::means(hint, &person.session, &subject::of(app, client, &person.user.id))
    }
}

async fn answer(app: &App, visitor: &Visitor, parameters: &Parameters<'_>, way: Way) -> Answer {
    parameters.refuse_repeated()?;
    let request = read(app, parameters).await?;
    let accounts = visitor.accounts_at_all(app).await?;
    let hinted = accounts.all().find(|person| request.means(app, person)).cloned();
    if let Some(person) = hinted {
        return sign_out(app, visitor, accounts, &person, &request).await;
    }
    let Some(person) = accounts.current.clone() else { return Ok(done(app, visitor, &request)) };
    match (way, parameters.get("decision")) {
        (Way::Form, Some(decision)) => {
            if !visitor.sent_by_us(app, Some(&person.session.id), parameters.get("csrf")) {
                return Err(Failure::new(Problem::StaleForm));
            }
            match decision {
                "sign_out" => sign_out(app, visitor, accounts, &person, &request).await,
                _ => Ok(visitor.redirect_to_page(app, "/account")),
            }
        }
        (Way::Query | Way::Form, _) => Ok(confirm(app, visitor, &person, &request, parameters)),
    }
}

async fn read(app: &App, parameters: &Parameters<'_>) -> Result<Request, Failure> {
    // Section 2: an expired ID token is as good a hint as another.
    let token = parameters.get("id_token_hint");
    let hint: Option<IdTokenClaims> =
        token.and_then(|token| app.keys.ring().verify(TokenType::IdToken, token));
    let named = parameters.get("client_id").map(ClientId::new);
    let id = hint.as_ref().map(|hint| hint.aud.clone()).or_else(|| named.clone());
    // Section 2: client_id MUST match the one the ID token was issued to.
    if hint.is_some() && named.is_some() && named != id {
        return Err(Failure::new(Problem::BadRequest));
    }
    let client = match id {
        Some(id) => app.clients.find(&id).await?.map(|registered| Arc::clone(&registered.client)),
        None => None,
    };
    let requested = parameters.get("post_logout_redirect_uri");
    let return_to = logout::return_to(client.as_deref(), requested, parameters.get("state"));
    Ok(Request { hint, client, return_to })
}

async fn sign_out(
    app: &App,
    visitor: &Visitor,
    mut accounts: Accounts,
    person: &SignedIn,
    request: &Request,
) -> Answer {
    app.storage.end_session(&person.session.id, &person.user.id, app.now()).await?;
    tracing::info!(user = %person.user.id, session = %person.session.id, "signed out");
    let mut response = done(app, visitor, request);
    accounts.remove(&person.session.id);
    accounts.set_cookies(app, &mut response);
    Ok(response)
}

/// Nobody is signed in any more: back to the application, if it may be gone back to.
fn done(app: &App, visitor: &Visitor, request: &Request) -> Response {
    if let Some(address) = &request.return_to {
        return visitor.redirect(app, address);
    }
    let view = LoggedOutPage { frame: visitor.frame(app, None), application: application(request) };
    visitor.page(app, StatusCode::OK, &view)
}

fn confirm(
    app: &App,
    visitor: &Visitor,
    person: &SignedIn,
    request: &Request,
    parameters: &Parameters<'_>,
) -> Response {
    let sent = PARAMETERS.iter().filter_map(|name| parameters.get(name).map(|value| (*name, value)));
    let view = LogoutPage {
        frame: visitor.frame(app, parameters.get("ui_locales")),
        application: application(request),
        signed_in_as: &person.user.username,
        csrf: &visitor.csrf(app, Some(&person.session.id)),
        hidden: sent.collect(),
    };
    visitor.page(app, StatusCode::OK, &view)
}

fn application(request: &Request) -> Option<Application> {
    let client = request.client.as_ref()?;
    Some(Application::new(&client.name, client.logo_uri.as_deref(), client.client_uri.as_deref()))
}
