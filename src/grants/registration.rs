//! Dynamic client registration (RFC 7591) and its management by the client (RFC 7592): who may, what is believed of what
//! was sent, and what is answered. `administration` does what was asked.

mod refusal;
mod software_statement;

use serde_json::{Value, json};

use crate::administration::clients::{Registered, Registrant, Replaced};
use crate::app::App;
use crate::audit::Actor;
use crate::config::{RegistrationMode, Settings};
use crate::crypto::handle::{self, Handle, Purpose};
use crate::crypto::{digest, random};
use crate::model::{
    Algorithm, ClientId, ClientMetadata, InitialAccessToken, NetworkAddress, Secret, SelfRegistered,
};
use crate::protocol::registration::members::{self, OPERATORS, SERVER_MADE};
use crate::protocol::registration::request::{self, Members, Terms};
use crate::protocol::registration::{self, InvalidMetadata};
use crate::protocol::{ErrorCode, OAuthError};
use crate::registry::clients;
use crate::storage::{StoredClient, StoredRegistration};
use crate::throttle::Attempt;
use crate::tries;
pub(crate) use refusal::Refusal;
use software_statement::believed;

/// A client registration request (RFC 7591 3.1).
pub(crate) async fn register(
    app: &App,
    token: Option<&str>,
    body: &[u8],
    address: NetworkAddress,
) -> Result<Value, Refusal> {
    let mut attempt = admit(app, address).await?;
    let registered = register_counted(app, &mut attempt, token, body, address).await;
    counted(attempt, registered).await
}

async fn register_counted(
    app: &App,
    attempt: &mut Attempt<'_>,
    token: Option<&str>,
    body: &[u8],
    address: NetworkAddress,
) -> Result<Value, Refusal> {
    let token = initial_access_token(app, token).await?;
    if let Some(token) = &token
        && !attempt.with_token(&token.id).await?
    {
        return Err(Refusal::TooManyWithToken);
    }
    let given = believed(app, request::read(body)?).await?;
    let (now, id) = (app.now(), ClientId::new(random::id()));
    let unused_until = app.settings.registration.unused_seconds.map(|seconds| now.plus(seconds));
    let origin =
        SelfRegistered { initial_access_token: token.as_ref().map(|token| token.name.clone()), unused_until };
    let mut kept = Members::new();
    kept.insert("client_id".to_owned(), json!(id));
    kept.insert("client_id_issued_at".to_owned(), json!(now));
    kept.insert("self_registered".to_owned(), json!(origin));
    let mut client = request::client(&given, kept, &terms(&app.settings))?;
    client.origin.self_registered = Some(origin);
    let by = registered_by(app, token.as_ref(), address);
    let registrant = Registrant { token: token.as_ref().map(|token| token.id.as_str()), by: &by };
    let registered = app.administration(Actor::Unknown).register_client(client, registrant).await?;
    let Registered { client, secret, salt } = registered;
    tracing::info!(client = %client.id, name = client.name, %address, "client registered itself");
    Ok(answer(app, &client, &salt, 0, secret.as_ref())?)
}

/// A client read request (RFC 7592 2.1). Of the secret only a digest is kept, so it is not said again.
pub(crate) async fn read(app: &App, id: &str, token: Option<&str>) -> Result<Value, Refusal> {
    let Registration { stored, salt, next } = used(app, id, token).await?;
    Ok(answer(app, &stored.client, &salt, next, None)?)
}

/// The same for who asks for its head only: nothing is used (RFC 9110 9.2.1).
pub(crate) async fn look(app: &App, id: &str, token: Option<&str>) -> Result<(), Refusal> {
    authorized(app, id, token).await.map(|_| ())
}

/// A client update request (RFC 7592 2.2): what it names takes the place of all there was.
pub(crate) async fn update(
    app: &App,
    id: &str,
    token: Option<&str>,
    body: &[u8],
    address: NetworkAddress,
) -> Result<Value, Refusal> {
    let registration = used(app, id, token).await?;
    let attempt = admit(app, address).await?;
    let updated = update_counted(app, (id, token), registration, body, address).await;
    counted(attempt, updated).await
}

