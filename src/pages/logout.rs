//! Sign-out: from the account page, or asked for by an application (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use url::Url;

use super::accounts::{Accounts, SignedIn};
use super::answer::{Answer, Failure};
use super::sent::{Form, Query};
use super::signed_out::{self, Onward};
use super::views::{Application, LogoutPage, Person, Problem};
use super::visit::Visit;
use crate::app::App;
use crate::grants::subject;
use crate::model::{Client, ClientId};
use crate::protocol::Parameters;
use crate::protocol::logout::{self, Hint, ReturnTo};
use crate::protocol::registration::recognition;
use crate::site::i18n::Messages;

/// What an application may send, and what the confirmation page sends along.
const PARAMETERS: [&str; 6] =
    ["id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    answer(&visit, &sent.parameters()?, Way::Query).await
}

/// Section 2: POST MUST be supported. A form of our own carries a decision; one of an application comes from another
/// site, without the session's cookie.
pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    match parameters.get("decision") {
        Some(_) => answer(&visit, &parameters, Way::Form).await,
        None => visit.repeat_as_get("/logout", sent.encoded()),
    }
}

/// How the parameters came: only a form can decide.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Query,
    Form,
}

/// What an application asked for, as far as it is proven.
struct Request<'p> {
    hint: Hint,
    logout_hint: Option<&'p str>,
    client: Option<Arc<Client>>,
    return_to: ReturnTo,
    ui_locales: Option<&'p str>,
}

impl Request<'_> {
    /// Whether it is proven that this session is meant.
    fn means(&self, app: &App, person: &SignedIn) -> bool {
        let Some(client) = &self.client else { return false };
        let subject = subject::of(app, client, &person.user.id);
        self.hint.means(&person.session, &subject)
            && logout::hints_at(self.logout_hint, &person.user, &subject)
    }

    /// Whether this person has seen where it returns to: they allowed the application, at a place that its answers go to.
    /// Of the operator's own clients nobody has to.
    async fn has_been_seen(&self, app: &App, person: Option<&SignedIn>) -> Result<bool, Failure> {
        let Some(client) = self.client.as_ref().filter(|client| client.is_self_registered()) else {
            return Ok(true);
        };
        let (ReturnTo::To(address), Some(person)) = (&self.return_to, person) else { return Ok(false) };
        let consent = app.storage.consent(&person.user.id, &client.id, app.now()).await?;
        Ok(consent.is_some() && recognition::is_known_place(client, address))
    }

    fn application(&self, text: &Messages) -> Option<Application> {
        Some(Application::of(self.client.as_ref()?, text.tag()))
    }
}

async fn answer(visit: &Visit, parameters: &Parameters<'_>, way: Way) -> Answer {
    logout::check(parameters)?;
    let request = read(&visit.app, parameters).await?;
    let accounts = visit.accounts_at_all().await?;
    let meant = accounts.all().find(|person| request.means(&visit.app, person)).cloned();
    if let Some(person) = meant {
        return sign_out(visit, accounts, &person, &request).await;
    }
    let Some(person) = accounts.current.clone() else {
        let seen = request.has_been_seen(&visit.app, None).await?;
        return Ok(done(visit, &request, &[], seen));
    };
    match (way, parameters.get("decision")) {
        (Way::Form, Some(decision)) => {
            if !visit.sent_by_us(Some(&person.session.id), parameters.get("csrf")) {
                return Err(Failure::new(Problem::StaleForm));
            }
            match decision {
                "sign_out" => sign_out(visit, accounts, &person, &request).await,
                _ => Ok(visit.redirect_to_page("/account")),
            }
        }
        (Way::Query | Way::Form, _) => Ok(confirm(visit, &person, &request, parameters)),
    }
}

async fn read<'p>(app: &App, parameters: &'p Parameters<'_>) -> Result<Request<'p>, Failure> {
    let token = parameters.get("id_token_hint");
    let claims = token.and_then(|token| app.keys.ring().verify_hint(token));
    let hint = Hint::new(token, claims, app.issuer());
    let named = parameters.get("client_id").map(ClientId::new);
    let id = match &hint {
        // Section 2: client_id MUST match the one the ID token was issued to.
        Hint::Genuine(claims) if named.as_ref().is_some_and(|named| *named != claims.aud) => {
            return Err(Failure::new(Problem::BadRequest));
        }
        Hint::Genuine(claims) => Some(claims.aud.clone()),
        Hint::Absent => named,
        Hint::Bad => None,
    };
    let client = match id {
        Some(id) => app.clients.find(&id).await?.map(|registered| Arc::clone(&registered.client)),
        None => None,
    };
    let requested = parameters.get("post_logout_redirect_uri");
    let return_to = logout::return_to(client.as_deref(), requested, parameters.get("state"));
    let (logout_hint, ui_locales) = (parameters.get("logout_hint"), parameters.get("ui_locales"));
    Ok(Request { hint, logout_hint, client, return_to, ui_locales })
}

async fn sign_out(visit: &Visit, mut accounts: Accounts, person: &SignedIn, request: &Request<'_>) -> Answer {
    let seen = request.has_been_seen(&visit.app, Some(person)).await?;
    let frames = signed_out::end(&visit.app, person).await?;
    let mut response = done(visit, request, &frames, seen);
    accounts.remove(&person.session.id);
    accounts.set_cookies(&visit.app, &mut response);
    Ok(response)
}

fn done(visit: &Visit, request: &Request<'_>, frames: &[Url], seen: bool) -> Response {
    let frame = visit.frame(request.ui_locales);
    let onward =
        Onward::Return { application: request.application(frame.text), to: &request.return_to, seen };
    signed_out::answer(visit, frame, onward, frames)
}

fn confirm(visit: &Visit, person: &SignedIn, request: &Request<'_>, parameters: &Parameters<'_>) -> Response {
    let sent = PARAMETERS.iter().filter_map(|name| parameters.get(name).map(|value| (*name, value)));
    let frame = visit.frame(request.ui_locales);
    let view = LogoutPage {
        frame,
        application: request.application(frame.text),
        signed_in_as: Person::of(&person.user),
        csrf: &visit.csrf(Some(&person.session.id)),
        unproven: !matches!(request.hint, Hint::Absent),
        hidden: sent.collect(),
    };
    visit.page_with_opener(StatusCode::OK, &view)
}
