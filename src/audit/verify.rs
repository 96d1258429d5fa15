//! Whether the log is what was written: walks the chain from its anchor to its head, a batch at a time.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::chain::{self, End};
use super::flaw::Flaw;
use super::sequences::Sequences;
use crate::crypto::master_key::MasterKey;
use crate::model::{ChainedEntry, Mark};
use crate::storage::{AuditRange, Storage, StorageError};

/// A number and the hash of the entry that has it: what `chancery audit head` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub number: i64,
    pub hash: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "write it as `chancery audit head` printed it: NUMBER:HASH";
        let (number, hash) = text.trim().split_once(':').ok_or(problem)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or(problem)?;
        if hash.is_empty() { Err(problem) } else { Ok(Self { number, hash: hash.to_owned() }) }
    }
}

/// A log without a flaw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many entries were looked at.
    pub entries: i64,
    /// The number of the last entry that retention removed; 0: none was.
    pub removed_until: i64,
    /// The last entry's number.
    pub head: i64,
    /// Entries that have no place yet.
    pub waiting: i64,
    /// Entries that processes had not finished writing: when they ended without a word, or now.
    pub unaccounted: i64,
    /// Whether there are entries before the beginning, which nothing proves: left by a restart, or put there by somebody.
    pub unproven: bool,
}

pub(super) async fn run(
    storage: &Storage,
    key: &MasterKey,
    kept: Option<&Place>,
) -> Result<Result<Verified, Flaw>, StorageError> {
    loop {
        let anchor = storage.audit_marks().await?.anchor;
        let outcome = walk(storage, key, &anchor, kept).await?;
        // Retention may have removed meanwhile what was about to be read.
        let moved = storage.audit_marks().await?.anchor != anchor;
        if !(moved && matches!(outcome, Err(Flaw::Missing(_) | Flaw::Cut { .. }))) {
            return Ok(outcome);
        }
    }
}

/// Where the walk has come to.
struct Walk<'a> {
    key: &'a MasterKey,
    kept: Option<&'a Place>,
    number: i64,
    hash: String,
    /// Of the data key of the last entry.
    data_key: i64,
}

async fn walk(
    storage: &Storage,
    key: &MasterKey,
    anchor: &Mark,
    kept: Option<&Place>,
) -> Result<Result<Verified, Flaw>, StorageError> {
    let mut walk = match Walk::begin(key, anchor, kept) {
        Ok(walk) => walk,
        Err(flaw) => return Ok(Err(flaw)),
    };
    let mut sequences = Sequences::new(anchor.number == 0);
    let head = loop {
        // Read before the entries: what is chained meanwhile comes after it.
        let head = storage.audit_marks().await?.head;
        let batch = storage.chained_audit_entries(AuditRange::after(walk.number)).await?;
        if batch.is_empty() {
            break head;
        }
        for entry in &batch {
            if let Err(flaw) = walk.step(entry) {
                return Ok(Err(flaw));
            }
            sequences.note(entry);
        }
    };
    if let Err(flaw) = walk.end(&head) {
        return Ok(Err(flaw));
    }
    let unaccounted = match sequences.end() {
        Ok(unaccounted) => unaccounted,
        Err(flaw) => return Ok(Err(flaw)),
    };
    Ok(Ok(Verified {
        unaccounted,
        entries: walk.number - anchor.number,
        removed_until: anchor.number,
        head: walk.number,
        waiting: storage.number_of_waiting_audit_entries().await?,
        unproven: storage.first_audit_number().await?.is_some_and(|first| first <= anchor.number),
    }))
}

/// Whether these entries are the first ones after the anchor, as they were written.
pub(super) fn front(key: &MasterKey, anchor: &Mark, entries: &[ChainedEntry]) -> Result<(), Flaw> {
    let mut walk = Walk::begin(key, anchor, None)?;
    entries.iter().try_for_each(|entry| walk.step(entry))
}

impl<'a> Walk<'a> {
    fn begin(key: &'a MasterKey, anchor: &Mark, kept: Option<&'a Place>) -> Result<Self, Flaw> {
        if !chain::is_set_by_us(key, End::Anchor, anchor) {
            return Err(Flaw::ForeignAnchor(anchor.number));
        }
        match kept {
            Some(kept) if kept.number < anchor.number => Err(Flaw::HeadRemoved(kept.number)),
            Some(kept) if kept.number == anchor.number && kept.hash != anchor.hash => {
                Err(Flaw::OtherHead(kept.number))
            }
            _ => Ok(Self { key, kept, number: anchor.number, hash: anchor.hash.clone(), data_key: 0 }),
        }
    }

    fn step(&mut self, entry: &ChainedEntry) -> Result<(), Flaw> {
        if entry.number != self.number + 1 {
            return Err(Flaw::Missing(self.number + 1));
        }
        let data_key = chain::hashed_by(self.key, self.data_key, &self.hash, entry);
        self.data_key = data_key.ok_or(Flaw::Changed(entry.number))?;
        if self.kept.is_some_and(|kept| kept.number == entry.number && kept.hash != entry.hash) {
            return Err(Flaw::OtherHead(entry.number));
        }
        self.number = entry.number;
        self.hash.clone_from(&entry.hash);
        Ok(())
    }

    /// After the last entry.
    fn end(&self, head: &Mark) -> Result<(), Flaw> {
        let last = self.number;
        if let Some(kept) = self.kept.filter(|kept| kept.number > last) {
            return Err(Flaw::Cut { last, expected: kept.number });
        }
        if head.number > last {
            return Err(Flaw::Cut { last, expected: head.number });
        }
        if head.number < last {
            return Err(Flaw::BeyondHead(head.number));
        }
        let marked = chain::is_set_by_us(self.key, End::Head, head);
        if head.hash == self.hash && marked { Ok(()) } else { Err(Flaw::ForeignHead(last)) }
    }
}
