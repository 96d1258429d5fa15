//! A counter per topic, raised with every change, by which the caches of all processes notice.

use sqlx::FromRow;

use super::db::{Transaction, Value, values};
use super::{Storage, StorageError};
use crate::model::Noted;

/// What may be held in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Clients,
    Keys,
    Resources,
    Scopes,
}

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Keys => "keys",
            Self::Resources => "resources",
            Self::Scopes => "scopes",
        }
    }
}

/// How often each topic changed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub clients: i64,
    pub keys: i64,
    pub resources: i64,
    pub scopes: i64,
}

#[derive(FromRow)]
struct VersionRow {
    topic: String,
    version: i64,
}

impl Storage {
    pub async fn versions(&self) -> Result<Versions, StorageError> {
        let rows: Vec<VersionRow> =
            self.db.fetch_all("SELECT topic, version FROM changes", values![]).await?;
        let of =
            |topic: Topic| rows.iter().find(|row| row.topic == topic.as_str()).map_or(0, |row| row.version);
        Ok(Versions {
            clients: of(Topic::Clients),
            keys: of(Topic::Keys),
            resources: of(Topic::Resources),
            scopes: of(Topic::Scopes),
        })
    }

    /// One write to a topic, and how many rows it touched. The counter is raised in the same transaction, so that no crash
    /// in between leaves a cache behind.
    pub(super) async fn write(
        &self,
        noted: Noted,
        topic: Topic,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StorageError> {
        let mut tx = self.db.noting(noted).begin().await?;
        let written = tx.execute(sql, values).await?;
        if written > 0 {
            raise(&mut tx, topic).await?;
        }
        tx.commit().await?;
        Ok(written)
    }
}

/// Lets no other process write to a topic until the transaction ends, where a write depends on what is there.
pub(super) async fn hold(tx: &mut Transaction, topic: Topic) -> Result<(), StorageError> {
    const HOLD: &str = "UPDATE changes SET version = version WHERE topic = $1";
    tx.lock(HOLD, values![topic.as_str()]).await?;
    Ok(())
}

/// The part of a transaction that makes its change to a topic known; the last one, because others wait for the counter.
pub(super) async fn raise(tx: &mut Transaction, topic: Topic) -> Result<(), StorageError> {
    const RAISE: &str = "UPDATE changes SET version = version + 1 WHERE topic = $1";
    tx.execute(RAISE, values![topic.as_str()]).await?;
    tx.notify(topic.as_str()).await
}
