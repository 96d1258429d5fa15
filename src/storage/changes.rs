//! A counter per topic, raised with every change, by which the caches of all processes notice.

use sqlx::FromRow;

use super::db::values;
use super::{Storage, StorageError};

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

    /// Called after every write to a topic.
    pub(super) async fn changed(&self, topic: Topic) -> Result<(), StorageError> {
        const RAISE: &str = "UPDATE changes SET version = version + 1 WHERE topic = $1";
        self.db.execute(RAISE, values![topic.as_str()]).await?;
        self.db.notify(topic.as_str()).await
    }
}
