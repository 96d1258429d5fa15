//! How far the walks of a process have come.

use std::sync::Mutex;

use crate::model::Timestamp;

/// How far a walk has come.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage) struct Place {
    pub begun_at: Timestamp,
    pub after: i64,
}

/// The walks of a process.
#[derive(Debug, Default)]
pub(in crate::storage) struct Walks {
    pub ended: Mutex<Option<Place>>,
    pub unredeemed: Mutex<Option<Place>>,
    pub revoked: Mutex<Option<Place>>,
}
