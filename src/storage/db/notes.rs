//! One write and its entries of the audit log in one statement, on Postgres: a transaction would be four trips to the
//! database instead of one. SQLite, which has no such statement, is in the same process.

use std::sync::LazyLock;

use super::rows::{Rows, placeholders};
use super::{Value, values};
use crate::model::AuditEntry;

/// An INSERT of waiting entries, up to its rows.
const INSERT: &str = "INSERT INTO audit_waiting (id, at, ordinal, event, body, tag)";
/// The columns that it names.
const COLUMNS: usize = 6;

/// The same for a statement of their own.
pub(in crate::storage) static WAIT: LazyLock<Rows<COLUMNS>> =
    LazyLock::new(|| Rows::new(INSERT, " ON CONFLICT (id) DO NOTHING"));

/// `write` with rows for these entries, if it touches any row. It answers how many it touched. Placeholders go on from
/// those of the write.
pub(super) fn statement(write: &str, bound: usize, entries: usize) -> String {
    let rows = placeholders(bound, entries, COLUMNS);
    format!(
        "WITH act AS ({write} RETURNING 1), notes AS ({INSERT} \
         SELECT * FROM (VALUES {rows}) AS entry WHERE EXISTS (SELECT 1 FROM act)) SELECT COUNT(*) FROM act"
    )
}

/// What the placeholders of a row stand for.
pub(in crate::storage) fn row(entry: &AuditEntry) -> [Value<'_>; COLUMNS] {
    let AuditEntry { id, at, ordinal, event, body, tag } = entry;
    *values![id, at.unix(), *ordinal, event, body, tag]
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn placeholders_go_on_from_those_of_the_write() {
        let text = statement("DELETE FROM t WHERE id = $1", 1, 2);
        assert!(text.starts_with("WITH act AS (DELETE FROM t WHERE id = $1 RETURNING 1)"), "{text}");
        assert!(
            text.contains("VALUES ($2, $3, $4, $5, $6, $7), ($8, $9, $10, $11, $12, $13)) AS entry"),
            "{text}"
        );
    }
}
