//! The consent page (RFC 6749 10.2, OpenID Connect Core 3.1.2.4).

use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::SignedIn;
use super::answer::{Answer, Failure};
use super::flow::{Decision, Flow, Who};
use super::sent::{Form, Query};
use super::views::{Application, ConsentPage, Permission, Person, Place, Problem};
use super::visit::Visit;
use crate::model::{Allowed, NewAccess};
use crate::protocol::Parameters;
use crate::protocol::interaction::{self, Situation, Step};
use crate::protocol::resource::Target;
use crate::site::links::{ReturnTo, WebLink};
use crate::storage::Remember;

/// What a person may answer.
enum Choice {
    Allow,
    Deny,
    /// "Not you?"
    Switch,
}

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let id = parameters.get("request").ok_or_else(|| Failure::new(Problem::Expired))?;
    let mut flow = Flow::resume(&visit, id).await?;
    let who = flow.who(&visit).await?;
    if let Err(error) = flow.keep_what_is_left(&visit.app) {
        return flow.refuse(&visit, &error).await;
    }
    let (step, before) = flow.next(&visit.app, &who).await?;
    match (step, who.person()) {
        (Step::Consent { new }, Some(person)) => {
            let before = before.map(|consent| consent.allowed).unwrap_or_default();
            Ok(page(&visit, &flow, person, &before, &new))
        }
        _ => flow.advance(&visit).await,
    }
}

pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let id = parameters.get("request").ok_or_else(|| Failure::new(Problem::Expired))?;
    let mut flow = Flow::resume(&visit, id).await?;
    let who = flow.who(&visit).await?;
    let Some(person) = who.person() else { return flow.advance(&visit).await };
    if !visit.sent_by_us(Some(&person.session.id), parameters.get("csrf")) {
        return Err(Failure::new(Problem::StaleForm));
    }
    let choice = choice(&parameters)?;
    if let (Choice::Allow, Err(error)) = (&choice, flow.keep_what_is_left(&visit.app)) {
        return flow.refuse(&visit, &error).await;
    }
    match choice {
        Choice::Allow => allow(&visit, *flow, &who, person).await,
        Choice::Deny => flow.deny(&visit, person).await,
        Choice::Switch => Ok(visit.redirect_to_page(&format!("/select_account?request={id}"))),
    }
}

fn choice(parameters: &Parameters<'_>) -> Result<Choice, Failure> {
    match parameters.get("decision") {
        Some("allow") => Ok(Choice::Allow),
        Some("deny") => Ok(Choice::Deny),
        Some("switch") => Ok(Choice::Switch),
        _ => Err(Failure::new(Problem::BadRequest)),
    }
}

async fn allow(visit: &Visit, flow: Flow, who: &Who, person: &SignedIn) -> Answer {
    let before = visit.app.storage.consent(&person.user.id, &flow.client.id, visit.app.now()).await?;
    let new = Allowed::of(&flow.request.permissions(), &flow.request.resources);
    let remember = Remember::adding(before.clone(), new, None);
    // The decision answers the question for consent only: the sign-in still has to be good enough.
    let situation = Situation { decided: true, ..flow.situation(&visit.app, who, Some(&remember.allowed)) };
    match interaction::next(&flow.request, &flow.client, situation) {
        Step::Issue => flow.issue(visit, person, Decision::remembered(remember, before)).await,
        Step::SelectAccount | Step::SignIn | Step::Consent { .. } | Step::Refuse(_) => {
            flow.advance(visit).await
        }
    }
}

fn page(visit: &Visit, flow: &Flow, person: &SignedIn, before: &Allowed, new: &NewAccess) -> Response {
    let client = &flow.client;
    let frame = visit.frame(flow.request.ui_locales.as_deref());
    let (scopes, catalogue) = (flow.request.permissions(), visit.app.registry.catalogue());
    let target = Target::narrowed(&flow.request.resources, &[], client, &catalogue).unwrap_or_default();
    let permission = |scope| Permission::new(frame.text, &catalogue, scope, new.scope.contains(scope));
    let tag = frame.text.tag();
    let link = |member, plain| client.origin.localized(member, tag).or(plain).and_then(WebLink::parse);
    let view = ConsentPage {
        frame,
        application: Application::of(client, tag),
        signed_in_as: Person::of(&person.user),
        request: flow.pending.as_ref().map_or("", |pending| pending.id.as_str()),
        csrf: &visit.csrf(Some(&person.session.id)),
        resources: Place::all(&target, before, new),
        permissions: scopes.iter().map(permission).collect(),
        offline: client.gets_refresh_token(&flow.request.scope),
        return_to: ReturnTo::parse(flow.target.uri()),
        policy: link("policy_uri", client.policy_uri.as_deref()),
        terms: link("tos_uri", client.tos_uri.as_deref()),
    };
    visit.page_with_opener(StatusCode::OK, &view)
}
