//! What is wrong with what is registered: a client, a resource, a scope.

use crate::model::UnknownProfile;

/// Seconds: a day.
pub const MAX_ACCESS_TOKEN_LIFETIME: i64 = 86_400;

/// One thing that is wrong with a client's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}")]
pub struct InvalidMetadata {
    pub member: &'static str,
    pub problem: String,
}

impl From<UnknownProfile> for InvalidMetadata {
    fn from(unknown: UnknownProfile) -> Self {
        Self { member: "profile", problem: unknown.to_string() }
    }
}
