//! The server as a whole: settings, storage, keys, caches, clock. `boot` puts it together.

mod remembered;
mod renewals;
mod verified_tokens;
mod walk;

use std::sync::Arc;

use crate::administration::{Administration, Failed, Services};
use crate::audit::{Actor, Audit, Event};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::master_key::MasterKey;
use crate::crypto::password::PasswordHasher;
use crate::keys::{self, Keeper, Keys};
use crate::model::{Noted, Timestamp};
use crate::observe::{Events, Listener, Requests, Watch};
use crate::outbound::remote_keys::RemoteKeys;
use crate::outbound::token_hook::TokenHook;
use crate::outbound::{Documents, Outbound};
use crate::registry::Registry;
use crate::registry::clients::Clients;
use crate::secrets;
use crate::server::tls::Tls;
use crate::site::Site;
use crate::storage::{Storage, StorageError};
use crate::waiting::Waiting;
pub use remembered::Remembered;
pub use renewals::Renewals;
pub use verified_tokens::VerifiedTokens;
pub use walk::Walk;

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
    pub process: String,
}

impl App {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An entry of the audit log for one write, which takes it along if it changes something.
    pub fn noted(&self, actor: &Actor, event: Event<'_>) -> Noted {
        self.audit.noted(actor, &[event], self.now())
    }

    /// Administration by whoever acts.
    pub(crate) fn administration(&self, actor: Actor) -> Administration<'_> {
        Administration {
            settings: &self.settings,
            storage: &self.storage,
            clock: &self.clock,
            services: self,
            actor,
        }
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

impl Services for App {
    fn audit(&self) -> Result<&Audit, Failed> {
        Ok(&self.audit)
    }

    fn documents(&self) -> Result<&Documents, Failed> {
        Ok(&self.documents)
    }

    fn passwords(&self) -> Result<&PasswordHasher, Failed> {
        Ok(&self.passwords)
    }

    fn client_changed(&self) {
        self.clients.forget();
    }
}
