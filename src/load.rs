//! How much the process has in hand, and whether it takes on more. What is refused at once costs microseconds; what
//! queues costs everybody their time (docs/adr/0031-shedding-load.md).
//!
//! Two things refuse: the number of requests in hand, and lateness, when work that is ready waits too long for a
//! processor or for a connection to the database, measured each [`TICK`].

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often lateness is measured.
const TICK: Duration = Duration::from_millis(50);
/// How many measurements there are to a line in the log.
const TICKS_A_LINE: u32 = 20;

/// What one listener has in hand.
pub struct Load {
    most: usize,
    in_hand: AtomicUsize,
    late: AtomicBool,
    refused: AtomicU64,
}

/// One request in hand, until it is dropped.
pub struct Slot(Arc<Load>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// At most so many requests at once.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            in_hand: AtomicUsize::new(0),
            late: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        })
    }

    /// Takes on one more request. None: there are too many, or what there is takes too long.
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let before = self.in_hand.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(self));
        (before < self.most && !self.late.load(Ordering::Relaxed)).then_some(slot)
    }

    /// Counts a request that was refused.
    pub fn note_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Measures lateness, for ever: how long a task waits for a processor, and what `waited` says of the time since it was
    /// asked last. To be awaited outside the runtime's workers, where tasks that are spawned queue behind all others.
    pub async fn watch(&self, longest: Duration, waited: impl Fn() -> Duration) -> Infallible {
        let mut lateness = Lateness::default();
        loop {
            for _ in 0..TICKS_A_LINE {
                let begin = Instant::now();
                sleep(TICK).await;
                // It fails only when the runtime ends.
                let _ = tokio::spawn(async {}).await;
                let delay = begin.elapsed().saturating_sub(TICK).max(waited());
                self.late.store(lateness.judge(delay > longest), Ordering::Relaxed);
            }
            let refused = self.refused.swap(0, Ordering::Relaxed);
            if refused > 0 {
                let in_hand = self.in_hand.load(Ordering::Relaxed);
                tracing::warn!(refused, in_hand, "overloaded: refused requests with 503");
            }
        }
    }
}

/// Late is who was late twice in a row: a process that was merely stopped for a moment has no queue.
#[derive(Default)]
struct Lateness {
    before: bool,
}

impl Lateness {
    fn judge(&mut self, now: bool) -> bool {
        std::mem::replace(&mut self.before, now) && now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_on_than_allowed_and_a_slot_comes_back() {
        let load = Load::new(2);
        let (first, second) = (load.take(), load.take());
        assert!(first.is_some() && second.is_some() && load.take().is_none() && load.take().is_none());
        drop(first);
        assert!(load.take().is_some());
    }

    #[test]
    fn one_late_measurement_is_not_enough() {
        let mut lateness = Lateness::default();
        let judged = [true, false, true, true, true, false, true].map(|late| lateness.judge(late));
        assert_eq!(judged, [false, false, false, true, true, false, false]);
    }

    #[tokio::test]
    async fn nothing_is_taken_on_while_the_database_keeps_work_waiting_and_at_once_afterwards() {
        let (load, waited) = (Load::new(9), Arc::new(AtomicU64::new(0)));
        let (watched, reported) = (Arc::clone(&load), Arc::clone(&waited));
        // Longer than a busy machine is ever late.
        let longest = Duration::from_secs(60);
        tokio::spawn(async move {
            watched.watch(longest, || Duration::from_secs(reported.load(Ordering::Relaxed))).await;
        });
        let soon = async |taken_on| {
            for _ in 0..100 {
                if load.take().is_some() == taken_on {
                    return true;
                }
                sleep(TICK).await;
            }
            false
        };
        assert!(soon(true).await);
        waited.store(61, Ordering::Relaxed);
        assert!(soon(false).await);
        waited.store(60, Ordering::Relaxed);
        assert!(soon(true).await);
    }
}
