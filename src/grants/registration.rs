//! Dynamic client registration (RFC 7591) and its management by the client (RFC 7592): the reads and writes around
//! `protocol/registration`.

use serde_json::{Value, json};

use crate::app::App;
use crate::audit::{Actor, Event};
use crate::config::{RegistrationMode, Settings};
use crate::crypto::handle::{self, Handle, Purpose};
use crate::crypto::{digest, random};
use crate::model::{
    Algorithm, Client, ClientId, ClientMetadata, ClientSecrets, GrantType, InitialAccessToken, PkcePolicy,
    Secret, SelfRegistered, Share, Ui,
};
use crate::outbound::sector_identifier;
use crate::protocol::registration::members::{self, OPERATORS, SERVER_MADE, SOFTWARE_STATEMENT};
use crate::protocol::registration::recognition;
use crate::protocol::registration::request::{self, Members, Terms};
use crate::protocol::registration::statement::{self, Statement};
use crate::protocol::registration::{self, InvalidMetadata};
use crate::protocol::remote_uri;
use crate::protocol::{ErrorCode, OAuthError};
use crate::registry::clients;
use crate::server::load::Crowded;
use crate::storage::{
    MayRegister, NewRegistration, RegistrationOutcome, StorageError, StoredClient, StoredRegistration,
};
use crate::throttle::Attempt;
use crate::tries;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A token is needed, and none was sent.
    NoToken,
    /// Also where the client is gone: a token of one that never was gets the same.
    WrongToken,
    /// Of this address, or of all together, for a while.
    TooMany,
    /// With this token, for a while.
    TooManyWithToken,
    /// There are as many clients as there may be.
    NoRoom(OAuthError),
    Error(OAuthError),
}

impl Refusal {
    /// Whether it was the server that failed: who asked could do nothing about it.
    fn is_a_failure(&self) -> bool {
        let codes = [ErrorCode::ServerError, ErrorCode::TemporarilyUnavailable];
        matches!(self, Self::Error(error) if codes.contains(&error.code))
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::Error(error)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Error(error.into())
    }
}

/// A client registration request (RFC 7591 3.1).
pub(crate) async fn register(
    app: &App,
    token: Option<&str>,
    body: &[u8],
    address: &str,
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
    address: &str,
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
    let client = settle(client, &app.settings)?;
    check_sector(app, &client, None).await?;
    let secret = client.token_endpoint_auth_method.has_secret().then(|| clients::new_secret(&client));
    let secrets = match &secret {
        Some(secret) => clients::kept(&client, secret, seal(app, &client))?,
        None => ClientSecrets::default(),
    };
    let (salt, by) = (random::id(), registered_by(app, token.as_ref(), address));
    let new = NewRegistration {
        client: &client,
        secrets: &secrets,
        salt: &salt,
        token: token.as_ref().map(|token| token.id.as_str()),
        allowed: MayRegister { by: &by, share: Share::half_of(app.settings.registration.max_clients) },
    };
    let registration_token = new.token;
    let registered = Event::ClientRegistered { client: &client.id, registration_token };
    match app.noting(&Actor::Unknown, registered).register_client(new, now).await? {
        RegistrationOutcome::Registered => {}
        RegistrationOutcome::TokenSpent => return Err(Refusal::WrongToken),
        RegistrationOutcome::Full => return Err(Refusal::NoRoom(full())),
        RegistrationOutcome::ShareFull => return Err(Refusal::NoRoom(share_full())),
    }
    tracing::info!(client = %client.id, name = client.name, address, "client registered itself");
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
    address: &str,
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
    address: &str,
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
    address: &str,
) -> Result<Option<Value>, Refusal> {
    let Registration { mut stored, salt, next } = registration;
    let before = &stored.client;
    let mut client = request::client(given, kept(before), &terms_for(&app.settings, before))?;
    client.origin.self_registered.clone_from(&before.origin.self_registered);
    let client = settle(client, &app.settings)?;
    check_sector(app, &client, Some(before)).await?;
    let had_secret = before.token_endpoint_auth_method.has_secret();
    let is_another = !recognition::looks_the_same(before, &client);
    let (secret, secrets) =
        clients::renewed(&client, had_secret, stored.secrets, app.now(), seal(app, &client))?;
    (stored.client, stored.secrets) = (client.into_metadata(), secrets);
    let client = &stored.client;
    let storage = app.noting(&Actor::Client, Event::ClientUpdated { client: &client.id });
    if !storage.update_registration(&stored, app.now(), is_another).await? {
        return Ok(None);
    }
    app.clients.forget();
    tracing::info!(client = %client.id, address, is_another, "client changed its registration");
    Ok(Some(answer(app, client, &salt, next, secret.as_ref())?))
}

