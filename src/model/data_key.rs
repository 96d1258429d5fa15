//! Data keys as they are stored: each sealed under the master key.

use std::str::FromStr;

use super::closed_set::closed_set;
use super::{Secret, Timestamp};

closed_set! {
    /// What a data key is used for.
    pub enum DataKeyState {
        /// Every process is to know it before the first one makes anything with it.
        Next = "next",
        /// What is made now is made with it.
        Current = "current",
        /// What was made with it still counts.
        Earlier = "earlier",
        /// Nothing that was made with it counts; it proves old entries of the audit log and pairwise subjects only.
        Ended = "ended",
    }
}

impl FromStr for DataKeyState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::named(text).ok_or("it is no state of a data key")
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
