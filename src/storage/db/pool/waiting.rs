//! Who waits for a connection, and whether one is being opened meanwhile.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// For so long the opening of a connection excuses that others wait.
const EXCUSE: Duration = Duration::from_secs(1);

/// Who waits for a connection, and whether one is being opened.
pub(super) struct Opener {
    waiting: AtomicUsize,
    state: Mutex<State>,
    failures: watch::Sender<Option<Arc<sqlx::Error>>>,
}

#[derive(Default)]
pub(super) struct State {
    /// Since when the one that is being opened is.
    pub dialing: Option<Instant>,
    /// When the last one was there.
    pub opened: Option<Instant>,
    pub paused: Option<Instant>,
    /// How many were opened.
    pub number: u32,
}

impl Default for Opener {
    fn default() -> Self {
        Self { waiting: AtomicUsize::new(0), state: Mutex::default(), failures: watch::Sender::new(None) }
    }
}

impl Opener {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Whether one is being opened.
    pub(super) fn is_busy(&self) -> bool {
        self.state().dialing.is_some()
    }

    /// The same, and it may still be soon.
    pub(super) fn is_excuse(&self) -> bool {
        self.state().dialing.is_some_and(|since| since.elapsed() < EXCUSE)
    }

    /// Since when somebody who has asked waits for nothing but the others to be done; none while one is being opened.
    pub(super) fn waits_since(&self, asked: Instant) -> Option<Instant> {
        let state = self.state();
        let excused = state.dialing.is_some_and(|since| since.elapsed() < EXCUSE);
        (!excused).then(|| state.opened.map_or(asked, |opened| opened.max(asked)))
    }

    /// Tells everybody who waits.
    pub(super) fn tell(&self, failure: sqlx::Error) {
        self.failures.send_replace(Some(Arc::new(failure)));
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a connection, until it is dropped.
pub(super) struct Waiter<'o> {
    opener: &'o Opener,
    failures: watch::Receiver<Option<Arc<sqlx::Error>>>,
}

impl<'o> Waiter<'o> {
    pub(super) fn new(opener: &'o Opener) -> Self {
        opener.waiting.fetch_add(1, Ordering::SeqCst);
        Self { opener, failures: opener.failures.subscribe() }
    }

    /// Why none can be opened, as soon as that is known.
    pub(super) async fn failure(&mut self) -> sqlx::Error {
        // It cannot fail: the sender is borrowed.
        let _ = self.failures.changed().await;
        match &*self.failures.borrow_and_update() {
            Some(failure) if matches!(**failure, sqlx::Error::PoolClosed) => sqlx::Error::PoolClosed,
            Some(failure) => sqlx::Error::Io(io::Error::other(Arc::clone(failure))),
            None => sqlx::Error::PoolTimedOut,
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.opener.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether this says that none could be opened.
pub(super) fn is_failure(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Arc<sqlx::Error>>())
}
