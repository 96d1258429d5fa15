//! The audit log: who did what, when, and where from (docs/audit.md, docs/adr/0020).
//!
//! An entry is written in the transaction of its act ([`Audit::noted`]), or goes into a queue that is written each
//! second ([`Audit::note`]). Either way it waits without a place; [`Audit::chain_waiting`] gives places to what waits, a
//! batch at a time, in whatever process comes first.

mod body;
mod chain;
mod event;
mod flaw;
mod queue;
mod sequences;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use chain::line;
pub use event::{
    Actor, Ended, Event, Granted, RegistrationProblem, Replayed, Revocation, SessionEnd, SignInProblem,
};
pub use flaw::Flaw;
pub use verify::{Place, Verified};

use crate::crypto::master_key::MasterKey;
use crate::crypto::random;
use crate::model::{AuditEntry, ChainedEntry, Household, Mark, Marks, Noted, Tally, TallyPlace, Timestamp};
use crate::request;
use crate::storage::{AUDIT_BATCH, AUDIT_WAITING_READ, AuditRange, Storage, StorageError};
use body::Told;
use chain::End;
use queue::{Cause, Queue};

/// Attempts at moving the marks while others move them.
const ATTEMPTS: usize = 20;

/// Numbers that one entry tells of.
const UNSURE: usize = 500;

/// Writes and reads the log. One per process.
pub struct Audit {
    storage: Storage,
    master_key: Arc<MasterKey>,
    /// What this process is called in its entries.
    process: String,
    tally: Arc<Tally>,
    queue: Queue,
}

/// Why nothing is chained.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "the end of the audit log is not marked under this master key; entries wait\n    \
         `chancery audit verify` says more; `chancery audit restart` begins a chain after it"
    )]
    ForeignHead,
    #[error("others kept moving the end of the audit log; try again")]
    Raced,
}

impl Audit {
    pub fn new(storage: Storage, master_key: Arc<MasterKey>) -> Self {
        let (process, tally) = (random::id(), Arc::default());
        Self { storage, master_key, process, tally, queue: Queue::default() }
    }

    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    pub fn master_key(&self) -> &Arc<MasterKey> {
        &self.master_key
    }

