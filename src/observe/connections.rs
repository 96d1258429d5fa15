//! Connections of the listeners.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

super::labels! {
    /// Who a listener is for.
    Listener {
        Public => "public",
        Admin => "admin",
        Metrics => "metrics",
    }
}

/// The connections of one listener.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicI64,
    accepted: AtomicU64,
    delayed: AtomicU64,
    broken: AtomicU64,
    refused: AtomicU64,
    surplus: AtomicU64,
}

impl Connections {
    /// A connection was accepted; it is open until what this returns is dropped.
    pub fn opened(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// As many as allowed were open: the next one has to wait in the system's queue.
    pub fn delay(&self) {
        self.delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// One ended with an error: a malformed, late or oversized request head, or a peer that went away.
    pub fn broke(&self) {
        self.broken.fetch_add(1, Ordering::Relaxed);
    }

    /// None could be accepted, for want of file descriptors for example.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// One was too many of its address.
    pub fn exceed(&self) {
        self.surplus.fetch_add(1, Ordering::Relaxed);
    }

    pub fn now_open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn delayed(&self) -> u64 {
        self.delayed.load(Ordering::Relaxed)
    }

    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub fn surplus(&self) -> u64 {
        self.surplus.load(Ordering::Relaxed)
    }
}

/// A connection that is open.
pub struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
