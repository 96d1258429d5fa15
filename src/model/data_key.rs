//! Data keys as they are stored: each sealed under the master key.

use std::str::FromStr;

use super::{Secret, Timestamp};

/// What a data key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKeyState {
    /// Every process is to know it before the first one makes anything with it.
    Next,
    /// What is made now is made with it.
    Current,
    /// What was made with it still counts.
    Earlier,
    /// Nothing that was made with it counts; it proves old entries of the audit log and pairwise subjects only.
    Ended,
}

impl DataKeyState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Earlier => "earlier",
            Self::Ended => "ended",
        }
    }
}

impl FromStr for DataKeyState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Next, Self::Current, Self::Earlier, Self::Ended]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or("it is no state of a data key")
    }
}

/// One data key.
#[derive(Debug, Clone)]
pub struct SealedDataKey {
    /// The first one is 1.
    pub number: i64,
    pub state: DataKeyState,
    pub sealed: Secret,
    /// The id of the master key that it is sealed under.
    pub sealed_under: String,
    pub created_at: Timestamp,
}
