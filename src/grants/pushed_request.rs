//! Pushed authorization requests (RFC 9126): checked in full when they are pushed, used once at the authorization endpoint.

use serde::Serialize;

use super::authorization_request::{self, Refused};
use super::authorization_response::ResponseEncoder;
use crate::app::App;
use crate::crypto::handle::{self, Handle, Purpose};
use crate::crypto::random;
use crate::model::{AuthorizationRequestId, Client, PendingRequest, RequestOwner};
use crate::protocol::authorize::{Arrival, Unproven};
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::request_object::{self, Source};
use crate::protocol::response::RedirectTarget;
use crate::protocol::{OAuthError, Parameters};

/// RFC 9126 2.2
#[derive(Debug, Serialize)]
pub(crate) struct Pushed {
    request_uri: String,
    expires_in: i64,
}

/// Checks a request as the authorization endpoint would, and keeps it.
pub(crate) async fn push(
    app: &App,
    client: &AuthenticatedClient,
    parameters: &Parameters<'_>,
) -> Result<Pushed, OAuthError> {
    let source = request_object::source(parameters)?;
    // RFC 9126 2.1: request_uri MUST NOT be provided.
    if matches!(source, Source::Pushed(_) | Source::Reference(_)) {
        return Err(OAuthError::invalid_request(
            "A pushed request cannot have a request_uri; send its parameters.",
        ));
    }
    let registered = app.clients.find(&client.id).await?;
    let registered = registered.ok_or_else(|| OAuthError::invalid_request("The client is gone."))?;
    let arrival = Arrival { is_pushed: true, is_signed: false };
    let checked = authorization_request::check(app, &registered, parameters, source, arrival).await;
    let (_, request) = checked.map_err(|refused| match refused {
        // RFC 9126 2.3: there is nobody to redirect.
        Refused::Told(_, error) | Refused::Nowhere(error) => error,
        Refused::Unproven(unproven) => OAuthError::invalid_request(unproven.description()),
    })?;
    let (now, expires_in) = (app.now(), app.settings.authorization.pushed_request_seconds);
    let pending = PendingRequest {
        id: AuthorizationRequestId::new(random::id()),
        request,
        owner: RequestOwner::Nobody,
        created_at: now,
        expires_at: now.plus(expires_in),
    };
    app.storage.insert_request(&pending).await?;
    // The client is what its tag is made over beside the id: another client's handle is not genuine.
    let handle =
        handle::issue(&app.master_key, Purpose::PushedRequest, pending.id.as_str(), 0, client.id.as_str());
    let handle = handle.ok_or_else(|| OAuthError::server_error("the request's id is malformed"))?;
    Ok(Pushed { request_uri: request_object::pushed_uri(handle.expose()), expires_in })
}

/// Takes a pushed request for this browser. From then on it waits for a person like any other. The same browser may come
/// by its address again (a reload, a second click) until somebody has signed in for it or the application has an answer
/// (FAPI 2.0 Security Profile 5.3.2.2, note 1).
pub(crate) async fn take(
    app: &App,
    client: &Client,
    handle: &str,
    browser: String,
) -> Result<Result<PendingRequest, Unproven>, OAuthError> {
    let unusable = Ok(Err(Unproven::PushedRequestUnusable));
    let handle = Handle::parse(Purpose::PushedRequest, handle);
    let genuine = handle.filter(|handle| handle.is_genuine(&app.master_key, client.id.as_str()));
    let Some(id) = genuine.map(|handle| AuthorizationRequestId::new(handle.id())) else { return unusable };
    let Some(pending) = app.storage.request(&id).await? else { return unusable };
    // What cannot be answered is not used up.
    if let Some(target) = RedirectTarget::of(&pending.request, client) {
        ResponseEncoder::find(app, client, &target).await?;
    }
    let now = app.now();
    let until = now.plus(app.settings.sessions.request_seconds);
    if !app.storage.take_request(&id, &browser, now, until).await? {
        return unusable;
    }
    let expires_at = if pending.belongs_to(&browser) { pending.expires_at } else { until };
    // Nobody has signed in for it: otherwise it could not be taken.
    let owner = RequestOwner::Browser { digest: browser, account: None };
    Ok(Ok(PendingRequest { owner, expires_at, ..pending }))
}
