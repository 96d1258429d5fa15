//! Signing keys: made, kept sealed, rotated, published as a JWK Set (RFC 7517), used to sign and to verify.
//!
//! A [`KeyRing`] is what the server knows at one moment; [`Keys`] holds the current one and is replaced as a whole when
//! the database says that keys changed.

mod key_pair;
mod ring;
mod rotation;

use std::sync::{Arc, PoisonError, RwLock};

pub use ring::{KeyRing, TokenType};
pub use rotation::{RotationTimes, ensure, rotate, rotate_when_due, withdraw};

use crate::crypto::master_key::MasterKeyError;
use crate::storage::StorageError;

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

/// The keys of the moment. Readers get a snapshot that stays valid while they use it.
pub struct Keys(RwLock<Arc<KeyRing>>);

impl Keys {
    pub fn new(ring: KeyRing) -> Self {
        Self(RwLock::new(Arc::new(ring)))
    }

    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, ring: KeyRing) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}
