//! Why an act was not done: it was refused, or the server failed it.

use std::error::Error;

use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::PasswordError;
use crate::keys::KeyError;
use crate::storage::StorageError;

/// What came of an act; `R` says why it may be refused.
pub(crate) type Outcome<T, R> = Result<T, NotDone<R>>;

#[derive(Debug)]
pub(crate) enum NotDone<R> {
    /// By its own rules: whoever asked can ask otherwise.
    Refused(R),
    Failed(Failed),
}

/// What kept the server from an act with which nothing was wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the password could not be hashed: {0}")]
    Password(#[from] PasswordError),
    /// What the act needs could not be opened.
    #[error(transparent)]
    NotOpen(Box<dyn Error + Send + Sync>),
}

impl<R, E: Into<Failed>> From<E> for NotDone<R> {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
