//! How much the process has in hand, and whether it takes on more. What is refused at once costs microseconds; what
//! queues costs everybody their time (docs/adr/0031-shedding-load.md).
//!
//! Three things refuse: the number of requests in hand, the number that one address has in hand, and lateness, when work
//! that is ready waits too long for a processor or for a connection to the database, measured each `TICK`. What waits for
//! somebody else's server is not in hand meanwhile (`aside.rs`, docs/adr/0040-waiting-for-others.md).

mod aside;
mod shares;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::Household;
pub(crate) use aside::{Crowded, aside, household, within};
pub(crate) use shares::{Share, Shares};

/// How often lateness is measured.
const TICK: Duration = Duration::from_millis(50);
/// How many measurements there are to a line in the log.
const TICKS_A_LINE: u32 = 20;
/// What an address may have in hand while work waits too long: whoever has so little is not who made it late.
const FEW: usize = 4;

/// How much is taken on at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Requests in hand.
    pub requests: usize,
    /// Of these, of one address.
    pub per_address: usize,
    /// Requests that wait for somebody else's server; half of these of one address.
    pub waiting: usize,
}

/// What one listener has in hand.
pub struct Load {
    bounds: Bounds,
    in_hand: AtomicUsize,
    shares: Arc<Shares>,
    waiting: AtomicUsize,
    waiting_shares: Arc<Shares>,
    late: AtomicBool,
    /// Twice as late.
    very_late: AtomicBool,
    refused: AtomicU64,
}

/// One request in hand, until it is dropped.
pub struct Slot {
    load: Arc<Load>,
    /// None: a trusted proxy, which speaks for many.
    of: Option<Household>,
}

impl Slot {
    /// For a request that was taken on before.
    fn again(load: Arc<Load>, of: Option<Household>) -> Self {
        load.in_hand.fetch_add(1, Ordering::Relaxed);
        if let Some(of) = of {
            load.shares.add_again(of);
        }
        Self { load, of }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.load.in_hand.fetch_sub(1, Ordering::Relaxed);
        if let Some(of) = self.of {
            self.load.shares.remove(of);
        }
    }
}

impl Load {
    /// At most so many requests at once.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            in_hand: AtomicUsize::new(0),
            shares: Shares::new(bounds.per_address),
            waiting: AtomicUsize::new(0),
            waiting_shares: Shares::new(bounds.waiting.div_ceil(2)),
            late: AtomicBool::new(false),
            very_late: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        })
    }

    /// Takes on one more request of this household. None: there are too many, of all or of this one, or what there is takes
    /// too long.
    pub fn take(self: &Arc<Self>, of: Option<Household>) -> Option<Slot> {
        let before = self.in_hand.fetch_add(1, Ordering::Relaxed);
        let late = self.late.load(Ordering::Relaxed);
        // Late is refused to those who ask much, very late to all.
        let closed = late && (of.is_none() || self.very_late.load(Ordering::Relaxed));
        let most = if late { FEW.min(self.bounds.per_address) } else { self.bounds.per_address };
        if before < self.bounds.requests && !closed && of.is_none_or(|of| self.admits(of, most)) {
            return Some(Slot { load: Arc::clone(self), of });
        }
        self.in_hand.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn admits(&self, of: Household, most: usize) -> bool {
        let within = self.shares.add(of, most);
        if !within && most == self.bounds.per_address && self.shares.is_to_be_told() {
            tracing::warn!(
                address = %of,
                "refused a request: the address has server.max_requests_per_address in hand; \
                 if it is a reverse proxy, name it in server.trusted_proxies"
            );
        }
        within
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
                self.very_late.store(delay > longest * 2, Ordering::Relaxed);
            }
            let refused = self.refused.swap(0, Ordering::Relaxed);
            if refused > 0 {
                let (in_hand, waiting) =
                    (self.in_hand.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed));
                tracing::warn!(refused, in_hand, waiting, "overloaded: refused requests with 503");
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
        let load = Load::new(Bounds { requests: 2, per_address: 2, waiting: 0 });
        let (first, second) = (load.take(None), load.take(None));
        assert!(
            first.is_some() && second.is_some() && load.take(None).is_none() && load.take(None).is_none()
        );
        drop(first);
        assert!(load.take(None).is_some());
    }

    #[test]
    fn an_address_has_its_share_of_what_is_in_hand_and_a_trusted_proxy_speaks_for_many() {
        let load = Load::new(Bounds { requests: 6, per_address: 2, waiting: 0 });
        let of = |text: &str| Some(Household::of(text.parse().unwrap()));
        let held: Vec<_> = (0..2).map(|_| load.take(of("2001:db8:1:2::1")).unwrap()).collect();
        assert!(load.take(of("2001:db8:1:2:ffff::2")).is_none(), "the same household");
        let other = load.take(of("2001:db8:1:3::1"));
        let proxied: Vec<_> = (0..3).map(|_| load.take(None)).collect();
        assert!(other.is_some() && proxied.iter().all(Option::is_some));
        drop((held, other, proxied));
        assert!(load.take(of("2001:db8:1:2::1")).is_some());
    }

    #[test]
    fn one_late_measurement_is_not_enough() {
        let mut lateness = Lateness::default();
        let judged = [true, false, true, true, true, false, true].map(|late| lateness.judge(late));
        assert_eq!(judged, [false, false, false, true, true, false, false]);
    }

    #[test]
    fn who_has_little_in_hand_is_served_while_others_made_it_late_but_not_when_it_is_very_late() {
        let load = Load::new(Bounds { requests: 99, per_address: 50, waiting: 0 });
        let of = |last: u8| Some(Household::of([192, 0, 2, last].into()));
        let held: Vec<_> = (0..FEW).map(|_| load.take(of(1)).unwrap()).collect();
        load.late.store(true, Ordering::Relaxed);
        assert!(load.take(of(1)).is_none() && load.take(None).is_none());
        assert!(load.take(of(2)).is_some());
        load.very_late.store(true, Ordering::Relaxed);
        assert!(load.take(of(2)).is_none());
        load.late.store(false, Ordering::Relaxed);
        assert!(load.take(of(1)).is_some() && load.take(None).is_some());
        drop(held);
    }

    #[tokio::test]
    async fn nothing_is_taken_on_while_the_database_keeps_work_waiting_and_at_once_afterwards() {
        let (load, waited) =
            (Load::new(Bounds { requests: 9, per_address: 9, waiting: 0 }), Arc::new(AtomicU64::new(0)));
        let (watched, reported) = (Arc::clone(&load), Arc::clone(&waited));
        // Longer than a busy machine is ever late.
        let longest = Duration::from_secs(60);
        tokio::spawn(async move {
            watched.watch(longest, || Duration::from_secs(reported.load(Ordering::Relaxed))).await;
        });
        let soon = async |taken_on| {
            for _ in 0..100 {
                if load.take(None).is_some() == taken_on {
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
