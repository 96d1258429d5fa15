//! What the demo needs to be there: a user and three clients. Repeated at every start without harm.

use crate::administration::clients::defaults;
use crate::app::App;
use crate::crypto::digest;
use crate::crypto::password::Against;
use crate::crypto::password::PasswordError;
use crate::model::{
    Address, AuthMethod, ClientId, ClientMetadata, ClientSecrets, GrantType, Noted, Profile, ScopeSet,
    Secret, User, UserId,
};
use crate::registry::clients;
use crate::storage::{Credentials, StorageError};

pub(super) const USERNAME: &str = "demo";
pub(super) const APP: &str = "demo-app";
pub(super) const MACHINE: &str = "demo-machine";
pub(super) const SPA: &str = "demo-spa";
pub(super) const SCOPE: &str = "openid profile email address phone groups offline_access";

/// Why the demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeedError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the demo user's password: {0}")]
    Password(#[from] PasswordError),
    #[error("the email address of the demo user belongs to another user")]
    Conflict,
    #[error("others change the demo's clients at this moment; run it again")]
    Raced,
}

/// What people sign in and try things with.
pub(super) struct Secrets<'a> {
    pub password: &'a Secret,
    pub app: &'a Secret,
    pub machine: &'a Secret,
}

/// Whether the database serves something else already: a demo user is not put among real people.
pub(super) async fn is_in_use(app: &App) -> Result<bool, StorageError> {
    if app.storage.client(&ClientId::new(APP)).await?.is_some() {
        return Ok(false);
    }
    Ok(!app.storage.clients().await?.is_empty() || !app.storage.users().await?.is_empty())
}

/// Makes the user and the clients what the demo at `home` needs.
pub(super) async fn run(app: &App, home: &str, secrets: &Secrets<'_>) -> Result<(), SeedError> {
    user(app, secrets.password).await?;
    for (client, secret) in [
        (application(app, home), Some(secrets.app)),
        (machine(app), Some(secrets.machine)),
        (single_page(app, home), None),
    ] {
        let current = secret.map(|secret| digest::sha256(secret.expose().as_bytes()));
        register(app, &client, &ClientSecrets { current, ..ClientSecrets::default() }).await?;
    }
    app.clients.forget();
    Ok(())
}

/// Puts a client into the place of the one of its id, whatever that was.
async fn register(app: &App, client: &ClientMetadata, secrets: &ClientSecrets) -> Result<(), SeedError> {
    for _ in 0..clients::TRIES {
        let registered = match app.storage.client(&client.id).await? {
            Some(mut stored) => {
                (stored.client, stored.secrets) = (client.clone(), secrets.clone());
                app.storage.update_client(Noted::nothing(), &stored, app.now()).await?
            }
            None => app.storage.insert_client(Noted::nothing(), client, secrets).await?,
        };
        if registered {
            return Ok(());
        }
    }
    Err(SeedError::Raced)
}

/// A user of that name who has the password already keeps their sessions.
async fn user(app: &App, password: &Secret) -> Result<(), SeedError> {
    let found = app.storage.credentials(USERNAME).await?;
    let Some(Credentials { user, password_hash, .. }) = found else {
        let hash = app.passwords.hash(password.clone()).await?;
        let inserted = app.storage.insert_user(Noted::nothing(), &person(app), Some(&hash)).await?;
        return inserted.map_err(|_| SeedError::Conflict);
    };
    if user.disabled {
        app.storage.set_disabled(Noted::nothing(), &user.id, false, app.now()).await?;
    }
    let against = password_hash.as_deref().map_or(Against::Nothing(USERNAME), Against::Hash);
    if !app.passwords.verify(&app.passwords.operators_place(), password.clone(), against).await? {
        let hash = app.passwords.hash(password.clone()).await?;
        app.storage.set_password(Noted::nothing(), &user.id, &hash, app.now()).await?;
    }
    Ok(())
}

fn person(app: &App) -> User {
    let text = |text: &str| Some(text.to_owned());
    let address = Address {
        formatted: text("1 Chancery Lane\nLondon\nWC2A 1LF\nUnited Kingdom"),
        street_address: text("1 Chancery Lane"),
        locality: text("London"),
        region: None,
        postal_code: text("WC2A 1LF"),
        country: text("United Kingdom"),
    };
    User {
        id: UserId::new(crate::crypto::random::id()),
        username: USERNAME.to_owned(),
        email: text("demo@example.com"),
        email_verified: true,
        phone_number: text("+44 20 7946 0018"),
        phone_number_verified: false,
        profile: Profile {
            name: text("Dana Demo"),
            given_name: text("Dana"),
            family_name: text("Demo"),
            nickname: text("dana"),
            website: text("https://example.com/dana"),
            zoneinfo: text("Europe/London"),
            locale: text("en-GB"),
            address: Some(address),
            ..Profile::default()
        },
        groups: vec!["staff".to_owned(), "editors".to_owned()],
        disabled: false,
        created_at: app.now(),
        updated_at: app.now(),
    }
}

/// The demo application itself: a web application that keeps a secret.
fn application(app: &App, home: &str) -> ClientMetadata {
    ClientMetadata {
        redirect_uris: vec![format!("{home}callback")],
        post_logout_redirect_uris: vec![home.to_owned()],
        client_uri: Some(home.to_owned()),
        ..client(app, APP, "Demo application", SCOPE)
    }
}

/// A service that acts for itself.
fn machine(app: &App) -> ClientMetadata {
    ClientMetadata {
        grant_types: vec![GrantType::ClientCredentials],
        ..client(app, MACHINE, "Demo machine", "")
    }
}

/// An application in the browser or on a device: it has no secret.
fn single_page(app: &App, home: &str) -> ClientMetadata {
    ClientMetadata {
        redirect_uris: vec![format!("{home}callback"), "http://127.0.0.1/callback".to_owned()],
        post_logout_redirect_uris: vec![home.to_owned()],
        token_endpoint_auth_method: AuthMethod::None,
        ..client(app, SPA, "Demo single-page application", SCOPE)
    }
}

fn client(app: &App, id: &str, name: &str, scope: &str) -> ClientMetadata {
    let scope = scope.parse().unwrap_or_else(|_| ScopeSet::default());
    ClientMetadata { scope, ..defaults::client(ClientId::new(id), name.to_owned(), app.now()) }
}
