//! Which applications have access to an account.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{ClientId, Timestamp, UserId};

/// A client that holds live grants of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct AppAccess {
    pub client_id: ClientId,
    pub since: Timestamp,
    pub last_used_at: Timestamp,
    /// When a refresh token that had been replaced was last presented, of the grants that live.
    pub grace_used_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct AppAccessRow {
    client_id: String,
    since: i64,
    last_used_at: i64,
    grace_used_at: Option<i64>,
}

impl Storage {
    /// The clients that hold live grants of a user.
    pub async fn access_of(&self, user: &UserId, now: Timestamp) -> Result<Vec<AppAccess>, StorageError> {
        const LIST: &str = "SELECT client_id, MIN(created_at) AS since, MAX(rotated_at) AS last_used_at, \
             MAX(grace_used_at) AS grace_used_at FROM grants \
             WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > $2) \
             AND (state = 'active' OR (state = 'code' AND access_token_issued)) \
             GROUP BY client_id ORDER BY client_id";
        let rows: Vec<AppAccessRow> = self.db.fetch_all(LIST, values![user.as_str(), now.unix()]).await?;
        Ok(rows
            .into_iter()
            .map(|row| AppAccess {
                client_id: ClientId::new(row.client_id),
                since: Timestamp::from_unix(row.since),
                last_used_at: Timestamp::from_unix(row.last_used_at),
                grace_used_at: row.grace_used_at.map(Timestamp::from_unix),
            })
            .collect())
    }
}
