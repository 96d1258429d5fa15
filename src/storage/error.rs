//! Why a statement failed, and whether to try again.

/// A statement failed, or a row holds what it never should.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(
        "database.url leads to a pooler in transaction mode, which would silently run the wrong statements\n    \
         use the pooler's session mode, or connect to Postgres itself"
    )]
    TransactionPooler,
    #[error(
        "the database has the migration {0}, which this program does not know: a newer version of it was here\n    \
         run that version or a later one, or restore the backup from before the upgrade"
    )]
    NewerSchema(i64),
    #[error("the row {id} of {table} is impossible: {what}")]
    ImpossibleRow { table: &'static str, id: String, what: String },
}

impl StorageError {
    pub(super) fn impossible(table: &'static str, id: &str, what: impl ToString) -> Self {
        Self::ImpossibleRow { table, id: id.to_owned(), what: what.to_string() }
    }

    /// Whether a unique constraint refused the write.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether a row would have belonged to one that is gone: its client or its user was deleted meanwhile.
    pub fn is_orphan(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }

    /// Whether the database cannot do it now and may soon: nobody answers, a failover is under way, it is full. What was
    /// asked may have been done all the same.
    pub fn is_unavailable(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => true,
            // A balancer without a server behind it closes the connection before anything was said.
            sqlx::Error::Protocol(_) => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| passes(&code)),
            _ => false,
        }
    }
}

/// Whether a code of Postgres (SQLSTATE) or SQLite (a number) says something that passes.
fn passes(code: &str) -> bool {
    // Busy, read-only, failing, full, cannot be opened; the extended codes have these as their last byte.
    const SQLITE: [u32; 5] = [5, 8, 10, 13, 14];
    // Connections; resources; operators' intervention; a standby; a transaction that a distributed engine gave up, or that
    // was one of a circle that waited for each other.
    const POSTGRES: [&str; 6] = ["08", "53", "57", "25006", "40001", "40P01"];
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => POSTGRES.iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        for code in
            ["08006", "53300", "53100", "57P01", "57P03", "25006", "40001", "40P01", "5", "261", "13", "1032"]
        {
            assert!(passes(code), "{code}");
        }
        for code in ["23505", "42601", "42P01", "25P02", "22001", "1", "19", "2067", "XX000"] {
            assert!(!passes(code), "{code}");
        }
        assert!(StorageError::Database(sqlx::Error::PoolTimedOut).is_unavailable());
        assert!(
            StorageError::Database(sqlx::Error::Protocol("unexpected response".to_owned())).is_unavailable()
        );
        assert!(!StorageError::Database(sqlx::Error::RowNotFound).is_unavailable());
        assert!(!StorageError::TransactionPooler.is_unavailable());
    }
}
