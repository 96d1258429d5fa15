//! Why a client is not registered, or not changed, as it is told.

use crate::administration::clients::{ClientProblem, ClientRefusal};
use crate::administration::{Failed, NotDone};
use crate::outbound::sector_identifier;
use crate::protocol::registration::InvalidMetadata;
use crate::protocol::registration::request;
use crate::protocol::{ErrorCode, OAuthError};
use crate::server::load::Crowded;
use crate::storage::StorageError;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A token is needed, and none was sent.
    NoToken,
    /// Also where the client is gone: a token of one that never was gets the same.
    WrongToken,
    /// Of this address, or of all together, for a while.
    TooMany,
    /// With this token, for a while.
    TooManyWithToken,
    /// There are as many clients as there may be.
    NoRoom(OAuthError),
    Error(OAuthError),
}

impl Refusal {
    /// Whether it was the server that failed: who asked could do nothing about it.
    pub(super) fn is_a_failure(&self) -> bool {
        let codes = [ErrorCode::ServerError, ErrorCode::TemporarilyUnavailable];
        matches!(self, Self::Error(error) if codes.contains(&error.code))
    }
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::Error(error)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Error(error.into())
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Storage(error) => error.into(),
            other => OAuthError::server_error(other).into(),
        }
    }
}

impl From<NotDone<ClientRefusal>> for Refusal {
    fn from(not_done: NotDone<ClientRefusal>) -> Self {
        match not_done {
            NotDone::Failed(failed) => failed.into(),
            NotDone::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<ClientRefusal> for Refusal {
    fn from(refusal: ClientRefusal) -> Self {
        match refusal {
            ClientRefusal::Invalid(problems) => {
                request::refusal(problems.into_iter().map(metadata).collect()).into()
            }
            ClientRefusal::NotOfSector(error) if error.is_busy() => Self::Error(Crowded.into()),
            ClientRefusal::NotOfSector(error) => {
                let (member, problem) = (sector_identifier::MEMBER, error.to_string());
                request::refusal(vec![InvalidMetadata { member, problem }]).into()
            }
            ClientRefusal::TokenSpent => Self::WrongToken,
            ClientRefusal::Full => Self::NoRoom(full()),
            ClientRefusal::ShareFull => Self::NoRoom(share_full()),
            // None of these comes of a client that registers or changes itself.
            other @ (ClientRefusal::UnknownProfile(_)
            | ClientRefusal::Exists(_)
            | ClientRefusal::Unknown(_)
            | ClientRefusal::NoSecret { .. }
            | ClientRefusal::Raced(_)) => OAuthError::server_error(other).into(),
        }
    }
}

fn metadata(problem: ClientProblem) -> InvalidMetadata {
    match problem {
        ClientProblem::Metadata(problem) => problem,
        ClientProblem::UnknownResource(_) => {
            InvalidMetadata { member: "resources", problem: problem.to_string() }
        }
    }
}

fn full() -> OAuthError {
    tracing::warn!("no client is registered: there are registration.max_clients that registered themselves");
    OAuthError::new(ErrorCode::TemporarilyUnavailable, "This server takes no more registrations for now.")
}

fn share_full() -> OAuthError {
    let description = "This address, or this token, has registered as many clients as it may: delete one, or wait \
                       until those that nobody uses are removed.";
    OAuthError::new(ErrorCode::TemporarilyUnavailable, description)
}
