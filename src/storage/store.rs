//! What every table family works on: the database, and what is known of it in this process.

use std::sync::Arc;

use super::grant_walks::Walks;
use super::{Db, Ending, StorageError};

/// The server's state. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    pub(super) db: Db,
    /// Seconds that what has ended is kept.
    kept: i64,
    pub(super) walks: Arc<Walks>,
    /// What ends with sessions.
    pub(super) ending: Ending,
}

impl Storage {
    /// What has ended is kept for so many seconds, so that whoever comes late is told why.
    pub fn new(db: Db, kept: i64) -> Self {
        Self { db, kept, walks: Arc::default(), ending: Ending::Online }
    }

    /// The storage for writes that end so much.
    pub fn ending(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    pub fn kept(&self) -> i64 {
        self.kept
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Whether the database answers, and is the one to write to.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.db.prove_fit().await?;
        self.versions().await.map(|_| ())
    }
}
