//! Registered clients, cached: looking one up costs no statement while nothing changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::crypto::jwks::KeySet;
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::crypto::{digest, random};
use crate::model::{Client, ClientId, ClientSecrets, Profiles, RetiredSecret, Secret, Timestamp};
use crate::storage::{Storage, StorageError, StoredClient};

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
    /// Whether its first use would still have to be noted.
    unused: AtomicBool,
}

/// How often a change is made anew, upon what somebody else has made of the client meanwhile.
pub const TRIES: usize = 10;

/// Seconds a secret counts beside the one that replaced it because the server has to know it.
const OLD_SECRET_KEPT: i64 = 86_400;

/// A new secret of a client's own kind: one that the server computes with is long enough as a key.
pub fn new_secret(client: &Client) -> Secret {
    match client.needs_sealed_secret() {
        true => random::long_secret(),
        false => random::secret(),
    }
}

/// What is kept of a secret: its digest, and where the method needs it the secret itself, sealed by `seal`.
pub fn kept<E>(
    client: &Client,
    secret: &Secret,
    seal: impl FnOnce(&Secret) -> Result<Secret, E>,
) -> Result<ClientSecrets, E> {
    let sealed = client.needs_sealed_secret().then(|| seal(secret)).transpose()?;
    Ok(ClientSecrets { current: Some(digest::sha256(secret.expose().as_bytes())), sealed, retired: None })
}

/// What becomes of a client's secrets when its metadata has changed: the new secret, if it needs one, and what is kept.
pub fn renewed<E>(
    client: &Client,
    had_secret: bool,
    mut secrets: ClientSecrets,
    now: Timestamp,
    seal: impl FnOnce(&Secret) -> Result<Secret, E>,
) -> Result<(Option<Secret>, ClientSecrets), E> {
    let method = client.token_endpoint_auth_method;
    // A secret that was known to a public client is none, and one of which only the digest is left cannot be
    // computed with, so it counts only for a while beside the new one; a client without such a method has none.
    let unusable = !had_secret || (client.needs_sealed_secret() && secrets.sealed.is_none());
    if !method.has_secret() {
        return Ok((None, ClientSecrets::default()));
    }
    if unusable {
        let secret = new_secret(client);
        let old = secrets.current.filter(|_| had_secret);
        let expires_at = now.plus(OLD_SECRET_KEPT);
        let retired = old.map(|digest| RetiredSecret { digest, sealed: None, expires_at });
        let secrets = ClientSecrets { retired, ..kept(client, &secret, seal)? };
        return Ok((Some(secret), secrets));
    }
    if !client.needs_sealed_secret() {
        secrets.sealed = None;
        secrets.retired.iter_mut().for_each(|retired| retired.sealed = None);
    }
    Ok((None, secrets))
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

/// The same copy under the current data key. None: it is already.
pub fn reseal_secret(
    master: &MasterKey,
    id: &ClientId,
    sealed: &Secret,
) -> Result<Option<Secret>, MasterKeyError> {
    master.reseal(&purpose(id), sealed)
}

/// The cache before the table.
pub struct Clients {
    storage: Storage,
    profiles: Profiles,
    known: Cache<ClientId, Arc<Registered>>,
    /// Raised by every [`Clients::forget`], so that what was read before one is not kept after it.
    epoch: AtomicU64,
}

impl Clients {
    pub fn new(storage: Storage, profiles: Profiles) -> Self {
        let known = cache::recent(MOST).time_to_live(KEPT).build();
        Self { storage, profiles, known, epoch: AtomicU64::new(0) }
    }

    /// A client by its id. Unknown ids are not remembered: anybody can make them up.
    pub async fn find(&self, id: &ClientId) -> Result<Option<Arc<Registered>>, StorageError> {
        if let Some(known) = self.known.get(id) {
            return Ok(Some(known));
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let Some(StoredClient { client, secrets, .. }) = self.storage.client(id).await? else {
            return Ok(None);
        };
        // Nobody can say what holds for one whose profile is gone: it is not served, and the others are.
        let client = self.profiles.resolve(client).map_err(|unknown| StorageError::ImpossibleRow {
            table: "clients",
            id: id.to_string(),
            what: unknown.to_string(),
        })?;
        // What is registered was read before; a set that cannot be read is one that verifies nothing.
        let keys = client.jwks().map(|jwks| Arc::new(KeySet::read(jwks).unwrap_or_default()));
        let unused =
            client.origin.self_registered.as_ref().is_some_and(|origin| origin.unused_until.is_some());
        let unused = AtomicBool::new(unused);
        let registered = Arc::new(Registered { client: Arc::new(client), secrets, keys, unused });
        if epoch == self.epoch.load(Ordering::Acquire) {
            self.known.insert(id.clone(), Arc::clone(&registered));
        }
        Ok(Some(registered))
    }

    /// Notes that a client is used. It costs a statement once, and only for one that registered itself.
    pub async fn note_use(&self, client: &Client) -> Result<(), StorageError> {
        if !client.is_self_registered() {
            return Ok(());
        }
        let Some(known) = self.find(&client.id).await? else { return Ok(()) };
        if known.unused.load(Ordering::Relaxed) {
            self.storage.note_first_use(&client.id).await?;
            known.unused.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many are cached.
    pub fn entries(&self) -> u64 {
        cache::entries(&self.known)
    }

    /// Forgets what is cached, because something changed.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }
}