    /// Entries for one write: they are written in its transaction, if it changes something.
    pub fn noted(&self, actor: &Actor, events: &[Event<'_>], now: Timestamp) -> Noted {
        let (entries, sequences) = events.iter().map(|event| self.entry(actor, event, now)).unzip();
        Noted::new(&self.tally, entries, sequences)
    }

    /// Queues an entry for which no request is to wait. A process that is killed loses what was queued in the last second.
    pub fn note(&self, actor: &Actor, event: &Event<'_>, now: Timestamp) {
        let cause = event.is_limited().then(|| Cause {
            household: request::with(|facts| facts.map(|facts| Household::of(facts.address))),
            user: event.user().map(|user| user.as_str().to_owned()),
        });
        let (entry, sequence) = self.entry(actor, event, now);
        if !self.queue.push(entry, &[sequence], cause) {
            self.tally.spared(&[sequence]);
        }
    }

    /// Writes an entry of an act that writes nothing else.
    pub async fn write(&self, actor: &Actor, event: &Event<'_>, now: Timestamp) -> Result<(), StorageError> {
        let (entry, sequence) = self.entry(actor, event, now);
        let noted = Noted::new(&self.tally, vec![entry], vec![sequence]);
        noted.ask();
        self.storage.insert_audit_entries(noted.entries()).await?;
        noted.answered(true);
        Ok(())
    }

    /// An entry of this process, and its number among them.
    fn entry(&self, actor: &Actor, event: &Event<'_>, now: Timestamp) -> (AuditEntry, i64) {
        let place = self.tally.place(now);
        (self.made(actor, event, now, Some(place)), place.sequence)
    }

    fn made(
        &self,
        actor: &Actor,
        event: &Event<'_>,
        now: Timestamp,
        place: Option<TallyPlace>,
    ) -> AuditEntry {
        let Told { event, body } =
            request::with(|facts| Told::new(event, actor, facts, &self.process, place));
        let ordinal = place.map_or(0, |place| place.ordinal);
        let entry = AuditEntry { id: random::id(), at: now, ordinal, event, body, tag: String::new() };
        chain::seal(&self.master_key, entry)
    }

    /// How many entries this process holds in its queue, and how many it has left out since its start.
    pub fn queued_and_left_out(&self) -> (usize, u64) {
        self.queue.lengths()
    }

    /// Writes what is queued, and in each minute once what was left out.
    pub async fn flush(&self, now: Timestamp) -> Result<(), StorageError> {
        self.write_queued().await?;
        self.tell_left_out(self.queue.left_out(now), now).await?;
        self.tell_unsure(now).await
    }

    /// Says how far all is written, unless an entry said so: from then on the last entry is missed too.
    pub fn close(&self, now: Timestamp) {
        if self.tally.has_more_to_say() {
            let (entry, sequence) = self.entry(&Actor::Server, &Event::Complete, now);
            self.tally.closes(sequence);
            if !self.queue.push(entry, &[sequence], None) {
                self.tally.spared(&[sequence]);
            }
        }
    }

    /// Tells of the entries of which nobody knows whether they were written.
    async fn tell_unsure(&self, now: Timestamp) -> Result<(), StorageError> {
        let unsure = self.tally.take_unsure();
        if unsure.is_empty() {
            return Ok(());
        }
        for sequences in unsure.chunks(UNSURE) {
            let (entry, sequence) = self.entry(&Actor::Server, &Event::Unsure { sequences }, now);
            if !self.queue.push(entry, &[&[sequence], sequences].concat(), None) {
                self.tally.spared(&[sequence]);
                self.tally.unsure(sequences);
            }
        }
        self.write_queued().await
    }

    /// Writes all that is there at the end of the process.
    pub async fn finish(&self, now: Timestamp) -> Result<(), StorageError> {
        self.write_queued().await?;
        self.tell_left_out(self.queue.all_left_out(), now).await?;
        self.tell_unsure(now).await?;
        self.close(now);
        self.write_queued().await
    }

    async fn write_queued(&self) -> Result<(), StorageError> {
        let taken = self.queue.take();
        if !taken.entries().is_empty() {
            self.storage.insert_audit_entries(taken.entries()).await?;
        }
        self.tally.written(&taken.written());
        Ok(())
    }

    /// After the queue was written: in a full one there is no room for this.
    async fn tell_left_out(
        &self,
        left_out: BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if left_out.is_empty() {
            return Ok(());
        }
        for (of, count) in left_out {
            self.note(&Actor::Server, &Event::LeftOut { of: &of, count }, now);
        }
        self.write_queued().await
    }

    /// Gives places in the chain to all that wait, unless another process does.
    pub async fn chain_waiting(&self, now: Timestamp) -> Result<(), ChainError> {
        while let Some((head, waiting)) = self.storage.waiting_audit_entries().await? {
            if !chain::is_set_by_us(&self.master_key, End::Head, &head) {
                return Err(ChainError::ForeignHead);
            }
            if chain::is_of_the_next(&self.master_key, End::Head, &head) {
                // This process is a moment late; the ones that are not chain, or it does so when it has noticed.
                break;
            }
            let is_last = (waiting.len() as i64) < AUDIT_WAITING_READ;
            let won = self.chain(head, waiting, now).await?;
            if is_last || !won {
                break;
            }
        }
        Ok(())
    }

    /// Gives these the places after the head, in a transaction for each batch. False when another process has moved the
    /// head: the rest goes on waiting.
    async fn chain(
        &self,
        mut head: Mark,
        waiting: Vec<AuditEntry>,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut waiting = waiting.into_iter();
        loop {
            let entries = self.placed(&head, waiting.by_ref().take(AUDIT_BATCH as usize), now);
            let Some(last) = entries.last() else { return Ok(true) };
            let to = chain::mark(&self.master_key, End::Head, last.number, &last.hash);
            if !self.storage.chain_audit_entries(&head, &to, &entries).await? {
                return Ok(false);
            }
            head = to;
        }
    }

    /// The entries in the places after the head.
    fn placed(
        &self,
        head: &Mark,
        waiting: impl Iterator<Item = AuditEntry>,
        now: Timestamp,
    ) -> Vec<ChainedEntry> {
        let mut entries: Vec<ChainedEntry> = Vec::with_capacity(waiting.size_hint().0);
        for (entry, number) in waiting.zip(head.number + 1..) {
            let before = entries.last().map_or(&head.hash, |last| &last.hash);
            entries.push(chain::place(&self.master_key, number, before, self.believed(entry, now)));
        }
        entries
    }

    /// An entry that nobody with the master key wrote gets a place too, but not as what it says.
    fn believed(&self, entry: AuditEntry, now: Timestamp) -> AuditEntry {
        if chain::is_genuine(&self.master_key, &entry) {
            return entry;
        }
        tracing::error!(entry = entry.id, "somebody wrote into the audit log who is not this server");
        let claimed: String = entry.event.chars().take(100).collect();
        // Nobody waits for it, so that it has no number.
        let forged = self.made(&Actor::Unknown, &Event::Forged { claimed_event: &claimed }, now, None);
        AuditEntry { id: entry.id, ..forged }
    }

    /// Removes a batch of the entries from before `cutoff` at the front; the rest still verifies. Whether there may be more.
    /// What does not verify stays: whoever made an entry older would have it removed by our own hand.
    pub async fn cut(&self, cutoff: Timestamp) -> Result<Result<bool, Flaw>, StorageError> {
        let anchor = self.storage.audit_marks().await?.anchor;
        let mut old = self.storage.chained_audit_entries(AuditRange::after(anchor.number)).await?;
        let is_full = old.len() as i64 == AUDIT_BATCH;
        let young = old.iter().position(|entry| entry.at >= cutoff);
        old.truncate(young.unwrap_or(old.len()));
        let Some(last) = old.last() else { return Ok(Ok(false)) };
        if let Err(flaw) = verify::front(&self.master_key, &anchor, &old) {
            // Another process may have removed meanwhile what was about to be read.
            let moved = self.storage.audit_marks().await?.anchor != anchor;
            return Ok(if moved { Ok(false) } else { Err(flaw) });
        }
        let to = chain::mark(&self.master_key, End::Anchor, last.number, &last.hash);
        let cut = self.storage.cut_audit_log(&anchor, &to).await?;
        Ok(Ok(cut && is_full && young.is_none()))
    }

    /// Begins a chain of its own after the last entry: for a log that does not verify any more, or another master key.
    pub async fn restart(&self, actor: &Actor, now: Timestamp) -> Result<i64, ChainError> {
        let from = self.storage.audit_marks().await?;
        let (number, hash) = match self.storage.last_audit_entry().await? {
            Some(last) if last.0 >= from.head.number => last,
            _ => (from.head.number, from.head.hash.clone()),
        };
        let to = Marks {
            anchor: chain::mark(&self.master_key, End::Anchor, number, &hash),
            head: chain::mark(&self.master_key, End::Head, number, &hash),
        };
        let noted = self.noted(actor, &[Event::Restarted { after: number }], now);
        if !self.storage.replace_audit_marks(noted, &from, &to).await? {
            return Err(ChainError::Raced);
        }
        self.chain_waiting(now).await?;
        Ok(number)
    }

    /// Marks both ends with the current data key.
    pub async fn mark_again(&self) -> Result<(), ChainError> {
        for _ in 0..ATTEMPTS {
            let from = self.storage.audit_marks().await?;
            let ends = [(End::Anchor, &from.anchor), (End::Head, &from.head)];
            if !ends.iter().all(|(end, mark)| chain::is_set_by_us(&self.master_key, *end, mark)) {
                return Err(ChainError::ForeignHead);
            }
            let again = |end, mark: &Mark| chain::mark(&self.master_key, end, mark.number, &mark.hash);
            let to = Marks { anchor: again(End::Anchor, &from.anchor), head: again(End::Head, &from.head) };
            if self.storage.replace_audit_marks(Noted::nothing(), &from, &to).await? {
                return Ok(());
            }
        }
        Err(ChainError::Raced)
    }

    /// The last place, for safekeeping. None: nothing was ever written.
    pub async fn head(&self) -> Result<Option<Place>, StorageError> {
        let head = self.storage.audit_marks().await?.head;
        Ok((head.number > 0).then_some(Place { number: head.number, hash: head.hash }))
    }

    /// Looks at the whole chain: the first thing that does not fit, if any. `kept` is a head from before.
    pub async fn verify(&self, kept: Option<&Place>) -> Result<Result<Verified, Flaw>, StorageError> {
        verify::run(&self.storage, &self.master_key, kept).await
    }
}

/// Whether the mark of the end was set with a data key of this master key.
pub fn is_head_set_by(key: &MasterKey, head: &Mark) -> bool {
    chain::is_set_by_us(key, End::Head, head)
}
