//! Registered clients, cached: looking one up costs no statement while nothing changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::crypto::jwks::KeySet;
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::model::{Client, ClientId, ClientSecrets, Secret};
use crate::storage::{Storage, StorageError};

const MOST: u64 = 10_000;
/// The longest a change can go unnoticed, should every other way fail.
const KEPT: Duration = Duration::from_secs(60);

/// A client with what it proves itself by.
#[derive(Debug)]
pub struct Registered {
    pub client: Arc<Client>,
    pub secrets: ClientSecrets,
    /// Its inline `jwks`, read. None: it has none; a `jwks_uri` is another matter.
    pub keys: Option<Arc<KeySet>>,
}

/// What a client's secret is sealed for: the copy of one client opens for no other.
fn purpose(id: &ClientId) -> String {
    format!("client secret {id}")
}

/// The copy of a secret that [`ClientSecrets::sealed`] holds.
pub fn seal_secret(master: &MasterKey, id: &ClientId, secret: &Secret) -> Result<Secret, MasterKeyError> {
    master.seal(&purpose(id), secret.expose().as_bytes())
}

/// The secret behind the copy.
pub fn open_secret(
    master: &MasterKey,
    id: &ClientId,
    sealed: &Secret,
) -> Result<zeroize::Zeroizing<Vec<u8>>, MasterKeyError> {
    master.open(&purpose(id), sealed)
}

/// The cache before the table.
pub struct Clients {
    storage: Storage,
    known: Cache<ClientId, Arc<Registered>>,
    /// Raised by every [`Clients::forget`], so that what was read before one is not kept after it.
    epoch: AtomicU64,
}

impl Clients {
    pub fn new(storage: Storage) -> Self {
        let known = Cache::builder().max_capacity(MOST).time_to_live(KEPT).build();
        Self { storage, known, epoch: AtomicU64::new(0) }
    }

    /// A client by its id. Unknown ids are not remembered: anybody can make them up.
    pub async fn find(&self, id: &ClientId) -> Result<Option<Arc<Registered>>, StorageError> {
        if let Some(known) = self.known.get(id) {
            return Ok(Some(known));
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let Some((client, secrets)) = self.storage.client(id).await? else { return Ok(None) };
        // What is registered was read before; a set that cannot be read is one that verifies nothing.
        let keys = client.jwks.as_ref().map(|jwks| Arc::new(KeySet::read(jwks).unwrap_or_default()));
        let registered = Arc::new(Registered { client: Arc::new(client), secrets, keys });
        if epoch == self.epoch.load(Ordering::Acquire) {
            self.known.insert(id.clone(), Arc::clone(&registered));
        }
        Ok(Some(registered))
    }

    /// Forgets what is cached, because something changed.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }
}
