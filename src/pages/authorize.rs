//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2).

use std::sync::Arc;

use axum::extract::State;

use super::answer::Answer;
use super::flow::{self, Flow};
use super::sent::{Form, Query};
use super::visitor::Visitor;
use crate::app::App;
use crate::grants::authorization_request::{self, Refused};
use crate::grants::pushed_request;
use crate::model::{Client, ClientId};
use crate::protocol::Parameters;
use crate::protocol::authorize::{self, Arrival, Unproven};
use crate::protocol::request_object::{self, Source};
use crate::protocol::response::RedirectTarget;
use crate::waiting::Holder;

pub(super) async fn get(State(app): State<Arc<App>>, visitor: Visitor, Query(sent): Query) -> Answer {
    begin(&app, &visitor, &sent.parameters()?).await
}

/// OpenID Connect Core 3.1.2.1: POST MUST be supported too.
pub(super) async fn post(State(app): State<Arc<App>>, visitor: Visitor, Form(sent): Form) -> Answer {
    visitor.repeat_as_get(&app, "/authorize", sent.encoded())
}

async fn begin(app: &App, visitor: &Visitor, parameters: &Parameters<'_>) -> Answer {
    // Until client and redirect URI are proven, an error is a page.
    let client_id = ClientId::new(authorize::client_id(parameters)?);
    let registered = app.clients.find(&client_id).await?.ok_or(Unproven::UnknownClient)?;
    let client = Arc::clone(&registered.client);
    let checked = match request_object::source(parameters) {
        Ok(Source::Pushed(handle)) => return begin_pushed(app, visitor, client, handle).await,
        Ok(source) => {
            authorization_request::check(app, &registered, parameters, source, Arrival::default()).await
        }
        Err(error) => Err(authorization_request::unread(&client, parameters, error)),
    };
    match checked {
        Ok((target, request)) => Flow::new(client, target, request, None).advance(app, visitor).await,
        Err(Refused::Told(target, error)) => visitor.refuse_unseen(app, &client, &target, &error).await,
        Err(Refused::Unproven(unproven)) => Err(unproven.into()),
        Err(Refused::Nowhere(error)) => Err(error.into()),
    }
}

/// RFC 9126 4: nothing but what was pushed counts.
async fn begin_pushed(app: &App, visitor: &Visitor, client: Arc<Client>, handle: &str) -> Answer {
    // It waits for whoever is at the browser now, and no more for the one who pushed it.
    let take = async { Ok(pushed_request::take(app, &client, handle, visitor.browser_digest()).await??) };
    let pending = flow::with_place(app, visitor, take).await?;
    // Of a public client both places may be of one address.
    let pushed = format!("pushed {}", pending.id);
    app.waiting.give_back(&Holder::of(&client, &visitor.address), &pushed, app.now());
    let request = pending.request.clone();
    let target = RedirectTarget::of(&request, &client).ok_or(Unproven::RedirectUriNotRegistered)?;
    Flow::new(client, target, request, Some(pending)).advance(app, visitor).await
}
