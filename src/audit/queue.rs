//! Entries on their way to the database that no request waits for: bounded in number, and those that strangers can
//! cause bounded in a minute. What is left out is counted, and the count is written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{AuditEntry, Timestamp};

/// Entries that are held at most. They are written each second.
const LONGEST: usize = 10_000;
/// Entries of limited events that are taken in a minute.
const LIMITED_PER_MINUTE: u32 = 600;
const MINUTE: i64 = 60;

#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<AuditEntry>,
    /// The numbers in the tally that are settled when all of these are written.
    sequences: Vec<i64>,
    minute: i64,
    limited: u32,
    left_out: BTreeMap<String, u64>,
    /// Of all events, since the start.
    left_out_ever: u64,
    /// The minute in which that was told last.
    told: i64,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: it is left out.
    pub fn push(&self, entry: AuditEntry, sequences: &[i64], is_limited: bool) -> bool {
        let mut state = self.state();
        let minute = minute_of(entry.at);
        if state.minute != minute {
            (state.minute, state.limited) = (minute, 0);
        }
        let surplus = is_limited && state.limited >= LIMITED_PER_MINUTE;
        if surplus || state.waiting.len() >= LONGEST {
            *state.left_out.entry(entry.event).or_default() += 1;
            state.left_out_ever += 1;
            return false;
        }
        state.limited += u32::from(is_limited);
        state.waiting.push(entry);
        state.sequences.extend_from_slice(sequences);
        true
    }

    /// How many wait, and how many were left out since the start.
    pub fn lengths(&self) -> (usize, u64) {
        let state = self.state();
        (state.waiting.len(), state.left_out_ever)
    }

    /// Everything that waits. What is not [`Taken::written`] comes back.
    pub fn take(&self) -> Taken<'_> {
        let mut state = self.state();
        let (entries, sequences) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.sequences));
        Taken { queue: self, entries, sequences }
    }

    /// How many of which events were left out since this was asked last; nothing when it was asked in the same minute.
    pub fn left_out(&self, now: Timestamp) -> BTreeMap<String, u64> {
        let mut state = self.state();
        let minute = minute_of(now);
        if std::mem::replace(&mut state.told, minute) == minute {
            return BTreeMap::new();
        }
        std::mem::take(&mut state.left_out)
    }

    /// The same in any minute.
    pub fn all_left_out(&self) -> BTreeMap<String, u64> {
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
    pub fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// The numbers that are settled now.
    pub fn written(mut self) -> Vec<i64> {
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
        AuditEntry {
            id: number.to_string(),
            at: Timestamp::from_unix(at),
            ordinal: 0,
            event: "sign_in.failed".to_owned(),
            body: String::new(),
            tag: String::new(),
        }
    }

    #[test]
    fn what_strangers_can_cause_is_bounded_in_a_minute_and_the_rest_is_counted() {
        let queue = Queue::default();
        for number in 0..700 {
            queue.push(entry(number, 0), &[], true);
        }
        queue.push(entry(700, 0), &[], false);
        assert_eq!(queue.take().entries().len(), 601);
        assert!(queue.left_out(Timestamp::from_unix(59)).is_empty());
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 100);
        assert!(queue.left_out(Timestamp::from_unix(60)).is_empty());
        queue.push(entry(701, 60), &[], true);
        assert_eq!(queue.take().entries().len(), 602);
    }

    #[test]
    fn what_was_left_out_is_told_though_more_keeps_coming() {
        let queue = Queue::default();
        for number in 0..700 {
            queue.push(entry(number, 0), &[], true);
        }
        assert!(queue.left_out(Timestamp::from_unix(59)).is_empty());
        queue.push(entry(700, 60), &[], true);
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 100);
    }

    #[test]
    fn what_could_not_be_written_comes_back_in_its_place() {
        let queue = Queue::default();
        queue.push(entry(1, 0), &[], false);
        let taken = queue.take();
        queue.push(entry(2, 0), &[], false);
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
            queue.push(entry(number, 0), &[], false);
        }
        assert_eq!(queue.lengths(), (LONGEST, 1));
        assert_eq!(queue.take().entries().len(), LONGEST);
        assert_eq!(queue.left_out(Timestamp::from_unix(60))["sign_in.failed"], 1);
    }
}
