//! The consent page (RFC 6749 10.2, OpenID Connect Core 3.1.2.4).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::accounts::SignedIn;
use super::answer::{Answer, Failure};
use super::flow::{Decision, Flow, Resumed, Who};
use super::sent::{Form, Query};
use super::views::{Application, ConsentPage, Permission, Person, Place, Problem};
use super::visitor::Visitor;
use crate::app::App;
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

pub(super) async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    let parameters = sent.parameters()?;
    let id = parameters.get("request").ok_or_else(|| Failure::new(Problem::Expired))?;
    let mut flow = match Flow::resume(&app, &visitor, id).await? {
        Resumed::Waiting(flow) => flow,
        Resumed::Elsewhere(response) => return Ok(response),
    };
    let who = flow.who(&app, &visitor).await?;
    if let Err(error) = flow.keep_what_is_left(&app) {
        return flow.refuse(&app, &visitor, &error).await;
    }
    let (step, before) = flow.next(&app, &who).await?;
    match (step, who.person()) {
        (Step::Consent { new }, Some(person)) => {
            let before = before.map(|consent| consent.allowed).unwrap_or_default();
            Ok(page(&app, &visitor, &flow, person, &before, &new))
        }
        _ => flow.advance(&app, &visitor).await,
    }
}

pub(super) async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    let parameters = sent.parameters()?;
    let id = parameters.get("request").ok_or_else(|| Failure::new(Problem::Expired))?;
    let mut flow = match Flow::resume(&app, &visitor, id).await? {
        Resumed::Waiting(flow) => flow,
        Resumed::Elsewhere(response) => return Ok(response),
    };
    let who = flow.who(&app, &visitor).await?;
    let Some(person) = who.person() else { return flow.advance(&app, &visitor).await };
    if !visitor.sent_by_us(&app, Some(&person.session.id), parameters.get("csrf")) {
        return Err(Failure::new(Problem::StaleForm));
    }
    let choice = choice(&parameters)?;
    if let (Choice::Allow, Err(error)) = (&choice, flow.keep_what_is_left(&app)) {
        return flow.refuse(&app, &visitor, &error).await;
    }
    match choice {
        Choice::Allow => allow(&app, &visitor, *flow, &who, person).await,
        Choice::Deny => flow.deny(&app, &visitor, person).await,
        Choice::Switch => Ok(visitor.redirect_to_page(&app, &format!("/select_account?request={id}"))),
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

async fn allow(app: &App, visitor: &Visitor, flow: Flow, who: &Who, person: &SignedIn) -> Answer {
    let before = app.storage.consent(&person.user.id, &flow.client.id, app.now()).await?;
    let new = Allowed::of(&flow.request.permissions(), &flow.request.resources);
    let remember = Remember::adding(before.clone(), new, None);
    // The decision answers the question for consent only: the sign-in still has to be good enough.
    let situation = Situation { decided: true, ..flow.situation(app, who, Some(&remember.allowed)) };
    match interaction::next(&flow.request, &flow.client, situation) {
        Step::Issue => flow.issue(app, visitor, person, Decision::remembered(remember, before)).await,
        Step::SelectAccount | Step::SignIn | Step::Consent { .. } | Step::Refuse(_) => {
            flow.advance(app, visitor).await
        }
    }
}

fn page(
    app: &App,
    visitor: &Visitor,
    flow: &Flow,
    person: &SignedIn,
    before: &Allowed,
    new: &NewAccess,
) -> Response {
    let client = &flow.client;
    let frame = visitor.frame(app, flow.request.ui_locales.as_deref());
    let (scopes, catalogue) = (flow.request.permissions(), app.registry.catalogue());
    let target = Target::narrowed(&flow.request.resources, &[], client, &catalogue).unwrap_or_default();
    let permission = |scope| Permission::new(frame.text, &catalogue, scope, new.scope.contains(scope));
    let tag = frame.text.tag();
    let link = |member, plain| client.origin.localized(member, tag).or(plain).and_then(WebLink::parse);
    let view = ConsentPage {
        frame,
        application: Application::of(client, tag),
        signed_in_as: Person::of(&person.user),
        request: flow.pending.as_ref().map_or("", |pending| pending.id.as_str()),
        csrf: &visitor.csrf(app, Some(&person.session.id)),
        resources: Place::all(&target, before, new),
        permissions: scopes.iter().map(permission).collect(),
        offline: client.gets_refresh_token(&flow.request.scope),
        return_to: ReturnTo::parse(flow.target.uri()),
        policy: link("policy_uri", client.policy_uri.as_deref()),
        terms: link("tos_uri", client.tos_uri.as_deref()),
    };
    visitor.page_with_opener(app, StatusCode::OK, &view)
}
