//! What is noted of lending: how long connections were waited for, and why none was lent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use crate::observe::{Counts, WAITS};
use crate::storage::db::NoConnection;

/// A shorter wait for a connection is none.
const WAITED: Duration = Duration::from_millis(10);

/// What is noted of lending.
pub struct Lending {
    pub waits: Histogram,
    pub refusals: Counts<NoConnection>,
    /// Milliseconds, since somebody asked, while no connection was being opened.
    longest: AtomicU64,
}

impl Default for Lending {
    fn default() -> Self {
        Self { waits: Histogram::new(WAITS), refusals: Counts::default(), longest: AtomicU64::new(0) }
    }
}

impl Lending {
    /// How long somebody waited at most since this was asked last.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.swap(0, Ordering::Relaxed))
    }

    pub(super) fn note(&self, waited: Duration) {
        if waited > WAITED {
            self.longest.fetch_max(waited.as_millis() as u64, Ordering::Relaxed);
        }
    }
}

pub(super) fn why(error: &sqlx::Error) -> NoConnection {
    match error {
        sqlx::Error::PoolTimedOut => NoConnection::Exhausted,
        sqlx::Error::PoolClosed => NoConnection::Closed,
        _ => NoConnection::Unreachable,
    }
}
