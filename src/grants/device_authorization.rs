//! Device authorization (RFC 8628 3.1 to 3.3): a device asks, a person at another device types its code and decides.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::issue;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::crypto::handle::{self, Purpose};
use crate::crypto::master_key::MasterKey;
use crate::crypto::{digest, random};
use crate::model::{
    Authentication, Client, DeviceAuthorization, DeviceAuthorizationId, DeviceState, Grant, GrantContext,
    GrantId, GrantState, GrantType, Lifetime, NetworkAddress, Refresh, Session, Timestamp,
};
use crate::protocol::client_auth::AuthenticatedClient;
use crate::protocol::device::{self, UserCode};
use crate::protocol::{OAuthError, Parameters, authorize};
use crate::storage::{Authority, Insertion, Remember, StorageError, Yes};
use crate::waiting::Holder;

/// User codes that are drawn before giving up: one that is in use comes up once in billions.
const DRAWS: usize = 8;
/// Bytes of the tag of a link.
const LINK_TAG: usize = 16;

/// RFC 8628 3.2.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceResponse {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri_complete: Option<String>,
    expires_in: i64,
    interval: i64,
}

/// Where a device's request came from.
pub(crate) struct Origin {
    pub address: NetworkAddress,
    pub user_agent: String,
}

/// A device authorization request of an authenticated client (RFC 8628 3.1).
pub(crate) async fn start(
    app: &App,
    client: &AuthenticatedClient,
    parameters: &Parameters<'_>,
    origin: Origin,
) -> Result<DeviceResponse, OAuthError> {
    client.may_use(GrantType::DeviceCode)?;
    let (now, lifetime) = (app.now(), app.settings.tokens.device_code_seconds);
    let (scope, resources) = authorize::asked(parameters, client, &app.registry.catalogue())?;
    let authorization = DeviceAuthorization {
        id: DeviceAuthorizationId::new(random::id()),
        salt: random::id(),
        client_id: client.id.clone(),
        scope,
        resources,
        state: DeviceState::Pending { last_polled_at: None },
        interval: device::INTERVAL,
        address: origin.address,
        user_agent: origin.user_agent,
        created_at: now,
        expires_at: now.plus(lifetime),
    };
    let code = store(app, &authorization).await?;
    tracing::info!(client = %client.id, device = %authorization.id, address = %authorization.address, "device authorization started");
    let verification_uri = app.settings.server.issuer.join("/device");
    let complete = || format!("{verification_uri}?{}", link_query(&app.master_key, &code));
    Ok(DeviceResponse {
        device_code: device_code(app, &authorization)?,
        user_code: code.displayed(),
        // RFC 8628 5.4: a link that is sent to somebody makes phishing easier, so it is a client's own choice.
        verification_uri_complete: client.verification_uri_complete.then(complete),
        verification_uri,
        expires_in: lifetime,
        interval: authorization.interval,
    })
}

/// Stores it under a user code that no other one has.
async fn store(app: &App, authorization: &DeviceAuthorization) -> Result<UserCode, OAuthError> {
    for _ in 0..DRAWS {
        let Some(code) = UserCode::parse(&random::text_of(&device::ALPHABET, device::LENGTH)) else { break };
        let tag = URL_SAFE_NO_PAD.encode(app.master_key.tag(&tagged(&code)));
        if app.storage.insert_device_authorization(authorization, &tag).await? {
            return Ok(code);
        }
    }
    Err(OAuthError::server_error("no user code is free"))
}

fn device_code(app: &App, authorization: &DeviceAuthorization) -> Result<String, OAuthError> {
    let DeviceAuthorization { id, salt, .. } = authorization;
    handle::issue(&app.master_key, Purpose::DeviceCode, id.as_str(), 0, salt)
        .map(|secret| secret.expose().to_owned())
        .ok_or_else(|| OAuthError::server_error("the device authorization's id is malformed"))
}

/// The tag of this is what the database knows a user code by.
fn tagged(code: &UserCode) -> [&[u8]; 2] {
    [b"user code", code.as_str().as_bytes()]
}

/// The query of `verification_uri_complete`. The tag tells that this server made it: a link that somebody else wrote
/// fills in nothing.
pub(crate) fn link_query(key: &MasterKey, code: &UserCode) -> String {
    let tag = URL_SAFE_NO_PAD.encode(&key.tag(&linked(code))[..LINK_TAG]);
    format!("user_code={}&link={tag}", code.displayed())
}

