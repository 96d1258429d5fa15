//! Entries on their way to the database that no request waits for: bounded in number, and those that strangers can
//! cause bounded in a minute. What is left out is counted, and the count is written.
//!
//! Each event has a bucket of its own, and one more for the entries that name a user, so that nobody hides one thing by
//! doing another very often; in both one address, and one user, have their share only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{AuditEntry, Household, Timestamp};

/// Entries that are held at most. They are written each second.
const LONGEST: usize = 10_000;
/// Entries of a bounded event that are taken in a minute: of those that name a user, and as many of those that do not.
const PER_EVENT: u32 = 150;
/// Of them, from one address (an IPv6 /64 is one), and about one user.
const PER_ADDRESS: u32 = 60;
const PER_USER: u32 = 30;
const MINUTE: i64 = 60;

#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<AuditEntry>,
    /// The numbers in the tally that are settled when all of these are written.
    sequences: Vec<i64>,
    minute: i64,
    taken: HashMap<Bucket, u32>,
    left_out: BTreeMap<String, u64>,
    /// Of all events, since the start.
    left_out_ever: u64,
    /// The minute in which that was told last.
    told: i64,
}

/// What bounds an entry that strangers can cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// The household that it came from; none: no request did it.
    pub household: Option<Household>,
    /// The user whom the entry names.
    pub user: Option<String>,
}

#[derive(PartialEq, Eq, Hash)]
struct Bucket {
    event: String,
    names_user: bool,
    of: Of,
}

#[derive(PartialEq, Eq, Hash)]
enum Of {
    Everybody,
    Household(Option<Household>),
    User(String),
}

impl Cause {
    /// The buckets in which an entry of this event takes a place, with how many places each has.
    fn buckets(self, event: &str) -> Vec<(Bucket, u32)> {
        let names_user = self.user.is_some();
        let bucket = |of| Bucket { event: event.to_owned(), names_user, of };
        let mut buckets =
            vec![(bucket(Of::Everybody), PER_EVENT), (bucket(Of::Household(self.household)), PER_ADDRESS)];
        buckets.extend(self.user.map(|user| (bucket(Of::User(user)), PER_USER)));
        buckets
    }
}

impl State {
    /// Takes a place in each of these, or in none. Only what was taken is kept, so that nobody fills the memory.
    fn take(&mut self, buckets: Vec<(Bucket, u32)>) -> bool {
        let has_room =
            |(bucket, most): &(Bucket, u32)| self.taken.get(bucket).is_none_or(|taken| taken < most);
        if !buckets.iter().all(has_room) {
            return false;
        }
        for (bucket, _) in buckets {
            *self.taken.entry(bucket).or_default() += 1;
        }
        true
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry; `cause` is set where strangers can bring it about. False: it is left out.
    pub(super) fn push(&self, entry: AuditEntry, sequences: &[i64], cause: Option<Cause>) -> bool {
        let mut state = self.state();
        let minute = minute_of(entry.at);
        if state.minute != minute {
            state.minute = minute;
            state.taken.clear();
        }
        let is_full = state.waiting.len() >= LONGEST;
        if is_full || cause.is_some_and(|cause| !state.take(cause.buckets(&entry.event))) {
            *state.left_out.entry(entry.event).or_default() += 1;
            state.left_out_ever += 1;
            return false;
        }
        state.waiting.push(entry);
        state.sequences.extend_from_slice(sequences);
        true
    }

    /// How many wait, and how many were left out since the start.
    pub(super) fn lengths(&self) -> (usize, u64) {
        let state = self.state();
        (state.waiting.len(), state.left_out_ever)
    }

    /// Everything that waits. What is not [`Taken::written`] comes back.
    pub(super) fn take(&self) -> Taken<'_> {
        let mut state = self.state();
        let (entries, sequences) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.sequences));
        Taken { queue: self, entries, sequences }
    }

    /// How many of which events were left out since this was asked last; nothing when it was asked in the same minute.
    pub(super) fn left_out(&self, now: Timestamp) -> BTreeMap<String, u64> {
        let mut state = self.state();
        let minute = minute_of(now);
        if std::mem::replace(&mut state.told, minute) == minute {
            return BTreeMap::new();
        }
        std::mem::take(&mut state.left_out)
    }

    /// The same in any minute.
    pub(super) fn all_left_out(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.state().left_out)
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.unix().div_euclid(MINUTE)
}

pub(super) struct Taken<'q> {
    queue: &'q Queue,
    entries: Vec<AuditEntry>,
    sequences: Vec<i64>,
}

