//! Why an act was not done: it was refused, or the server failed it.

use std::error::Error;

use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::PasswordError;
use crate::keys::KeyError;
use crate::protocol::registration::InvalidMetadata;
use crate::secrets::SecretsError;
use crate::storage::StorageError;

/// What came of an act; `R` says why it may be refused.
pub(crate) type Outcome<T, R> = Result<T, NotDone<R>>;

#[derive(Debug)]
pub(crate) enum NotDone<R> {
    /// By its own rules: whoever asked can ask otherwise.
    Refused(R),
    Failed(Failed),
}

/// Why an act is refused that is about one thing by its name.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Everything that is wrong with what was given.
    Invalid(Vec<InvalidMetadata>),
    /// There is one of this name already.
    Exists(String),
    Unknown(String),
}

impl Refusal {
    /// Nothing where there is no problem, else all of them.
    pub(super) fn of(problems: Vec<InvalidMetadata>) -> Outcome<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(NotDone::Refused(Self::Invalid(problems))) }
    }

    /// Whether there was none of this name.
    pub(super) fn unless_new(is_new: bool, name: &str) -> Outcome<(), Self> {
        if is_new { Ok(()) } else { Err(NotDone::Refused(Self::Exists(name.to_owned()))) }
    }

    /// Whether there was one of this name.
    pub(super) fn unless_found(found: bool, name: &str) -> Outcome<(), Self> {
        if found { Ok(()) } else { Err(Self::unknown(name)) }
    }

    pub(super) fn unknown(name: &str) -> NotDone<Self> {
        NotDone::Refused(Self::Unknown(name.to_owned()))
    }
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
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// What the act needs could not be opened or made.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl<R, E: Into<Failed>> From<E> for NotDone<R> {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
