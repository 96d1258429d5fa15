//! Why a command was not done, as people read it.

use std::io;

use crate::administration::{Failed, NotDone};
use crate::boot::{ListenError, StartError};
use crate::config::Problems;
use crate::model::text;
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
    Failed(Failed),
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

impl<E: Into<Failed>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// Why an act was not done; a refusal as `word` words it.
    pub(crate) fn not_done<R>(not_done: NotDone<R>, word: impl FnOnce(R) -> Self) -> Self {
        match not_done {
            NotDone::Refused(refusal) => word(refusal),
            NotDone::Failed(failed) => Self::Failed(failed),
        }
    }

    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// Everything that is wrong with what was given.
    pub(crate) fn invalid(what: &'static str, problems: &[impl ToString]) -> Self {
        Self::Invalid { what, problems: problems.iter().map(ToString::to_string).collect() }
    }
}

fn bullets(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n- {}", text::escaped(problem))).collect()
}
