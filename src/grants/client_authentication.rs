//! Who sent a request: the reads and writes around `protocol/client_auth.rs`.

use std::sync::Arc;

use super::remembered;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::crypto::jwks::KeySet;
use crate::model::{AssertionAudience, AuthMethod, Client, ClientMetadata, KeySource, Secret};
use crate::observe::Replay;
use crate::protocol::OAuthError;
use crate::protocol::assertion::Expected;
use crate::protocol::client_auth::{
    self, AuthenticatedClient, Authentication, Credentials, Presented, Rule, SharedSecret,
};
use crate::registry::clients::{self, Registered};
use crate::server::load::Crowded;

/// What this server wants an assertion to say.
pub(crate) fn expected<'a>(app: &'a App, endpoints: &'a [&'a str]) -> Expected<'a> {
    Expected { issuer: app.issuer(), endpoints, now: app.now() }
}

/// What may be the audience of an assertion that this client sends; a client that is not known has no exception.
pub(crate) fn accepted_audience(app: &App, client: Option<&Client>) -> AssertionAudience {
    let own = client.and_then(|client| client.policy().assertion_audience);
    own.unwrap_or(app.settings.clients.assertion_audience)
}

/// The client that sent the request, authenticated by this rule. An assertion is spent by it.
pub(crate) async fn authenticate(
    app: &App,
    presented: &Presented,
    rule: Rule,
) -> Result<AuthenticatedClient, OAuthError> {
    let registered = app.clients.find(&presented.client_id).await?;
    let failed = || {
        let client = registered.as_ref().map(|found| &found.client.id);
        app.note(&Actor::Unknown, Event::ClientAuthenticationFailed { client });
    };
    if let Some(assertion) = presented.assertion() {
        let accepted = accepted_audience(app, registered.as_deref().map(|found| &*found.client));
        let suits = assertion.must_suit(accepted, app.issuer()).map_err(client_auth::refused_assertion);
        suits.inspect_err(|_| failed())?;
    }
    let mut shared = Vec::new();
    let mut keys = None;
    if let (Some(found), Some(assertion)) = (registered.as_deref(), presented.assertion()) {
        match found.client.token_endpoint_auth_method {
            AuthMethod::ClientSecretJwt => shared = shared_secrets(app, found)?,
            AuthMethod::PrivateKeyJwt => keys = public_keys(app, found, assertion.kid.as_deref()).await?,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::None => {}
        }
    }
    let credentials = registered.as_ref().map(|found| Credentials {
        client: Arc::clone(&found.client),
        secrets: &found.secrets,
        shared: &shared,
        keys: keys.as_deref(),
    });
    let client = match rule(presented, credentials, app.now()).inspect_err(|_| failed())? {
        Authentication::Complete(client) => client,
        Authentication::NeedsFirstUse(proven) => {
            let (client, until) = (proven.client(), proven.remembered_until());
            let first = remembered::use_assertion(app, client, &proven.id(), until).await?;
            if !first {
                app.events.replays.one(Replay::ClientAssertion);
            }
            proven.answered(first).inspect_err(|_| failed())?
        }
    };
    // Anybody can say to be a public client: that is not yet a use of it.
    if client.is_confidential() {
        app.clients.note_use(&client).await?;
    }
    Ok(client)
}

/// The secrets of a client that the server computes with, opened.
fn shared_secrets(app: &App, found: &Registered) -> Result<Vec<SharedSecret>, OAuthError> {
    let secrets = &found.secrets;
    let retired = secrets.retired.as_ref();
    let sealed = [
        secrets.sealed.as_ref().map(|sealed| (sealed, None)),
        retired.and_then(|retired| Some((retired.sealed.as_ref()?, Some(retired.expires_at)))),
    ];
    let open = |(sealed, expires_at): (&Secret, _)| {
        let plain = clients::open_secret(&app.master_key, &found.client.id, sealed)
            .map_err(OAuthError::server_error)?;
        let text = std::str::from_utf8(&plain).map_err(OAuthError::server_error)?;
        Ok(SharedSecret { secret: Secret::new(text), expires_at })
    };
    sealed.into_iter().flatten().map(open).collect()
}

/// The public keys of a client, with the one named `kid` if it can be had.
pub(crate) async fn public_keys(
    app: &App,
    found: &Registered,
    kid: Option<&str>,
) -> Result<Option<Arc<KeySet>>, Crowded> {
    let ClientMetadata { id, keys, .. } = &**found.client;
    match keys {
        Some(KeySource::Jwks(_)) => Ok(found.keys.clone()),
        // Boxed: few keys have to be asked for, and every request would reserve the room.
        Some(KeySource::JwksUri(uri)) => Box::pin(app.remote_keys.find(Some(id), uri, kid, app.now())).await,
        None => Ok(None),
    }
}
