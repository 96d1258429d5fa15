//! Opening what the server runs on: the database, the master key.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::key_source::{self, KeySourceError};
use crate::app::{App, Remembered, Renewals, VerifiedTokens, Walk};
use crate::audit::{Actor, Audit};
use crate::clock::Clock;
use crate::config::{self, DatabaseSettings, DatabaseUrl, PasswordSettings, Settings};
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::crypto::password::{Cost, PasswordError, PasswordHasher};
use crate::crypto::random;
use crate::crypto::webhook::InvalidWebhookSecret;
use crate::keys::{self, Keeper, KeyError, Keys};
use crate::model::{Secret, Timestamp};
use crate::observe::{Events, Requests};
use crate::outbound::remote_keys::RemoteKeys;
use crate::outbound::token_hook::TokenHook;
use crate::outbound::{Documents, Outbound, OutboundError};
use crate::registry::Registry;
use crate::registry::clients::Clients;
use crate::secrets::{self, SecretsError};
use crate::server::tls::{Tls, TlsError};
use crate::site::{Branding, Site};
use crate::storage::{Db, Ending, Storage, StorageError};
use crate::waiting::Waiting;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
    #[error("passwords: {0}")]
    Passwords(#[from] PasswordError),
    #[error("outbound.ca_file: {0}")]
    Outbound(#[from] OutboundError),
    #[error("token_hook.secret: {0}")]
    TokenHook(#[from] InvalidWebhookSecret),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("branding: {0}")]
    Branding(String),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> StartError + '_ {
    move |error| StartError::File { path: path.to_owned(), error }
}

/// Opens the database, without touching its schema.
pub async fn open_storage(settings: &Settings) -> Result<Storage, StartError> {
    let db = match &settings.database.url {
        DatabaseUrl::Sqlite { path } => {
            if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
                make_private_directory(directory)?;
            }
            make_private_file(path)?;
            Db::open_sqlite(path, settings.database.acquire_timeout).await?
        }
        DatabaseUrl::Postgres { url } => {
            let DatabaseSettings { max_connections, acquire_timeout, .. } = settings.database;
            Db::open_postgres(url.expose(), max_connections, acquire_timeout).await?
        }
    };
    let ending = if settings.sessions.offline_access_stays { Ending::Online } else { Ending::Access };
    Ok(Storage::new(db, settings.database.ended_kept_seconds).ending(ending))
}

/// Brings the schema up to date. Processes that start together do it one after the other.
pub async fn migrate(settings: &Settings, storage: &Storage) -> Result<(), StartError> {
    let _lock = match &settings.database.url {
        DatabaseUrl::Sqlite { path } => Some(lock_beside(path)?),
        DatabaseUrl::Postgres { .. } => None,
    };
    storage.db().migrate().await?;
    for user in storage.renew_user_keys().await? {
        tracing::warn!(%user, "a name or mail address is another user's in another form (RFC 8265); both sign in as before");
    }
    Ok(())
}

/// The master key, made and kept in a file of mode 0600 where the settings say so, and the ones before it.
pub fn load_master_key(settings: &Settings) -> Result<MasterKey, StartError> {
    let given = &settings.secrets;
    let key = match &given.master_key {
        config::MasterKey::Given(key) => MasterKey::parse(key)?,
        config::MasterKey::NotRead => return Err(MasterKeyError::Malformed.into()),
        config::MasterKey::MakeFile(path) => {
            if let Some(directory) = path.parent() {
                make_private_directory(directory)?;
            }
            let lock = lock_beside(path)?;
            let key = read_or_make_key(path)?;
            drop(lock);
            MasterKey::parse(&key)?
        }
        config::MasterKey::Command(words) => {
            MasterKey::parse(&key_source::from_command(words, given.master_key_timeout)?)?
        }
        config::MasterKey::Socket(path) => {
            MasterKey::parse(&key_source::from_socket(path, given.master_key_timeout)?)?
        }
    };
    Ok(key.with_previous(&given.previous_master_keys)?)
}

/// Of two processes that start together the second finds the key that the first one made.
fn read_or_make_key(path: &Path) -> Result<Secret, StartError> {
    match fs::read_to_string(path) {
        Ok(text) => return Ok(Secret::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(path)(error)),
    }
    let key = MasterKey::generate();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    file.write_all(key.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))?;
    tracing::info!(path = %path.display(), "made a master key; without it the database cannot be read: back it up");
    Ok(key)
}

