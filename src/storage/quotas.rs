//! How many of something were asked for in a window of time, the same for every process. Each row of `tries` is one count; it
//! begins anew when its window is over, and goes when nothing more was asked for.

use super::db::values;
use super::{Storage, StorageError};
use crate::model::{Share, Timestamp};

/// Counts one more under $1 unless there are $2 of them in the window; it is $3 now, and a window that begins ends at $4.
macro_rules! take {
    ($most:literal) => {
        concat!(
            "INSERT INTO tries (id, number, pause, next_at, expires_at) VALUES ($1, 1, 0, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET \
             number = CASE WHEN tries.expires_at > $3 THEN tries.number + 1 ELSE 1 END, \
             expires_at = CASE WHEN tries.expires_at > $3 THEN tries.expires_at ELSE $4 END \
             WHERE tries.expires_at <= $3 OR tries.number < ",
            $most
        )
    };
}

impl Storage {
    /// Counts one more. False where there are as many as there may be, and nothing was counted.
    pub async fn take_quota(
        &self,
        id: &str,
        most: i64,
        now: Timestamp,
        window: i64,
    ) -> Result<bool, StorageError> {
        const TAKE: &str = take!("$2");
        let bound = values![id, most, now.unix(), now.plus(window).unix()];
        Ok(self.db.execute(TAKE, bound).await? == 1)
    }

    /// Counts one more of all together, for one that was counted under `own` just now.
    pub async fn take_shared_quota(
        &self,
        (id, own): (&str, &str),
        share: Share,
        now: Timestamp,
        window: i64,
    ) -> Result<bool, StorageError> {
        const TAKE: &str = take!(
            "CASE WHEN (SELECT o.number FROM tries o WHERE o.id = $5) > $6 \
                 THEN CAST($7 AS BIGINT) ELSE CAST($2 AS BIGINT) END"
        );
        let (few, unreserved) = (share.few(), share.unreserved());
        let bound = values![id, share.all, now.unix(), now.plus(window).unix(), own, few, unreserved];
        Ok(self.db.execute(TAKE, bound).await? == 1)
    }

    /// What was counted came to nothing.
    pub async fn give_quota_back(&self, id: &str, now: Timestamp) -> Result<(), StorageError> {
        const GIVE_BACK: &str =
            "UPDATE tries SET number = number - 1 WHERE id = $1 AND number > 0 AND expires_at > $2";
        self.db.execute(GIVE_BACK, values![id, now.unix()]).await.map(|_| ())
    }
}