async fn update_counted(
    app: &App,
    (id, token): (&str, Option<&str>),
    mut registration: Registration,
    body: &[u8],
    address: NetworkAddress,
) -> Result<Value, Refusal> {
    let mut given = request::read(body)?;
    check_identity(&mut given, &registration.stored)?;
    let given = believed(app, given).await?;
    for _ in 0..clients::TRIES {
        if let Some(answer) = replace(app, registration, &given, address).await? {
            return Ok(answer);
        }
        // What the operator has set or taken meanwhile counts.
        registration = authorized(app, id, token).await?;
    }
    Err(busy().into())
}

/// Replaces what was registered by what is given now. None: somebody has changed it since it was read.
async fn replace(
    app: &App,
    registration: Registration,
    given: &Members,
    address: NetworkAddress,
) -> Result<Option<Value>, Refusal> {
    let Registration { stored, salt, next } = registration;
    let before = &stored.client;
    let mut client = request::client(given, kept(before), &terms_for(&app.settings, before))?;
    client.origin.self_registered.clone_from(&before.origin.self_registered);
    let replaced = app.administration(Actor::Client).replace_client(stored, client).await?;
    let Some(Replaced { client, secret, is_another }) = replaced else { return Ok(None) };
    tracing::info!(client = %client.id, %address, is_another, "client changed its registration");
    Ok(Some(answer(app, &client, &salt, next, secret.as_ref())?))
}

/// A client delete request (RFC 7592 2.3): what was granted to it ends with it.
pub(crate) async fn delete(
    app: &App,
    id: &str,
    token: Option<&str>,
    address: NetworkAddress,
) -> Result<(), Refusal> {
    let registration = authorized(app, id, token).await?;
    let client = &registration.stored.client.id;
    if app.administration(Actor::Client).delete_client(client).await? {
        tracing::info!(client = id, %address, "client deleted its registration");
    }
    Ok(())
}

async fn admit<'a>(app: &'a App, address: NetworkAddress) -> Result<Attempt<'a>, Refusal> {
    Attempt::at(app, address).await?.ok_or(Refusal::TooMany)
}

/// What was refused has been asked for; what the server failed has not.
async fn counted(attempt: Attempt<'_>, done: Result<Value, Refusal>) -> Result<Value, Refusal> {
    if let Err(refusal) = &done
        && refusal.is_a_failure()
        && let Err(error) = attempt.take_back().await
    {
        tracing::warn!(%error, "a registration that the server failed stays counted");
    }
    done
}

/// What stands for who registers a client: the token, or the network where none was needed.
fn registered_by(app: &App, token: Option<&InitialAccessToken>, address: NetworkAddress) -> String {
    match token {
        Some(token) => format!("t.{}", token.id),
        None => format!("n.{}", tries::network(&app.master_key, address)),
    }
}

/// The initial access token of a request (RFC 7591 3); none where none is needed and none was sent.
async fn initial_access_token(app: &App, token: Option<&str>) -> Result<Option<InitialAccessToken>, Refusal> {
    let Some(token) = token else {
        let open = app.settings.registration.mode == RegistrationMode::Open;
        return if open { Ok(None) } else { Err(Refusal::NoToken) };
    };
    let handle = Handle::parse(Purpose::InitialAccessToken, token).ok_or(Refusal::WrongToken)?;
    let (token, salt) = app.storage.registration_token(&handle.id()).await?.ok_or(Refusal::WrongToken)?;
    if handle.is_genuine(&app.master_key, &salt) && token.is_good(app.now()) {
        Ok(Some(token))
    } else {
        Err(Refusal::WrongToken)
    }
}

/// A registration, proven by its registration access token.
struct Registration {
    stored: StoredClient,
    salt: String,
    /// The generation of the token that takes the place of the one that was shown.
    next: u32,
}

/// RFC 7592 2: the token MUST be the one of this very client; nothing tells whether there is such a client.
///
/// The newest token counts, and the one before it until the newest has been used: its client may never have got the
/// answer. One that nobody used for too long counts no more.
async fn authorized(app: &App, id: &str, token: Option<&str>) -> Result<Registration, Refusal> {
    let token = token.ok_or(Refusal::NoToken)?;
    let handle = Handle::parse(Purpose::RegistrationAccessToken, token).ok_or(Refusal::WrongToken)?;
    if handle.id() != id {
        return Err(Refusal::WrongToken);
    }
    let found = app.storage.registration(id).await?.ok_or(Refusal::WrongToken)?;
    let shown = i64::from(handle.generation());
    let counts = shown == found.generation || shown + 1 == found.generation;
    let kept = app.settings.registration.token_unused_seconds;
    let is_over = found.used_at.zip(kept).is_some_and(|(at, kept)| at.plus(kept) <= app.now());
    if !handle.is_genuine(&app.master_key, &found.salt) || !counts || is_over {
        return Err(Refusal::WrongToken);
    }
    let StoredRegistration { stored, salt, .. } = found;
    Ok(Registration { stored, salt, next: handle.generation().saturating_add(1) })
}

