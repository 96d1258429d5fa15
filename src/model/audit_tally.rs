//! The entries of the audit log that one process makes, counted: so that one that was taken out shows, though nothing comes
//! after it, and one that was never written does not.
//!
//! An entry gets a number before it is known whether it will be written. One that certainly was not gives its number
//! back, to the next entry; one whose fate stays unknown, because the database did not answer, is told of in the log.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{AuditEntry, Timestamp};

/// What a process has made so far.
#[derive(Debug, Default)]
pub struct Tally(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The largest number that was given.
    last: i64,
    /// Numbers that were given, and are not known to be written.
    open: BTreeSet<i64>,
    /// Those of them that no entry has.
    free: BTreeSet<i64>,
    /// Those whose fate stays unknown, and that nobody was told of.
    unsure: Vec<i64>,
    /// How many entries were made.
    made: i64,
    /// What was said last of how far all is written.
    told: i64,
    /// The entry that was made only to say so.
    closing: i64,
    /// The latest time of an entry.
    latest: i64,
}

/// What an entry says of its place among those of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub sequence: i64,
    /// Every entry up to this had been written when this one was made. 0: nothing is said.
    pub complete_to: i64,
    /// The order in which entries were made.
    pub ordinal: i64,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for an entry of now.
    pub fn place(&self, now: Timestamp) -> Place {
        let mut state = self.state();
        let complete_to = state.complete_to();
        let sequence = state.free.pop_first().unwrap_or(state.last + 1);
        state.last = state.last.max(sequence);
        state.open.insert(sequence);
        let ordinal = state.made;
        state.made += 1;
        // Entries get their places in the log by their times. After a clock was set back, nothing is said until it has caught
        // up: an entry that was written before could come after this one.
        let backwards = now.unix() < state.latest;
        state.latest = state.latest.max(now.unix());
        let complete_to = if backwards { 0 } else { complete_to };
        state.told = state.told.max(complete_to);
        Place { sequence, complete_to, ordinal }
    }

    /// These entries are in the database.
    pub fn written(&self, sequences: &[i64]) {
        let mut state = self.state();
        for sequence in sequences {
            state.open.remove(sequence);
        }
    }

    /// These were not written, and never will be.
    pub fn spared(&self, sequences: &[i64]) {
        let mut state = self.state();
        let State { open, free, .. } = &mut *state;
        free.extend(sequences.iter().filter(|sequence| open.contains(sequence)));
    }

    /// Nobody knows whether these were written.
    pub fn unsure(&self, sequences: &[i64]) {
        self.state().unsure.extend_from_slice(sequences);
    }

    /// Those that nobody was told of: the caller tells, and calls [`Tally::written`] when that is written.
    pub fn take_unsure(&self) -> Vec<i64> {
        std::mem::take(&mut self.state().unsure)
    }

    /// Whether more is written than any entry says.
    pub fn has_more_to_say(&self) -> bool {
        let state = self.state();
        let complete_to = state.complete_to();
        complete_to > state.told && complete_to != state.closing
    }

    /// This entry says nothing but how far all is written, so that none has to be made to say it of this one.
    pub fn closes(&self, sequence: i64) {
        self.state().closing = sequence;
    }
}

impl State {
    fn complete_to(&self) -> i64 {
        self.open.first().map_or(self.last, |open| open - 1)
    }
}

/// Entries on their way to the database with one write, which uses them up. When they are gone, the tally learns what became
/// of them.
#[derive(Debug)]
pub struct Noted {
    entries: Vec<AuditEntry>,
    sequences: Vec<i64>,
    tally: Option<Arc<Tally>>,
    fate: AtomicU8,
}

/// Not asked for, or refused.
const SPARED: u8 = 0;
/// Asked for; there is no answer.
const UNSURE: u8 = 1;
const WRITTEN: u8 = 2;

impl Noted {
    pub fn new(tally: &Arc<Tally>, entries: Vec<AuditEntry>, sequences: Vec<i64>) -> Self {
        Self { entries, sequences, tally: Some(Arc::clone(tally)), fate: AtomicU8::new(SPARED) }
    }

    /// For a write that nobody has to account for.
    pub fn nothing() -> Self {
        Self { entries: Vec::new(), sequences: Vec::new(), tally: None, fate: AtomicU8::new(SPARED) }
    }

