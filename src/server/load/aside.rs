//! Waiting for somebody else's server: not in hand meanwhile, and counted by itself.
//!
//! What a request holds of this server while it waits is memory and a connection. How long it waits is up to a stranger, who
//! may have asked for it. So it gives its slot back, and only so many may wait, of which one address has a share.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use super::{Load, Slot};
use crate::model::Household;

thread_local! {
    /// The slot of the request that this thread is answering, as its facts are in `request.rs`.
    static CURRENT: RefCell<Option<Slot>> = const { RefCell::new(None) };
}

/// As many wait already as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait for the servers of others")]
pub struct Crowded;

/// Runs `poll` with `slot` as that of its request, and puts back what is left of it.
pub(crate) fn within<T>(slot: &mut Option<Slot>, poll: impl FnOnce() -> T) -> T {
    let _exchanged = Exchanged::new(slot);
    poll()
}

/// Who sent the request that this thread is answering: none outside of a request, and for a trusted proxy.
pub(crate) fn household() -> Option<Household> {
    CURRENT.with_borrow(|slot| slot.as_ref().and_then(|slot| slot.of))
}

/// Awaits what is up to somebody else's server; the request is not in hand until it is there. An error: too many wait.
pub(crate) async fn aside<T>(wait: impl Future<Output = T>) -> Result<T, Crowded> {
    let mut wait = pin!(wait);
    let mut waiting: Option<Waiting> = None;
    poll_fn(move |cx| match wait.as_mut().poll(cx) {
        Poll::Ready(value) => {
            if let Some(waiting) = waiting.take() {
                CURRENT.set(Some(waiting.end()));
            }
            Poll::Ready(Ok(value))
        }
        Poll::Pending => {
            // Nobody's request has no slot to give back.
            let Some(slot) = CURRENT.take() else { return Poll::Pending };
            match Waiting::begin(slot) {
                Ok(begun) => {
                    waiting = Some(begun);
                    Poll::Pending
                }
                Err(slot) => {
                    CURRENT.set(Some(slot));
                    Poll::Ready(Err(Crowded))
                }
            }
        }
    })
    .await
}

/// A request that waits, until it is dropped.
struct Waiting {
    load: Arc<Load>,
    of: Option<Household>,
}

impl Waiting {
    /// Gives the slot back, or not, where too many wait.
    fn begin(slot: Slot) -> Result<Self, Slot> {
        let load = Arc::clone(&slot.load);
        let before = load.waiting.fetch_add(1, Ordering::Relaxed);
        let within = before < load.bounds.waiting;
        if within && slot.of.is_none_or(|of| load.waiting_shares.add(of, load.bounds.waiting.div_ceil(2))) {
            return Ok(Self { load, of: slot.of });
        }
        load.waiting.fetch_sub(1, Ordering::Relaxed);
        Err(slot)
    }

    /// In hand again, whatever else is: it was taken on, and those who wait are few.
    fn end(self) -> Slot {
        Slot::again(Arc::clone(&self.load), self.of)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(of) = self.of {
            self.load.waiting_shares.remove(of);
        }
    }
}

/// Changed places with what is current, until it is dropped.
struct Exchanged<'s>(&'s mut Option<Slot>);

impl<'s> Exchanged<'s> {
    fn new(slot: &'s mut Option<Slot>) -> Self {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, slot));
        Self(slot)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::super::Bounds;
    use super::*;

    fn of(last: u8) -> Option<Household> {
        Some(Household::of([192, 0, 2, last].into()))
    }

    fn load(waiting: usize) -> Arc<Load> {
        Load::new(Bounds { requests: 1, per_address: 1, waiting })
    }

    /// Polls once within the slot.
    fn poll<T>(slot: &mut Option<Slot>, future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
        within(slot, || pin!(future).poll(&mut Context::from_waker(Waker::noop())))
    }

    #[test]
    fn who_waits_for_others_is_not_in_hand_and_is_again_afterwards() {
        let load = load(2);
        let mut slot = load.take(of(1));
        assert!(slot.is_some() && load.take(of(2)).is_none());
        let (answer, asked) = oneshot::channel();
        let mut request = Box::pin(aside(asked));
        assert!(poll(&mut slot, &mut request).is_pending());
        assert!(slot.is_none());
        let other = load.take(of(2));
        assert!(other.is_some(), "its slot is somebody else's");
        answer.send(7).unwrap();
        assert_eq!(poll(&mut slot, &mut request), Poll::Ready(Ok(Ok(7))));
        assert!(slot.is_some(), "it goes on though the other one is there");
        drop((slot, other));
        assert!(load.take(of(1)).is_some(), "nothing stays behind");
    }

    #[test]
    fn what_is_there_at_once_needs_no_place_among_those_who_wait() {
        let mut slot = load(0).take(of(1));
        assert_eq!(poll(&mut slot, &mut Box::pin(aside(async { 7 }))), Poll::Ready(Ok(7)));
        assert!(slot.is_some());
    }

    #[test]
    fn only_so_many_wait_and_one_address_leaves_half_to_others() {
        let load = Load::new(Bounds { requests: 9, per_address: 9, waiting: 4 });
        let mut held = Vec::new();
        let mut wait = |address| {
            let mut slot = load.take(of(address));
            let mut request = Box::pin(aside(std::future::pending::<()>()));
            let polled = poll(&mut slot, &mut request);
            held.push((slot, request));
            polled == Poll::Ready(Err(Crowded))
        };
        assert_eq!([1, 1, 1, 2, 2, 3].map(&mut wait), [false, false, true, false, false, true]);
        drop(held);
        assert_eq!(load.waiting.load(Ordering::Relaxed), 0);
        let mut slot = load.take(of(1));
        assert!(poll(&mut slot, &mut Box::pin(aside(std::future::pending::<()>()))).is_pending());
    }

    #[test]
    fn who_is_no_request_waits_as_long_as_it_likes() {
        let mut task = Box::pin(aside(std::future::pending::<()>()));
        assert!(poll(&mut None, &mut task).is_pending());
    }
}
