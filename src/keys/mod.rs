//! Signing keys: made, kept sealed, rotated, published as a JWK Set (RFC 7517), used to sign and to verify.
//!
//! A [`KeyRing`] is what the server knows at one moment; [`Keys`] holds the current one and is replaced as a whole when
//! the database says that keys changed.

mod key_pair;
mod ring;
mod rotation;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use serde::Serialize;

pub use ring::{KeyRing, TokenType};
pub use rotation::{Keeper, RotationTimes, SEALING_PURPOSE, ensure, rotate, rotate_when_due, withdraw};

use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::model::{Algorithm, Timestamp};
use crate::observe::{self, Durations, Label, WORK, span};
use crate::storage::{Storage, StorageError};

/// Why keys could not be made, loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("there is no {0} key to sign with; add it to keys.algorithms")]
    NoKey(crate::model::Algorithm),
    #[error("the cryptographic library refused the key")]
    Library,
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    #[error("another process rotated the same key at the same moment; nothing was changed")]
    Raced,
}

/// The keys of now: those that are published, and those that were in the last `hint_seconds`.
pub async fn load(
    storage: &Storage,
    master: &MasterKey,
    now: Timestamp,
    hint_seconds: i64,
) -> Result<KeyRing, KeyError> {
    let retired = storage.retired_keys(now, now.plus(-hint_seconds)).await?;
    KeyRing::open(master, &storage.signing_keys(now).await?)?.with_retired(&retired)
}

/// The keys of the moment. Readers get a snapshot that stays valid while they use it.
pub struct Keys {
    ring: RwLock<Arc<KeyRing>>,
    /// Held while the database is asked: else an older answer could replace a younger one, and a withdrawn key be back.
    reloading: tokio::sync::Mutex<()>,
    signing: Durations<Algorithm>,
}

impl Label for Algorithm {
    const MOST: usize = Self::ALL.len();

    fn index(self) -> usize {
        self as usize
    }

    fn shown_from_the_start() -> impl Iterator<Item = Self> {
        std::iter::empty()
    }
}

impl Keys {
    pub fn new(ring: KeyRing) -> Self {
        Self {
            ring: RwLock::new(Arc::new(ring)),
            reloading: tokio::sync::Mutex::default(),
            signing: Durations::new(&WORK),
        }
    }

    /// Signs claims with the current key of an algorithm, as a compact JWS.
    pub fn sign(
        &self,
        kind: TokenType,
        algorithm: Algorithm,
        now: Timestamp,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        let _span = span::work("sign", algorithm.as_str());
        let started = Instant::now();
        let signed = self.ring().sign(kind, algorithm, now, claims);
        let took = started.elapsed();
        self.signing.note(algorithm, took);
        observe::signed(took);
        signed
    }

    /// How long signing took, by algorithm.
    pub fn signing(&self) -> &Durations<Algorithm> {
        &self.signing
    }

    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the keys again.
    pub async fn reload(
        &self,
        storage: &Storage,
        master: &MasterKey,
        now: Timestamp,
        hint_seconds: i64,
    ) -> Result<(), KeyError> {
        let _alone = self.reloading.lock().await;
        self.replace(load(storage, master, now, hint_seconds).await?);
        Ok(())
    }

    pub fn replace(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}
