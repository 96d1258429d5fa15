//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2).

use std::sync::Arc;

use axum::extract::State;

use super::answer::Answer;
use super::flow::Flow;
use super::sent::{Form, Query};
use super::visitor::Visitor;
use crate::app::App;
use crate::model::ClientId;
use crate::protocol::Parameters;
use crate::protocol::authorize::{self, Unproven};

pub async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    begin(&app, &visitor, &sent.parameters()?).await
}

/// OpenID Connect Core 3.1.2.1: POST MUST be supported too.
pub async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    visitor.repeat_as_get(&app, "/authorize", sent.encoded())
}

async fn begin(app: &App, visitor: &Visitor, parameters: &Parameters<'_>) -> Answer {
    // Until client and redirect URI are proven, an error is a page.
    let client_id = ClientId::new(authorize::client_id(parameters)?);
    let registered = app.clients.find(&client_id).await?.ok_or(Unproven::UnknownClient)?;
    let client = Arc::clone(&registered.client);
    let target = authorize::prove(parameters, &client)?;
    // From here on an error goes to the client.
    match authorize::validate(parameters, &client, &app.registry.catalogue(), &target) {
        Ok(request) => Flow { client, target, request, pending: None }.advance(app, visitor).await,
        Err(error) => {
            crate::http::log(&error);
            Ok(visitor.redirect(app, &target.failure(app.issuer(), &error)))
        }
    }
}
