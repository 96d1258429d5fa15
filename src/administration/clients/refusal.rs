//! Why a client is not created, changed or deleted.

use crate::model::{AuthMethod, ClientId, UnknownProfile};
use crate::outbound::sector_identifier::NotOfSector;
use crate::protocol::registration::InvalidMetadata;

/// Why nothing was done, and what of the client it is about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientRefusal {
    /// Everything that is wrong with what was given.
    #[error("{}", joined(.0))]
    Invalid(Vec<ClientProblem>),
    #[error("sector_identifier_uri: {0}")]
    NotOfSector(#[from] NotOfSector),
    #[error("profile: {0}")]
    UnknownProfile(#[from] UnknownProfile),
    #[error("there is a client {0} already")]
    Exists(ClientId),
    #[error("there is no client {0}")]
    Unknown(ClientId),
    #[error("the method of the client {client} is {method}, so it has no secret")]
    NoSecret { client: ClientId, method: AuthMethod },
    #[error("others change the client {0} at the same moment")]
    Raced(ClientId),
    /// A client registers itself: its initial access token has ended, or the uses of that have.
    #[error("the initial access token is not good any more")]
    TokenSpent,
    /// There are as many that registered themselves as there may be.
    #[error("there are as many clients as may register themselves")]
    Full,
    /// As many as there may be of the one who registers this one.
    #[error("there are as many clients as may be registered from there")]
    ShareFull,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientProblem {
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// It names a resource that nobody registered.
    #[error("there is no resource {0}")]
    UnknownResource(String),
}

fn joined(problems: &[ClientProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
