//! Why a command was not done, as people read it.

use std::io;

use crate::boot::{ListenError, StartError};
use crate::config::Problems;
use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::PasswordError;
use crate::keys::KeyError;
use crate::model::text;
use crate::storage::StorageError;
use crate::telemetry;

/// What is wrong and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Settings(#[from] Problems),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the password could not be hashed: {0}")]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Log(#[from] telemetry::StartError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
    #[error("{what} cannot be done:{}", bullets(.problems))]
    Invalid { what: &'static str, problems: Vec<String> },
}

impl Failure {
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// Nothing where there is no problem, else all of them.
    pub(crate) fn of(what: &'static str, problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self::Invalid { what, problems }) }
    }
}

fn bullets(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n- {}", text::escaped(problem))).collect()
}