/// The same, and its token is used up: the answer has the next one (RFC 7592 3).
async fn used(app: &App, id: &str, token: Option<&str>) -> Result<Registration, Refusal> {
    let registration = authorized(app, id, token).await?;
    let shown = i64::from(registration.next) - 1;
    app.storage.use_registration(&registration.stored.client.id, shown, app.now()).await?;
    Ok(registration)
}

/// RFC 7592 2.2: the update names its own client, shows its own secret if any, and nothing else that the server makes.
fn check_identity(given: &mut Members, stored: &StoredClient) -> Result<(), OAuthError> {
    let wrong = |member, problem: &str| {
        Err(request::refusal(vec![InvalidMetadata { member, problem: problem.to_owned() }]))
    };
    if given.remove("client_id") != Some(json!(stored.client.id)) {
        return wrong("client_id", "an update names the client it changes (RFC 7592 2.2)");
    }
    let Some(secret) = given.remove("client_secret") else { return Ok(()) };
    let digest = digest::sha256(secret.as_str().unwrap_or_default().as_bytes());
    match stored.secrets.current.is_some_and(|current| digest::equal(&current, &digest)) {
        true => Ok(()),
        false => wrong("client_secret", "it is not the client's; this server makes secrets (RFC 7592 2.2)"),
    }
}

fn terms(settings: &Settings) -> Terms {
    let known = &settings.keys.algorithms;
    // OpenID Connect Registration 2: the default is RS256.
    let standard = known.contains(&Algorithm::RS256).then_some(Algorithm::RS256);
    Terms {
        scope: settings.registration.scopes.clone(),
        grant_types: settings.registration.grant_types.clone(),
        id_token_alg: standard.unwrap_or(settings.tokens.id_token_alg),
        same_host: settings.registration.same_host,
        profiles: settings.clients.profiles.clone(),
    }
}

/// What a client has already it may keep: the operator may have given it more.
fn terms_for(settings: &Settings, client: &ClientMetadata) -> Terms {
    let mut terms = terms(settings);
    terms.scope = terms.scope.union(&client.scope);
    terms.grant_types.extend(client.grant_types.iter().copied());
    terms
}

/// What stays when a client replaces its metadata: the server's members, and the operator's switches.
fn kept(client: &ClientMetadata) -> Members {
    let Value::Object(mut document) = registration::document(client) else { return Members::new() };
    document.retain(|name, _| {
        let stays = [SERVER_MADE, OPERATORS].iter().any(|table| members::known(table, name).is_some());
        stays && name != "localized"
    });
    document
}

fn busy() -> OAuthError {
    let description = "Others change this client at the same moment, again and again. Try again.";
    OAuthError::new(ErrorCode::TemporarilyUnavailable, description)
}

/// The client information response (RFC 7591 3.2.1, RFC 7592 3).
fn answer(
    app: &App,
    client: &ClientMetadata,
    salt: &str,
    generation: u32,
    secret: Option<&Secret>,
) -> Result<Value, OAuthError> {
    let id = client.id.as_str();
    let token = handle::issue(&app.master_key, Purpose::RegistrationAccessToken, id, generation, salt);
    let token = token.ok_or_else(|| OAuthError::server_error("the client's id is malformed"))?;
    let mut document = registration::public_document(client);
    document["registration_access_token"] = json!(token.expose());
    document["registration_client_uri"] = json!(app.settings.server.issuer.join(&format!("/register/{id}")));
    if let Some(secret) = secret {
        document["client_secret"] = json!(secret.expose());
        // RFC 7591 3.2.1: REQUIRED if there is a secret; 0 means that it does not expire.
        document["client_secret_expires_at"] = json!(0);
    }
    Ok(document)
}
