//! The audit log as it is stored: entries, their places in the chain, and its two ends.

use super::Timestamp;

/// One act, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: String,
    pub at: Timestamp,
    /// The order within a second of one process.
    pub ordinal: i64,
    pub event: String,
    /// The other members, as a JSON object.
    pub body: String,
    /// An HMAC over the entry: it is by somebody who has the master key.
    pub tag: String,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainedEntry {
    /// One more than that of the entry before.
    pub number: i64,
    pub id: String,
    pub at: Timestamp,
    pub event: String,
    pub body: String,
    /// An HMAC over the hash before it and the entry.
    pub hash: String,
}

/// A place in the chain that is kept apart from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub number: i64,
    pub hash: String,
    /// An HMAC over the mark. Empty before the first entry.
    pub tag: String,
}

/// Both ends of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The last entry that retention removed.
    pub anchor: Mark,
    /// The last entry.
    pub head: Mark,
}
