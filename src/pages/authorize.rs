//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2).

use std::sync::Arc;

use super::answer::Answer;
use super::flow::{self, Flow};
use super::sent::{Form, Query};
use super::visit::Visit;
use crate::grants::authorization_request::{self, Refused};
use crate::grants::pushed_request;
use crate::model::{Client, ClientId};
use crate::protocol::Parameters;
use crate::protocol::authorize::{self, Arrival, Unproven};
use crate::protocol::request_object::{self, Source};
use crate::protocol::response::RedirectTarget;
use crate::waiting::Holder;

pub(super) async fn get(visit: Visit, Query(sent): Query) -> Answer {
    begin(&visit, &sent.parameters()?).await
}

/// OpenID Connect Core 3.1.2.1: POST MUST be supported too.
pub(super) async fn post(visit: Visit, Form(sent): Form) -> Answer {
    visit.repeat_as_get("/authorize", sent.encoded())
}

async fn begin(visit: &Visit, parameters: &Parameters<'_>) -> Answer {
    // Until client and redirect URI are proven, an error is a page.
    let client_id = ClientId::new(authorize::client_id(parameters)?);
    let registered = visit.app.clients.find(&client_id).await?.ok_or(Unproven::UnknownClient)?;
    let client = Arc::clone(&registered.client);
    let checked = match request_object::source(parameters) {
        // In a box, as below: what is large is moved about with every part that it is a part of.
        Ok(Source::Pushed(handle)) => return Box::pin(begin_pushed(visit, client, handle)).await,
        Ok(source) => {
            authorization_request::check(&visit.app, &registered, parameters, source, Arrival::default())
                .await
        }
        Err(error) => Err(authorization_request::unread(&client, parameters, error)),
    };
    match checked {
        Ok((target, request)) => Box::pin(Flow::new(client, target, request, None).advance(visit)).await,
        Err(Refused::Told(target, error)) => visit.refuse_unseen(&client, &target, &error).await,
        Err(Refused::Unproven(unproven)) => Err(unproven.into()),
        Err(Refused::Nowhere(error)) => Err(error.into()),
    }
}

/// RFC 9126 4: nothing but what was pushed counts.
async fn begin_pushed(visit: &Visit, client: Arc<Client>, handle: &str) -> Answer {
    // It waits for whoever is at the browser now, and no more for the one who pushed it.
    let take =
        async { Ok(pushed_request::take(&visit.app, &client, handle, visit.browser_digest()).await??) };
    let pending = flow::with_place(visit, take).await?;
    // Of a public client both places may be of one address.
    let pushed = format!("pushed {}", pending.id);
    visit.app.waiting.give_back(&Holder::of(&client, visit.address), &pushed, visit.app.now());
    let request = pending.request.clone();
    let target = RedirectTarget::of(&request, &client).ok_or(Unproven::RedirectUriNotRegistered)?;
    Flow::new(client, target, request, Some(pending)).advance(visit).await
}