/// An exclusive lock on a file beside `path`, held until it is dropped.
fn lock_beside(path: &Path) -> Result<File, StartError> {
    let lock = path.with_extension("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock)
        .map_err(at(&lock))?;
    file.lock().map_err(at(&lock))?;
    Ok(file)
}

fn make_private_directory(directory: &Path) -> Result<(), StartError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(at(directory))
}

/// SQLite makes its other files with the mode of the first.
fn make_private_file(path: &Path) -> Result<(), StartError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
        .map_err(at(path))
}

const WAITING: &str =
    "a request that waits (authorization.max_waiting_per_address, max_waiting_per_client, max_waiting)";

impl App {
    /// Puts a server together on a migrated database: makes the keys that are missing, and loads them.
    pub async fn start(
        settings: Settings,
        storage: Storage,
        master_key: MasterKey,
        clock: Clock,
    ) -> Result<Arc<Self>, StartError> {
        let master_key = Arc::new(master_key);
        let now = clock.now();
        secrets::open(&storage, &master_key, now).await?;
        let audit = Audit::new(storage.clone(), Arc::clone(&master_key));
        keys::ensure(&Keeper { audit: &audit, actor: Actor::Server }, &settings.keys.algorithms, now).await?;
        let ring = keys::load(&storage, &master_key, now, settings.keys.hint_seconds).await?;
        let registry = Registry::new(storage.catalogue().await?);
        let passwords = PasswordHasher::start(password_cost(&settings.passwords))?;
        let outbound = Arc::new(Outbound::open(&settings.outbound)?);
        let app = Arc::new(Self {
            clients: Clients::new(storage.clone(), settings.clients.profiles.clone()),
            registry,
            keys: Keys::new(ring),
            remote_keys: RemoteKeys::new(Arc::clone(&outbound)),
            token_hook: token_hook(&settings, &outbound)?,
            documents: Documents::new(Arc::clone(&outbound)),
            outbound,
            renewals: Renewals::default(),
            verified_tokens: VerifiedTokens::default(),
            waiting: Waiting::new(settings.authorization.waiting, WAITING),
            remembered: Remembered::new(settings.clients.max_remembered),
            site: site(&settings)?,
            tls: tls(&settings, now)?,
            requests: Arc::new(requests(&settings)),
            events: Events::default(),
            unused_grants: Walk::default(),
            process: random::id(),
            settings,
            storage,
            audit,
            master_key,
            passwords,
            clock,
        });
        app.learn_password_costs().await?;
        Ok(app)
    }
}

fn password_cost(settings: &PasswordSettings) -> Cost {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Cost {
        memory_kib: settings.memory_kib,
        iterations: settings.iterations,
        parallelism: settings.parallelism,
        threads: if settings.threads == 0 { (processors - 1).max(1) } else { settings.threads },
        queue: settings.queue,
    }
}

/// What notes the requests.
fn requests(settings: &Settings) -> Requests {
    let aliases = settings.aliases.paths.iter().map(|alias| (alias.path.as_str(), alias.endpoint));
    Requests::new(settings.server.issuer.path_prefix(), aliases, settings.log.slow_request)
}

fn token_hook(settings: &Settings, outbound: &Arc<Outbound>) -> Result<Option<TokenHook>, StartError> {
    Ok(settings.token_hook.as_ref().map(|hook| TokenHook::new(hook, outbound)).transpose()?)
}

fn tls(settings: &Settings, now: Timestamp) -> Result<Option<Arc<Tls>>, StartError> {
    let Some(files) = settings.server.tls.clone() else { return Ok(None) };
    Ok(Some(Arc::new(Tls::load(files, &settings.server.issuer, now)?)))
}

fn site(settings: &Settings) -> Result<Site, StartError> {
    let branding = &settings.branding;
    let branding = Branding {
        name: &branding.name,
        logo_url: branding.logo_url.as_deref().unwrap_or_default(),
        accent: &branding.accent,
        support_url: branding.support_url.as_deref().unwrap_or_default(),
        policy_url: branding.policy_url.as_deref().unwrap_or_default(),
        tos_url: branding.tos_url.as_deref().unwrap_or_default(),
    };
    Site::new(&branding, settings.server.issuer.path_prefix()).map_err(|problems| {
        StartError::Branding(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })
}
