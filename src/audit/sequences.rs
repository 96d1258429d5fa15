//! Whether every process' entries are all there, and in front of what was made after they were written.
//!
//! An entry says which one of its process it is (`sequence`), and up to which one all had been written when it was made
//! (`complete_to`). What is written waits for its place no longer than what is made afterwards, so an entry that comes
//! behind one that says it was written was held back, and one that never comes was taken out. What nothing says of, a
//! process that ended without a word may never have written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::flaw::Flaw;
use crate::model::ChainedEntry;

/// What entries say of themselves; those of older versions say nothing.
#[derive(Deserialize)]
struct Said {
    process: String,
    sequence: i64,
    complete_to: i64,
    /// Of `audit.unsure`.
    #[serde(default)]
    sequences: Vec<i64>,
}

/// What was seen of each process.
pub(super) struct Sequences {
    processes: HashMap<String, Seen>,
    /// Whether nothing was removed at the front of the log.
    is_whole: bool,
}

struct Seen {
    /// Ranges without a gap, by their first number: the last one.
    ranges: BTreeMap<i64, i64>,
    complete_to: i64,
    /// The place of the entry that said so.
    said_by: i64,
    unsure: BTreeSet<i64>,
    /// Those that came behind an entry that said they were written: sequence and place.
    late: Vec<(i64, i64)>,
    /// Up to here what is missing may have been removed at the front. None: nobody knows yet.
    base: Option<i64>,
    first: i64,
}

impl Sequences {
    pub(super) fn new(is_whole: bool) -> Self {
        Self { processes: HashMap::new(), is_whole }
    }

    pub(super) fn note(&mut self, entry: &ChainedEntry) {
        let Ok(said) = serde_json::from_str::<Said>(&entry.body) else { return };
        let Said { process, sequence, complete_to, sequences } = said;
        // One that began behind the front of the log has all its entries in it.
        let begins = self.is_whole || (sequence == 1 && complete_to == 0);
        let seen = self.processes.entry(process).or_insert_with(|| Seen {
            ranges: BTreeMap::new(),
            complete_to: if begins { 0 } else { complete_to },
            said_by: entry.number,
            unsure: BTreeSet::new(),
            late: Vec::new(),
            base: begins.then_some(0),
            first: sequence,
        });
        if sequence <= seen.complete_to {
            seen.late.push((sequence, entry.number));
        }
        seen.insert(sequence);
        if entry.event == "audit.unsure" {
            seen.unsure.extend(sequences);
        }
        if complete_to > seen.complete_to {
            (seen.complete_to, seen.said_by) = (complete_to, entry.number);
        }
        // Entries next to the first one that is there may have been removed in front of it.
        if seen.base.is_none() && complete_to >= seen.first {
            seen.base = Some(complete_to);
        }
    }

    /// How many entries nothing says of that they were written, and that are not there.
    pub(super) fn end(self) -> Result<i64, Flaw> {
        let held_back = self.processes.values().flat_map(Seen::held_back).min();
        if let Some(number) = held_back {
            return Err(Flaw::HeldBack(number));
        }
        let taken_out = self.processes.iter().filter_map(|(process, seen)| {
            let sequence = seen.gaps(seen.base?, seen.complete_to).next()?;
            Some((seen.said_by, process, sequence))
        });
        if let Some((before, process, sequence)) = taken_out.min() {
            return Err(Flaw::TakenOut { process: process.clone(), sequence, before });
        }
        let open = |seen: &Seen| {
            let last = seen.ranges.last_key_value().map_or(0, |(_, last)| *last);
            seen.gaps(seen.complete_to, last).count() as i64
        };
        Ok(self.processes.values().map(open).sum())
    }
}

