//! Where the parameters of an authorization request come from, and what they amount to: sent as they are, in a request
//! object, at an address of the client's (RFC 9101). Requests that were pushed are in `pushed_request.rs`.

use crate::app::App;
use crate::model::{AuthorizationRequest, Client};
use crate::protocol::authorize::{self, Arrival, Offer, Unproven};
use crate::protocol::request_object::{self, RequestObject, Source};
use crate::protocol::response::RedirectTarget;
use crate::protocol::{OAuthError, Parameters, hint};
use crate::registry::clients::Registered;
use crate::server::load::Crowded;

/// RFC 9101 10.8, and what many serve instead.
const ACCEPT: &str = "application/oauth-authz-req+jwt, application/jwt, text/plain";

/// A request that was refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nobody may be sent anywhere.
    Unproven(Unproven),
    /// The same, for another reason than the redirect URI.
    Nowhere(OAuthError),
    /// The client is told.
    Told(RedirectTarget, OAuthError),
}

impl From<Unproven> for Refused {
    fn from(unproven: Unproven) -> Self {
        Self::Unproven(unproven)
    }
}

/// Checks a request of a known client; `arrival` says how it got here.
pub(crate) async fn check(
    app: &App,
    registered: &Registered,
    parameters: &Parameters<'_>,
    source: Source<'_>,
    arrival: Arrival,
) -> Result<(RedirectTarget, AuthorizationRequest), Refused> {
    let client = &registered.client;
    let object = match source {
        Source::Parameters | Source::Pushed(_) => None,
        Source::Object(object) => Some(read(app, registered, object).await),
        Source::Reference(uri) => Some(fetch(app, registered, uri).await),
    };
    match object {
        None => validate(app, client, parameters, arrival),
        // RFC 9101 6.3: only what is inside counts.
        Some(Ok(proven)) => {
            let arrival = Arrival { is_signed: proven.is_signed, ..arrival };
            validate(app, client, &proven.parameters, arrival)
        }
        Some(Err(error)) => Err(unread(client, parameters, error)),
    }
}

/// Before a request object is known to be right, what stands beside it tells whom to tell.
pub(crate) fn unread(client: &Client, parameters: &Parameters<'_>, error: OAuthError) -> Refused {
    match authorize::prove(parameters, client) {
        Ok(target) => Refused::Told(target, error),
        Err(_) => Refused::Nowhere(error),
    }
}

fn validate(
    app: &App,
    client: &Client,
    parameters: &Parameters<'_>,
    arrival: Arrival,
) -> Result<(RedirectTarget, AuthorizationRequest), Refused> {
    let target = authorize::prove(parameters, client)?;
    let catalogue = app.registry.catalogue();
    let rules = &app.settings.authorization;
    let offer = Offer {
        catalogue: &catalogue,
        implicit: app.settings.grants.implicit,
        must_be_pushed: rules.require_pushed_authorization_requests,
        must_be_signed: rules.require_signed_request_object,
        external_pages: app.settings.ui.external_for(client).is_some(),
    };
    let ring = app.keys.ring();
    let hinted = hint::subject(parameters, client, app.settings.server.issuer.as_str(), |token| {
        ring.verify_hint(token)
    });
    let checked = authorize::validate(parameters, client, offer, arrival, &target);
    match checked.and_then(|request| hint::applied(request, hinted?)) {
        Ok(request) => Ok((target, request)),
        Err(error) => Err(Refused::Told(target, error)),
    }
}

async fn fetch(app: &App, registered: &Registered, uri: &str) -> Result<request_object::Proven, OAuthError> {
    let address = request_object::registered(uri, &registered.client)?;
    let failed = |cause: &dyn std::fmt::Display| {
        tracing::warn!(uri, %cause, "could not fetch a request_uri");
        request_object::invalid_uri("The request object at request_uri could not be fetched.")
    };
    let fetched = app.documents.get(Some(&registered.client.id), address, ACCEPT, app.now()).await;
    let fetched = match fetched {
        Err(error) if error.is_busy() => return Err(Crowded.into()),
        fetched => fetched.map_err(|error| failed(&error))?,
    };
    let object = std::str::from_utf8(&fetched.body).map_err(|error| failed(&error))?;
    read(app, registered, object.trim_ascii()).await
}

async fn read(
    app: &App,
    registered: &Registered,
    object: &str,
) -> Result<request_object::Proven, OAuthError> {
    let (client, issuer, now) = (&registered.client, app.issuer(), app.now());
    let opened;
    let object = if request_object::is_encrypted(object) {
        // What is in it is signed, so a client without keys can have made none; and anybody can name a client.
        let has_keys = client.keys.is_some();
        opened = has_keys.then(|| app.keys.ring().decrypt(object)).flatten();
        RequestObject::read_opened(opened.as_ref(), client, issuer, now)?
    } else {
        RequestObject::read(object, client, issuer, now)?
    };
    let keys = match object.needs_key() {
        Some(kid) => super::client_authentication::public_keys(app, registered, kid).await?,
        None => None,
    };
    object.proven(keys.as_deref())
}