impl Taken<'_> {
    pub(super) fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// The numbers that are settled now.
    pub(super) fn written(mut self) -> Vec<i64> {
        self.entries.clear();
        std::mem::take(&mut self.sequences)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.entries.is_empty() {
            let mut state = self.queue.state();
            state.waiting.splice(0..0, self.entries.drain(..));
            state.sequences.append(&mut self.sequences);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize, at: i64) -> AuditEntry {
        event(number, at, "sign_in.failed")
    }

    fn event(number: usize, at: i64, event: &str) -> AuditEntry {
        AuditEntry {
            id: number.to_string(),
            at: Timestamp::from_unix(at),
            ordinal: 0,
            event: event.to_owned(),
            body: String::new(),
            tag: String::new(),
        }
    }

    fn cause(address: u32, user: Option<&str>) -> Option<Cause> {
        let household = Some(Household::of(std::net::Ipv4Addr::from(address).into()));
        Some(Cause { household, user: user.map(str::to_owned) })
    }

    /// How many of these are taken, one of each address.
    fn taken(queue: &Queue, event_name: &str, addresses: std::ops::Range<u32>, user: Option<&str>) -> usize {
        let before = queue.lengths().0;
        for address in addresses {
            queue.push(event(0, 0, event_name), &[], cause(address, user));
        }
        queue.lengths().0 - before
    }

    #[test]
    fn an_address_that_does_one_thing_often_pushes_nothing_else_out() {
        let queue = Queue::default();
        for _ in 0..620 {
            queue.push(event(0, 0, "client.authentication_failed"), &[], cause(1, None));
        }
        assert_eq!(queue.lengths(), (60, 560));
        assert_eq!(taken(&queue, "client.authentication_failed", 2..3, None), 1, "another address");
        assert_eq!(taken(&queue, "sign_in.failed", 1..3, None), 2, "another event");
        assert_eq!(taken(&queue, "sign_in.failed", 1..3, Some("ada")), 2, "about a user");
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["client.authentication_failed"], 560);
    }

    #[test]
    fn many_addresses_that_do_one_thing_leave_the_reserve_of_entries_that_name_a_user() {
        let queue = Queue::default();
        assert_eq!(taken(&queue, "sign_in.failed", 0..1000, None), 150);
        assert_eq!(taken(&queue, "sign_in.throttled", 0..1000, None), 150, "each event has its own");
        assert_eq!(taken(&queue, "sign_in.failed", 0..1000, Some("ada")), 30);
        assert_eq!(taken(&queue, "sign_in.failed", 0..1000, Some("bob")), 30, "one user hides no other");
    }

    #[test]
    fn what_strangers_can_cause_is_bounded_in_a_minute_and_the_rest_is_counted() {
        let queue = Queue::default();
        assert_eq!(taken(&queue, "sign_in.failed", 0..250, None), 150);
        queue.push(entry(700, 0), &[], None);
        assert_eq!(queue.take().entries().len(), 151);
        assert!(queue.left_out(Timestamp::from_unix(59)).is_empty());
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 100);
        assert!(queue.left_out(Timestamp::from_unix(60)).is_empty());
        queue.push(entry(701, 60), &[], cause(0, None));
        assert_eq!(queue.take().entries().len(), 152);
    }

    #[test]
    fn what_was_left_out_is_told_though_more_keeps_coming() {
        let queue = Queue::default();
        taken(&queue, "sign_in.failed", 0..250, None);
        assert!(queue.left_out(Timestamp::from_unix(59)).is_empty());
        queue.push(entry(700, 60), &[], cause(0, None));
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 100);
    }

    #[test]
    fn what_is_remembered_of_strangers_is_bounded_too() {
        let queue = Queue::default();
        taken(&queue, "sign_in.failed", 0..10_000, None);
        assert!(queue.state().taken.len() <= PER_EVENT as usize + 1);
    }

    #[test]
    fn what_could_not_be_written_comes_back_in_its_place() {
        let queue = Queue::default();
        queue.push(entry(1, 0), &[], None);
        let taken = queue.take();
        queue.push(entry(2, 0), &[], None);
        drop(taken);
        let taken = queue.take();
        let ids: Vec<_> = taken.entries().iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        taken.written();
        assert!(queue.take().entries().is_empty());
    }

    #[test]
    fn a_full_queue_takes_no_more() {
        let queue = Queue::default();
        for number in 0..=LONGEST {
            queue.push(entry(number, 0), &[], None);
        }
        assert_eq!(queue.lengths(), (LONGEST, 1));
        assert_eq!(queue.take().entries().len(), LONGEST);
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 1);
    }
}
