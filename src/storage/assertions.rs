//! Assertions that were used: each counts once.

use super::db::values;
use super::{Storage, StorageError};
use crate::model::Timestamp;

impl Storage {
    /// Notes the use of an assertion. True for exactly one caller, however many try at once.
    pub async fn use_assertion(&self, id: &str, expires_at: Timestamp) -> Result<bool, StorageError> {
        const USE: &str =
            "INSERT INTO used_assertions (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        Ok(self.db.execute(USE, values![id, expires_at.unix()]).await? == 1)
    }
}