/// The code of a link that this server made.
pub(crate) fn code_of_link(key: &MasterKey, parameters: &Parameters<'_>) -> Option<UserCode> {
    let code = parameters.get("user_code").and_then(UserCode::parse)?;
    let sent = URL_SAFE_NO_PAD.decode(parameters.get("link")?).ok()?;
    key.is_tag(&linked(&code), |tag| digest::equal(&sent, &tag[..LINK_TAG])).then_some(code)
}

fn linked(code: &UserCode) -> [&[u8]; 2] {
    [b"verification_uri_complete", code.as_str().as_bytes()]
}

/// The authorization with this user code, in whatever state.
pub(crate) async fn find(app: &App, code: &UserCode) -> Result<Option<DeviceAuthorization>, StorageError> {
    // While the data key is replaced, it may be known by the tag of the one before.
    for tag in app.master_key.tags(&tagged(code)) {
        let found = app.storage.device_authorization_of(&URL_SAFE_NO_PAD.encode(tag)).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The user's yes. `remember` is what this client may do from now on without "new" beside it, built upon what it might do
/// before. Nothing when somebody decided before, it has expired, or the session or what was built upon has ended.
pub(crate) async fn approve(
    app: &App,
    authorization: &DeviceAuthorization,
    client: &Client,
    session: &Session,
    remember: &Remember,
    upon: Yes<'_>,
) -> Result<Insertion, OAuthError> {
    let grant = grant(app, authorization, client, session, app.now());
    app.clients.note_use(client).await?;
    let events = [
        Event::ConsentGiven {
            user: &grant.user_id,
            client: &grant.client_id,
            grant: &grant.id,
            scope: &remember.allowed.all_scopes(),
            resources: &authorization.resources,
        },
        Event::created(&grant, GrantType::DeviceCode),
    ];
    let noted = app.audit.noted(&Actor::User, &events, app.now());
    let approved = app.storage.approve_device(noted, &grant, remember, Authority::Session(upon)).await?;
    if approved == Insertion::Inserted {
        let holder = Holder::of(client, authorization.address);
        app.waiting.give_back(&holder, authorization.id.as_str(), app.now());
        tracing::info!(client = %grant.client_id, user = %grant.user_id, grant = %grant.id, "device approved");
    }
    Ok(approved)
}

/// The user's no. False when somebody decided before, or it has expired.
pub(crate) async fn deny(
    app: &App,
    authorization: &DeviceAuthorization,
    session: &Session,
) -> Result<bool, OAuthError> {
    let refused = Event::ConsentRefused {
        user: &session.user_id,
        client: &authorization.client_id,
        scope: &authorization.scope,
    };
    let denied = app
        .storage
        .deny_device(app.noted(&Actor::User, refused), &authorization.id, &session.user_id, app.now())
        .await?;
    if denied {
        tracing::info!(client = %authorization.client_id, user = %session.user_id, device = %authorization.id, "device denied");
    }
    Ok(denied)
}

/// Active from the beginning: what the device still lacks is its tokens. So whatever takes access back (a sign-out, the
/// account page, a disabled user) takes it back from a device that has not come for them, too.
fn grant(
    app: &App,
    authorization: &DeviceAuthorization,
    client: &Client,
    session: &Session,
    now: Timestamp,
) -> Grant {
    let refreshable = issue::is_refreshable(client, &authorization.scope);
    let expires_at = if refreshable {
        issue::refresh_absolute(app, client).end(now)
    } else {
        Lifetime::Seconds(issue::access_lifetime(app, client, &authorization.resources))
            .end(authorization.expires_at)
    };
    Grant {
        id: GrantId::new(authorization.id.as_str()),
        client_id: client.id.clone(),
        user_id: session.user_id.clone(),
        session_id: Some(session.id.clone()),
        scope: authorization.scope.clone(),
        resources: authorization.resources.clone(),
        authentication: Authentication { auth_time: session.auth_time, amr: session.amr.clone() },
        context: GrantContext { acr: session.acr.clone(), ..GrantContext::default() },
        salt: random::id(),
        created_at: now,
        expires_at,
        state: GrantState::Active {
            refresh: refreshable.then_some(Refresh { generation: 1, rotated_at: now }),
        },
    }
}
