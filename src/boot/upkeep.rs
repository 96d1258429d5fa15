//! What the server does now and then: the next keys, and removing what has expired.

use crate::app::App;
use crate::audit::{Actor, Event};
use crate::grants::unused;
use crate::keys::{self, RotationTimes};
use crate::storage::{Purged, StorageError};

impl App {
    /// Makes the next key of every algorithm whose key has signed for long enough.
    pub async fn rotate_keys(&self) -> Result<(), keys::KeyError> {
        let settings = &self.settings.keys;
        let Some(every) = settings.rotate_every_seconds else { return Ok(()) };
        let plan = (every, RotationTimes::of(&self.settings));
        keys::rotate_when_due(&self.keeper(), &settings.algorithms, self.now(), plan).await
    }

    /// One round of removing what has expired; none where another process does it.
    pub async fn remove_expired_in_turn(&self) -> Result<Option<Purged>, StorageError> {
        match self.storage.take_purge_lock(&self.process, self.now()).await? {
            true => self.remove_expired().await.map(Some),
            false => Ok(None),
        }
    }

    /// One round of removing what has expired.
    pub async fn remove_expired(&self) -> Result<Purged, StorageError> {
        let now = self.now();
        if self.settings.sessions.expiry_signs_out {
            while self.storage.end_expired_sessions(now).await? > 0 {}
        }
        self.storage.retire_keys(now, now.plus(-self.settings.keys.hint_seconds)).await?;
        let mut purged = self.storage.purge(now).await?;
        purged.grants += unused::remove(self, now).await?;
        if purged.registrations > 0 {
            self.note(&Actor::Server, Event::UnusedClientsRemoved { count: purged.registrations });
        }
        Ok(purged)
    }
}