    pub fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// The database is asked to keep them, now.
    pub fn ask(&self) {
        self.settle(UNSURE);
    }

    pub fn answered(&self, written: bool) {
        self.settle(if written { WRITTEN } else { SPARED });
        if let Some(tally) = self.tally.as_ref().filter(|_| written) {
            tally.written(&self.sequences);
        }
    }

    /// What is written stays so, whatever the same act tries again.
    fn settle(&self, fate: u8) {
        if self.fate.load(Ordering::Relaxed) != WRITTEN {
            self.fate.store(fate, Ordering::Relaxed);
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let Some(tally) = &self.tally else { return };
        match *self.fate.get_mut() {
            WRITTEN => {}
            UNSURE => tally.unsure(&self.sequences),
            _ => tally.spared(&self.sequences),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tally: &Tally, second: i64) -> (i64, i64) {
        let Place { sequence, complete_to, .. } = tally.place(Timestamp::from_unix(second));
        (sequence, complete_to)
    }

    #[test]
    fn an_entry_says_how_far_all_before_it_is_written() {
        let tally = Tally::default();
        assert_eq!([at(&tally, 0), at(&tally, 0), at(&tally, 0)], [(1, 0), (2, 0), (3, 0)]);
        tally.written(&[1, 3]);
        assert_eq!(at(&tally, 0), (4, 1));
        tally.written(&[2]);
        assert_eq!(at(&tally, 0), (5, 3));
    }

    #[test]
    fn a_number_that_was_not_used_is_given_again() {
        let tally = Tally::default();
        at(&tally, 0);
        at(&tally, 0);
        tally.written(&[2]);
        tally.spared(&[1]);
        assert_eq!(at(&tally, 0), (1, 0));
        tally.written(&[1]);
        assert_eq!(at(&tally, 0), (3, 2));
        tally.spared(&[1]);
        assert_eq!(at(&tally, 0), (4, 2), "what is written is not given again");
    }

    #[test]
    fn nothing_is_complete_beyond_what_nobody_knows_of() {
        let tally = Tally::default();
        at(&tally, 0);
        at(&tally, 0);
        tally.written(&[1]);
        tally.unsure(&[2]);
        assert_eq!(at(&tally, 0), (3, 1));
        tally.written(&[3]);
        assert_eq!(tally.take_unsure(), [2]);
        assert_eq!(at(&tally, 0), (4, 1), "until it is told of");
        tally.written(&[4, 2]);
        assert_eq!(at(&tally, 0), (5, 4));
        assert!(tally.take_unsure().is_empty());
    }

    #[test]
    fn nothing_is_said_while_the_clock_is_behind() {
        let tally = Tally::default();
        at(&tally, 100);
        tally.written(&[1]);
        assert_eq!([at(&tally, 99), at(&tally, 100)], [(2, 0), (3, 1)]);
    }

    #[test]
    fn there_is_more_to_say_when_entries_were_written_that_none_says_so_of() {
        let tally = Tally::default();
        at(&tally, 0);
        at(&tally, 0);
        assert!(!tally.has_more_to_say());
        tally.written(&[1, 2]);
        assert!(tally.has_more_to_say());
        assert_eq!(at(&tally, 0), (3, 2));
        tally.closes(3);
        tally.written(&[3]);
        assert!(!tally.has_more_to_say(), "of the one that said so nothing has to be said");
        assert_eq!(at(&tally, 0), (4, 3));
        tally.written(&[4]);
        assert!(tally.has_more_to_say());
    }

    #[test]
    fn what_became_of_entries_is_known_when_they_are_gone() {
        let tally = Arc::new(Tally::default());
        let noted = |sequence| Noted::new(&tally, Vec::new(), vec![sequence]);
        for _ in 0..3 {
            at(&tally, 0);
        }
        let (written, unsure, spared) = (noted(1), noted(2), noted(3));
        written.ask();
        written.answered(true);
        written.answered(false);
        unsure.ask();
        drop((written, unsure, spared));
        assert_eq!(tally.take_unsure(), [2]);
        assert_eq!(at(&tally, 0), (3, 1));
    }
}
