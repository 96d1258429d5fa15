//! The audit log: entries that wait, the chain, and the marks of its two ends.

use std::sync::LazyLock;

use sqlx::FromRow;

use super::db::rows::Rows;
use super::db::{Transaction, Value, notes, values};
use super::{Storage, StorageError};
use crate::model::{AuditEntry, ChainedEntry, Mark, Marks, Noted, Timestamp};

/// Rows that a statement or a transaction deals with at most.
pub const AUDIT_BATCH: i64 = 1_000;

/// Waiting entries that are read at once. On Postgres that reads all of their table, the room of those that have gone
/// since autovacuum came included, so it is several batches.
pub const AUDIT_WAITING_READ: i64 = 5 * AUDIT_BATCH;

static APPEND: LazyLock<Rows<6>> =
    LazyLock::new(|| Rows::new("INSERT INTO audit_log (number, id, at, event, body, hash)", ""));

#[derive(FromRow)]
struct WaitingRow {
    number: i64,
    hash: String,
    mark_tag: String,
    id: String,
    at: i64,
    ordinal: i64,
    event: String,
    body: String,
    tag: String,
}

#[derive(FromRow)]
struct ChainedRow {
    number: i64,
    id: String,
    at: i64,
    event: String,
    body: String,
    hash: String,
}

#[derive(FromRow)]
struct MarkRow {
    name: String,
    number: i64,
    hash: String,
    tag: String,
}

/// Which chained entries are read.
#[derive(Debug, Clone, Copy)]
pub struct AuditRange {
    /// Only those with a larger number.
    pub after: i64,
    pub since: Timestamp,
    /// Not this moment itself.
    pub until: Timestamp,
}

impl AuditRange {
    /// Everything after this number.
    pub fn after(number: i64) -> Self {
        let (since, until) = (Timestamp::from_unix(i64::MIN), Timestamp::from_unix(i64::MAX));
        Self { after: number, since, until }
    }
}

fn chained_row(entry: &ChainedEntry) -> [Value<'_>; 6] {
    let ChainedEntry { number, id, at, event, body, hash } = entry;
    *values![*number, id, at.unix(), event, body, hash]
}

