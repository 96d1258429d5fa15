//! The server as a whole: settings, storage, keys, caches, clock; start-up and background tasks.

mod background;
mod key_source;
mod remembered;
mod renewals;
mod start;
mod verified_tokens;
mod walk;

use std::sync::Arc;

pub use background::{Background, spawn as spawn_background_tasks};
pub use start::{StartError, load_master_key, migrate, open_storage, outbound, rotation_times};

use crate::audit::{Actor, Audit, Event};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::PasswordHasher;
use crate::crypto::random;
use crate::grants::unused;
use crate::keys::{self, Keeper, Keys};
use crate::model::Timestamp;
use crate::observe::{Events, Listener, Requests, Watch};
use crate::outbound::remote_keys::RemoteKeys;
use crate::outbound::token_hook::TokenHook;
use crate::outbound::{Documents, Outbound};
use crate::registry::Registry;
use crate::registry::clients::Clients;
use crate::secrets;
use crate::server::tls::Tls;
use crate::site::Site;
use crate::storage::{Purged, Storage, StorageError};
use crate::waiting::Waiting;
use remembered::Remembered;
use renewals::Renewals;
use verified_tokens::VerifiedTokens;
use walk::Walk;

const WAITING: &str =
    "a request that waits (authorization.max_waiting_per_address, max_waiting_per_client, max_waiting)";

/// Everything a request needs. One per process, shared.
pub struct App {
    pub settings: Settings,
    pub storage: Storage,
    pub audit: Audit,
    pub clients: Clients,
    pub registry: Registry,
    pub keys: Keys,
    pub outbound: Arc<Outbound>,
    pub documents: Documents,
    pub remote_keys: RemoteKeys,
    pub token_hook: Option<TokenHook>,
    pub master_key: Arc<MasterKey>,
    pub passwords: PasswordHasher,
    pub renewals: Renewals,
    pub verified_tokens: VerifiedTokens,
    pub waiting: Waiting,
    pub remembered: Remembered,
    pub site: Site,
    /// None: the public listener speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
    pub clock: Clock,
    pub requests: Arc<Requests>,
    pub events: Events,
    pub unused_grants: Walk,
    /// Which of the processes on the database this is.
    process: String,
}

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
        let passwords = PasswordHasher::start(start::password_cost(&settings.passwords))?;
        let outbound = Arc::new(start::outbound(&settings)?);
        let app = Arc::new(Self {
            clients: Clients::new(storage.clone()),
            registry,
            keys: Keys::new(ring),
            remote_keys: RemoteKeys::new(Arc::clone(&outbound)),
            token_hook: start::token_hook(&settings, &outbound)?,
            documents: Documents::new(Arc::clone(&outbound)),
            outbound,
            renewals: Renewals::default(),
            verified_tokens: VerifiedTokens::default(),
            waiting: Waiting::new(settings.authorization.waiting, WAITING),
            remembered: Remembered::new(settings.clients.max_remembered),
            site: start::site(&settings)?,
            tls: start::tls(&settings, now)?,
            requests: Arc::new(start::requests(&settings)),
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

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The storage for one write, which takes an entry of the audit log with it if it changes something.
    pub fn noting(&self, actor: &Actor, event: Event<'_>) -> Storage {
        self.audit.noting(actor, &[event], self.now())
    }

    /// Puts an entry into the audit log for which nobody has to wait.
    pub fn note(&self, actor: &Actor, event: Event<'_>) {
        self.audit.note(actor, &event, self.now());
    }

    /// Whether there is a listener where somebody may ask for the metrics.
    pub fn is_scraped(&self) -> bool {
        self.settings.metrics.listen.is_some() || self.settings.admin.listen.is_some()
    }

    /// What notes the requests of a listener.
    pub fn watch(&self, listener: Listener) -> Watch {
        Watch::new(&self.requests, listener)
    }

    pub fn issuer(&self) -> &str {
        self.settings.server.issuer.as_str()
    }

    /// Looks at what the stored hashes of passwords cost.
    pub async fn learn_password_costs(&self) -> Result<(), StorageError> {
        let hashes = self.storage.sample_of_hashes().await?;
        self.passwords.learn_costs(hashes.iter().map(String::as_str));
        Ok(())
    }

    /// Loads the registered resources and scopes again.
    pub async fn reload_registry(&self) -> Result<(), StorageError> {
        self.registry.replace(self.storage.catalogue().await?);
        Ok(())
    }

    /// Makes the next key of every algorithm whose key has signed for long enough.
    pub async fn rotate_keys(&self) -> Result<(), keys::KeyError> {
        let settings = &self.settings.keys;
        let Some(every) = settings.rotate_every_seconds else { return Ok(()) };
        let plan = (every, rotation_times(&self.settings));
        keys::rotate_when_due(&self.keeper(), &settings.algorithms, self.now(), plan).await
    }

    /// One round of removing what has expired; none where another process does it.
    pub async fn remove_expired_in_turn(&self) -> Result<Option<Purged>, StorageError> {
        match self.storage.take_purge_turn(&self.process, self.now()).await? {
            true => self.remove_expired().await.map(Some),
            false => Ok(None),
        }
    }

    /// One round of removing what has expired.
    pub async fn remove_expired(&self) -> Result<Purged, StorageError> {
        let now = self.now();
        if self.settings.sessions.expiry_signs_out {
            while self.storage.end_expired_sessions(now).await? > 0 {}
        }
        self.storage.retire_keys(now, now.plus(-self.settings.keys.hint_seconds)).await?;
        let mut purged = self.storage.purge(now).await?;
        purged.grants += unused::remove(self, now).await?;
        if purged.registrations > 0 {
            self.note(&Actor::Server, Event::UnusedClientsRemoved { count: purged.registrations });
        }
        Ok(purged)
    }

    /// The server by itself, where it makes keys.
    pub fn keeper(&self) -> Keeper<'_> {
        Keeper { audit: &self.audit, actor: Actor::Server }
    }

    /// Loads the data keys and the signing keys again and forgets which signatures were verified with the old ones.
    pub async fn reload_keys(&self) -> Result<(), keys::KeyError> {
        if let Err(error) = secrets::reload(&self.storage, &self.master_key).await {
            tracing::error!(%error, "could not open the data keys; the ones in use stay");
        }
        let hint_seconds = self.settings.keys.hint_seconds;
        self.keys.reload(&self.storage, &self.master_key, self.now(), hint_seconds).await?;
        self.verified_tokens.forget();
        Ok(())
    }
}