impl Seen {
    fn insert(&mut self, sequence: i64) {
        let before = self.ranges.range(..=sequence).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= sequence) {
            return;
        }
        let first = before.filter(|(_, last)| last + 1 == sequence).map_or(sequence, |(first, _)| first);
        let last = self.ranges.remove(&(sequence + 1)).unwrap_or(sequence);
        self.ranges.insert(first, last);
    }

    /// The places of those that came late, but for those of which nobody knew whether they were written.
    fn held_back(&self) -> impl Iterator<Item = i64> {
        self.late.iter().filter(|(sequence, _)| !self.unsure.contains(sequence)).map(|(_, number)| *number)
    }

    /// What is not there after `from`, up to `to`.
    fn gaps(&self, from: i64, to: i64) -> impl Iterator<Item = i64> {
        let ends = self.ranges.values().map(|last| last + 1);
        let begins = self.ranges.keys().map(|first| first - 1).skip(1).chain([i64::MAX]);
        let before = [(1, self.ranges.first_key_value().map_or(i64::MAX, |(first, _)| first - 1))];
        let holes = before.into_iter().chain(ends.zip(begins));
        let clipped = holes.flat_map(move |(first, last)| first.max(from + 1)..=last.min(to));
        clipped.filter(|sequence| !self.unsure.contains(sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    /// A log of (process, sequence, complete_to), in this order.
    fn log(is_whole: bool, entries: &[(&str, i64, i64)]) -> Sequences {
        let mut sequences = Sequences::new(is_whole);
        for (number, (process, sequence, complete_to)) in (1..).zip(entries) {
            let body =
                serde_json::json!({"process": process, "sequence": sequence, "complete_to": complete_to});
            sequences.note(&entry(number, "user.created", body.to_string()));
        }
        sequences
    }

    fn entry(number: i64, event: &str, body: String) -> ChainedEntry {
        let (at, event) = (Timestamp::from_unix(0), event.to_owned());
        ChainedEntry { number, id: number.to_string(), at, event, body, hash: String::new() }
    }

    #[test]
    fn entries_of_several_processes_may_come_in_any_order_that_writing_has() {
        let entries =
            [("a", 2, 0), ("b", 1, 0), ("a", 1, 0), ("a", 4, 2), ("b", 2, 1), ("a", 3, 2), ("a", 5, 4)];
        assert_eq!(log(true, &entries).end(), Ok(0));
    }

    #[test]
    fn one_that_was_taken_out_is_missed_by_the_next_that_was_made_after_it_was_written() {
        let gone = |sequence, before| Err(Flaw::TakenOut { process: "a".to_owned(), sequence, before });
        assert_eq!(log(true, &[("a", 1, 0), ("a", 3, 2)]).end(), gone(2, 2));
        assert_eq!(log(true, &[("a", 2, 1)]).end(), gone(1, 1));
        assert_eq!(log(true, &[("a", 1, 0), ("b", 1, 0), ("a", 2, 1), ("a", 5, 4)]).end(), gone(3, 4));
    }

    #[test]
    fn one_that_was_put_in_later_was_held_back() {
        let entries = [("a", 1, 0), ("a", 3, 2), ("a", 2, 1)];
        assert_eq!(log(true, &entries).end(), Err(Flaw::HeldBack(3)));
        assert_eq!(
            log(true, &[("a", 1, 0), ("a", 2, 1), ("a", 1, 0)]).end(),
            Err(Flaw::HeldBack(3)),
            "a copy"
        );
    }

    #[test]
    fn what_nothing_says_was_written_may_be_missing() {
        assert_eq!(log(true, &[("a", 1, 0), ("a", 4, 1)]).end(), Ok(2));
        let mut sequences = log(true, &[("a", 1, 0), ("a", 4, 1)]);
        let told = r#"{"process":"a","sequence":5,"complete_to":1,"sequences":[2,3]}"#;
        sequences.note(&entry(3, "audit.unsure", told.to_owned()));
        let after = r#"{"process":"a","sequence":6,"complete_to":5}"#;
        sequences.note(&entry(4, "user.created", after.to_owned()));
        let late = r#"{"process":"a","sequence":3,"complete_to":1}"#;
        sequences.note(&entry(5, "user.created", late.to_owned()));
        assert_eq!(sequences.end(), Ok(0), "of which nobody knew");
    }

    #[test]
    fn what_retention_removed_is_not_missed_and_what_came_after_is() {
        let front = [("a", 9, 6), ("a", 8, 6), ("a", 11, 9), ("a", 12, 11)];
        assert!(matches!(log(false, &front).end(), Err(Flaw::TakenOut { sequence: 10, .. })));
        let front = [("a", 9, 6), ("a", 10, 6), ("a", 11, 10), ("a", 12, 11)];
        assert_eq!(log(false, &front).end(), Ok(0));
        assert_eq!(log(false, &[("a", 9, 6), ("a", 5, 2)]).end(), Err(Flaw::HeldBack(2)));
        // One that began later is whole.
        assert!(matches!(
            log(false, &[("b", 1, 0), ("b", 3, 2)]).end(),
            Err(Flaw::TakenOut { sequence: 2, .. })
        ));
    }

    #[test]
    fn entries_of_older_versions_say_nothing() {
        let mut sequences = Sequences::new(true);
        sequences.note(&entry(1, "user.created", "{}".to_owned()));
        sequences.note(&entry(2, "user.created", "not JSON".to_owned()));
        assert_eq!(sequences.end(), Ok(0));
    }
}
