//! The line before the threads that hash passwords: how long it is, and how long it takes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::metrics::histogram::Histogram;

use crate::observe::WAITS;

/// The line before the threads.
pub struct Line {
    waiting: AtomicI64,
    refused: AtomicU64,
    /// Seconds from asking until a thread began.
    pub waits: Histogram,
    /// Seconds that a hash took.
    pub hashes: Histogram,
}

impl Default for Line {
    fn default() -> Self {
        let histogram = || Histogram::new(WAITS);
        Self { waiting: 0.into(), refused: 0.into(), waits: histogram(), hashes: histogram() }
    }
}

impl Line {
    pub(super) fn join(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn waiting(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