/// A client delete request (RFC 7592 2.3): what was granted to it ends with it.
pub(crate) async fn delete(app: &App, id: &str, token: Option<&str>, address: &str) -> Result<(), Refusal> {
    let registration = authorized(app, id, token).await?;
    let client = &registration.stored.client.id;
    let deleted = app.noting(&Actor::Client, Event::ClientDeleted { client }).delete_client(client).await?;
    app.clients.forget();
    if deleted {
        tracing::info!(client = id, address, "client deleted its registration");
    }
    Ok(())
}

async fn admit<'a>(app: &'a App, address: &str) -> Result<Attempt<'a>, Refusal> {
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
fn registered_by(app: &App, token: Option<&InitialAccessToken>, address: &str) -> String {
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

/// The members with those of the software statement over them, if there is one.
async fn believed(app: &App, mut given: Members) -> Result<Members, OAuthError> {
    let Some(jwt) = given.get(SOFTWARE_STATEMENT) else {
        if app.settings.registration.require_software_statement {
            return Err(statement::missing());
        }
        return Ok(given);
    };
    let jwt = jwt.as_str().ok_or_else(|| statement::invalid("software_statement is a JWT, a text."))?;
    let statement = Statement::read(jwt, app.now())?;
    let issuer = app.storage.software_issuer(&statement.issuer).await?.ok_or_else(statement::unapproved)?;
    let keys = app
        .remote_keys
        .of(&issuer.keys, statement.kid.as_deref(), app.now())
        .await?
        .ok_or_else(statement::keyless)?;
    let claims = statement.verified(&keys)?;
    statement::lay_over(&mut given, claims);
    Ok(given)
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

/// What the settings say of a client that the operator has not looked at; then everything is checked again.
fn settle(mut client: ClientMetadata, settings: &Settings) -> Result<Client, OAuthError> {
    let optional = settings.registration.pkce == PkcePolicy::Optional;
    match client.is_confidential() {
        true if optional => client.pkce = client.pkce.or(Some(PkcePolicy::Optional)),
        true => {}
        // RFC 9700 2.1.1: public clients MUST use PKCE.
        false => client.pkce = None,
    }
    registrable(client, settings).map_err(request::refusal)
}

/// Whether the sector that a client names lists its redirect URIs; asked again where one of the two changed.
async fn check_sector(
    app: &App,
    client: &ClientMetadata,
    before: Option<&ClientMetadata>,
) -> Result<(), OAuthError> {
    let asked = |client: &ClientMetadata| {
        (client.identity.sector_identifier_uri.clone(), client.redirect_uris.clone())
    };
    if before.is_some_and(|before| asked(before) == asked(client)) {
        return Ok(());
    }
    let checked = sector_identifier::check(&app.documents, client, app.now()).await;
    checked.map_err(|error| {
        if error.is_busy() {
            return Crowded.into();
        }
        request::refusal(vec![InvalidMetadata {
            member: sector_identifier::MEMBER,
            problem: error.to_string(),
        }])
    })
}

/// The client that this metadata describes, or everything that keeps it from working on a server with these settings.
pub(crate) fn registrable(
    client: ClientMetadata,
    settings: &Settings,
) -> Result<Client, Vec<InvalidMetadata>> {
    let client = settings.clients.profiles.resolve(client).map_err(|unknown| vec![unknown.into()])?;
    let problems = problems(&client, settings);
    if problems.is_empty() { Ok(client) } else { Err(problems) }
}

fn problems(client: &Client, settings: &Settings) -> Vec<InvalidMetadata> {
    let mut problems = registration::check(client);
    let mut complain = |member, problem: String| problems.push(InvalidMetadata { member, problem });
    let fetched = [
        ("jwks_uri", client.jwks_uri()),
        ("sector_identifier_uri", client.identity.sector_identifier_uri.as_ref()),
        ("backchannel_logout_uri", client.logout.backchannel_logout_uri.as_ref()),
    ];
    for (member, uri) in fetched {
        let checked = uri.map(|uri| remote_uri::check(uri, settings.outbound.allow_private));
        if let Some(Err(error)) = checked {
            complain(member, error.to_string());
        }
    }
    for uri in &client.requests.request_uris {
        // OpenID Connect Registration 2: a fragment is the digest of what is there.
        let address = uri.split_once('#').map_or(uri.as_str(), |(address, _)| address);
        if let Err(error) = remote_uri::check(address, settings.outbound.allow_private) {
            complain("request_uris", format!("{uri}: {error}"));
        }
    }
    if client.requests.response_types.iter().any(|asked| asked.is_implicit()) && !settings.grants.implicit {
        let problem = "only code and code id_token are on; grants.implicit turns the others on";
        complain("response_types", problem.to_owned());
    }
    if client.ui == Some(Ui::External) && settings.ui.external.is_none() {
        complain("ui", "set ui.login_url and ui.consent_url before a client uses them".to_owned());
    }
    if client.token_hook == Some(true) && settings.token_hook.is_none() {
        complain("token_hook", "set token_hook.url before a client uses it".to_owned());
    }
    if client.may_use(GrantType::Password) && !settings.grants.password {
        complain("grant_types", "the password grant is off; grants.password turns it on".to_owned());
    }
    for (member, algorithm) in [
        ("id_token_signed_response_alg", client.id_token_signed_response_alg),
        ("access_token_signed_response_alg", client.access_token_signed_response_alg),
        ("introspection_signed_response_alg", client.identity.introspection_signed_response_alg),
        ("userinfo_signed_response_alg", client.identity.userinfo_signed_response_alg),
        ("authorization_signed_response_alg", client.requests.authorization_signed_response_alg),
    ] {
        problems.extend(unknown_algorithm(member, algorithm, settings));
    }
    problems
}

/// An algorithm for which the server has no keys.
pub(crate) fn unknown_algorithm(
    member: &'static str,
    algorithm: Option<Algorithm>,
    settings: &Settings,
) -> Option<InvalidMetadata> {
    let known = &settings.keys.algorithms;
    let unknown = algorithm.filter(|algorithm| !known.contains(algorithm))?;
    let names: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
    let problem = format!("{unknown} is not in keys.algorithms, which has {}", names.join(", "));
    Some(InvalidMetadata { member, problem })
}

/// What seals a client's secret.
fn seal<'a>(app: &'a App, client: &'a Client) -> impl FnOnce(&Secret) -> Result<Secret, OAuthError> + 'a {
    |secret| clients::seal_secret(&app.master_key, &client.id, secret).map_err(OAuthError::server_error)
}

fn full() -> OAuthError {
    tracing::warn!("no client is registered: there are registration.max_clients that registered themselves");
    OAuthError::new(ErrorCode::TemporarilyUnavailable, "This server takes no more registrations for now.")
}

fn busy() -> OAuthError {
    let description = "Others change this client at the same moment, again and again. Try again.";
    OAuthError::new(ErrorCode::TemporarilyUnavailable, description)
}

fn share_full() -> OAuthError {
    let description = "This address, or this token, has registered as many clients as it may: delete one, or wait \
                       until those that nobody uses are removed.";
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