impl Storage {
    /// Writes entries that belong to no other write.
    pub async fn insert_audit_entries(&self, entries: &[AuditEntry]) -> Result<(), StorageError> {
        for batch in entries.chunks(AUDIT_BATCH as usize) {
            let mut tx = self.db.begin().await?;
            tx.insert_rows(&notes::WAIT, batch, notes::row).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The head of the chain, and the first of the entries that wait, as of one moment. None: nothing waits.
    pub async fn waiting_audit_entries(&self) -> Result<Option<(Mark, Vec<AuditEntry>)>, StorageError> {
        const FIND: &str = "SELECT m.number, m.hash, m.tag AS mark_tag, w.id, w.at, w.ordinal, w.event, w.body, w.tag \
             FROM audit_waiting w JOIN audit_marks m ON m.name = 'head' ORDER BY w.at, w.ordinal, w.id LIMIT $1";
        let rows: Vec<WaitingRow> = self.db.fetch_all(FIND, values![AUDIT_WAITING_READ]).await?;
        let head = rows.first().map(|row| Mark {
            number: row.number,
            hash: row.hash.clone(),
            tag: row.mark_tag.clone(),
        });
        let entries = rows.into_iter().map(|row| AuditEntry {
            id: row.id,
            at: Timestamp::from_unix(row.at),
            ordinal: row.ordinal,
            event: row.event,
            body: row.body,
            tag: row.tag,
        });
        Ok(head.map(|head| (head, entries.collect())))
    }

    /// Puts entries that waited into the chain. False when somebody else has moved the head meanwhile, and nothing
    /// changed: of those who try at once one wins.
    pub async fn chain_audit_entries(
        &self,
        from: &Mark,
        to: &Mark,
        entries: &[ChainedEntry],
    ) -> Result<bool, StorageError> {
        const REMOVE: &str = "DELETE FROM audit_waiting WHERE id IN \
             (SELECT id FROM audit_log WHERE number > $1 AND number <= $2)";
        let mut tx = self.db.begin().await?;
        if !move_mark(&mut tx, "head", from, to).await? {
            return Ok(false);
        }
        tx.insert_rows(&APPEND, entries, chained_row).await?;
        tx.execute(REMOVE, values![from.number, to.number]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A batch of chained entries, by their numbers.
    pub async fn chained_audit_entries(&self, range: AuditRange) -> Result<Vec<ChainedEntry>, StorageError> {
        const LIST: &str = "SELECT number, id, at, event, body, hash FROM audit_log \
             WHERE number > $1 AND at >= $2 AND at < $3 ORDER BY number LIMIT $4";
        let bound = values![range.after, range.since.unix(), range.until.unix(), AUDIT_BATCH];
        let rows: Vec<ChainedRow> = self.db.fetch_all(LIST, bound).await?;
        let entry = |row: ChainedRow| ChainedEntry {
            number: row.number,
            id: row.id,
            at: Timestamp::from_unix(row.at),
            event: row.event,
            body: row.body,
            hash: row.hash,
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The number of the first entry that is there, whatever the marks say.
    pub async fn first_audit_number(&self) -> Result<Option<i64>, StorageError> {
        const FIRST: &str = "SELECT number FROM audit_log ORDER BY number LIMIT 1";
        let row: Option<(i64,)> = self.db.fetch_optional(FIRST, values![]).await?;
        Ok(row.map(|(number,)| number))
    }

    /// The last entry that is there, whatever the marks say.
    pub async fn last_audit_entry(&self) -> Result<Option<(i64, String)>, StorageError> {
        const LAST: &str = "SELECT number, hash FROM audit_log ORDER BY number DESC LIMIT 1";
        self.db.fetch_optional(LAST, values![]).await
    }

    pub async fn audit_marks(&self) -> Result<Marks, StorageError> {
        let rows: Vec<MarkRow> =
            self.db.fetch_all("SELECT name, number, hash, tag FROM audit_marks", values![]).await?;
        let of = |name: &str| {
            let row = rows.iter().find(|row| row.name == name);
            let missing = || StorageError::impossible("audit_marks", name, "it is missing");
            row.ok_or_else(missing).map(|row| Mark {
                number: row.number,
                hash: row.hash.clone(),
                tag: row.tag.clone(),
            })
        };
        Ok(Marks { anchor: of("anchor")?, head: of("head")? })
    }

    /// How many entries wait for their place; beyond a hundred thousand it does not count further.
    pub async fn number_of_waiting_audit_entries(&self) -> Result<i64, StorageError> {
        const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM audit_waiting LIMIT 100000) AS waiting";
        let row: Option<(i64,)> = self.db.fetch_optional(WAITING, values![]).await?;
        Ok(row.map_or(0, |(number,)| number))
    }

    /// Removes the chain's front up to its new anchor. False when somebody else has moved the anchor meanwhile.
    pub async fn cut_audit_log(&self, from: &Mark, to: &Mark) -> Result<bool, StorageError> {
        let mut tx = self.db.begin().await?;
        if !move_mark(&mut tx, "anchor", from, to).await? {
            return Ok(false);
        }
        tx.execute("DELETE FROM audit_log WHERE number <= $1", values![to.number]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Moves both marks; the entries stay. False when one of them is not where it was.
    pub async fn replace_audit_marks(
        &self,
        noted: Noted,
        from: &Marks,
        to: &Marks,
    ) -> Result<bool, StorageError> {
        let mut tx = self.db.noting(noted).begin().await?;
        let moved = move_mark(&mut tx, "head", &from.head, &to.head).await?
            && move_mark(&mut tx, "anchor", &from.anchor, &to.anchor).await?;
        if moved {
            tx.commit().await?;
        }
        Ok(moved)
    }
}

async fn move_mark(tx: &mut Transaction, name: &str, from: &Mark, to: &Mark) -> Result<bool, StorageError> {
    const MOVE: &str = "UPDATE audit_marks SET number = $2, hash = $3, tag = $4 \
         WHERE name = $1 AND number = $5 AND hash = $6 AND tag = $7";
    let bound = values![name, to.number, &to.hash, &to.tag, from.number, &from.hash, &from.tag];
    Ok(tx.execute(MOVE, bound).await? == 1)
}
