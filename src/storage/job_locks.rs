//! Locks for the jobs that one process does for all. A process that ends without a word loses its lock by time.

use super::db::values;
use super::{Storage, StorageError};
use crate::model::Timestamp;

/// Seconds that a lock lasts unless it is taken again: more than between two looks for work.
const LASTS: i64 = 90;
/// A lock that would last longer than this was taken by a clock that went wrong.
const ABSURD: i64 = 3600;

impl Storage {
    /// Takes the lock on removing what has expired, or keeps it. True for one process at a time; the others wait for
    /// nothing, and need not be told: removing the same twice would only be work for nothing.
    pub async fn take_purge_lock(&self, process: &str, now: Timestamp) -> Result<bool, StorageError> {
        const TAKE: &str = "UPDATE turns SET process = $1, expires_at = $3 WHERE work = 'purge' \
             AND (process = $1 OR expires_at <= $2 OR expires_at > $4)";
        let bound = values![process, now.unix(), now.plus(LASTS).unix(), now.plus(ABSURD).unix()];
        Ok(self.db.execute(TAKE, bound).await? == 1)
    }
}
