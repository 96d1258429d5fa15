//! The renewals of hashes that are under way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Renewals at a time. What finds no room is done at the next sign-in.
const MOST: u32 = 2;

/// The renewals that are under way.
pub struct Renewals(Arc<Semaphore>);

impl Default for Renewals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST as usize)))
    }
}

impl Renewals {
    /// Returns when none is under way; none is begun afterwards.
    pub async fn end(&self) {
        let _ = self.0.acquire_many(MOST).await;
        self.0.close();
    }

    /// Room for one more, held until it is dropped.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}
