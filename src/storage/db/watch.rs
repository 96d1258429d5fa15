//! What is noted of every statement: that it was sent, how long it took, whether it failed.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::observe::{self, Counts, Durations, WAITS, labels, span};

labels! {
    /// What a statement does.
    Operation {
        Select => "select",
        Insert => "insert",
        Update => "update",
        Delete => "delete",
        Begin => "begin",
        Commit => "commit",
        Other => "other",
    }
}

impl Operation {
    /// By its first letter: the texts are ours.
    fn of(sql: &str) -> Self {
        match sql.as_bytes().first() {
            Some(b'S') => Self::Select,
            Some(b'I') => Self::Insert,
            Some(b'U') => Self::Update,
            Some(b'D') => Self::Delete,
            Some(b'B') => Self::Begin,
            Some(b'C') => Self::Commit,
            _ => Self::Other,
        }
    }
}

labels! {
    /// Why no connection was lent.
    NoConnection {
        /// All were in use for too long.
        Exhausted => "exhausted",
        /// The database could not be reached, or refused.
        Unreachable => "unreachable",
        /// The server is ending.
        Closed => "closed",
    }
}

/// The statements of this process.
pub struct Watch {
    /// The name that OpenTelemetry has for the database.
    system: &'static str,
    statements: AtomicU64,
    pub durations: Durations<Operation>,
    pub failures: Counts<Operation>,
}

impl Watch {
    pub fn new(system: &'static str) -> Self {
        let (durations, failures) = (Durations::new(&WAITS), Counts::default());
        Self { system, statements: AtomicU64::new(0), durations, failures }
    }

    /// How many statements were sent, without those that begin and end transactions.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the answer to a statement.
    pub async fn answer<T>(
        &self,
        sql: &'static str,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let operation = Operation::of(sql);
        let span = span::statement(self.system, operation.text(), sql);
        let started = Instant::now();
        let result = statement.await;
        let took = started.elapsed();
        self.durations.note(operation, took);
        observe::stated(took);
        if result.as_ref().err().is_some_and(is_failure) {
            self.failures.one(operation);
            span::failed(&span);
        }
        result
    }
}

/// Not the answer that a row is there already: some statements ask just that.
fn is_failure(error: &sqlx::Error) -> bool {
    !error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn an_operation_is_told_by_its_statement() {
        for (sql, operation) in [
            ("SELECT 1", Operation::Select),
            ("INSERT INTO a", Operation::Insert),
            ("UPDATE a", Operation::Update),
            ("DELETE FROM a", Operation::Delete),
            ("BEGIN IMMEDIATE", Operation::Begin),
            ("COMMIT", Operation::Commit),
            ("WITH a AS", Operation::Other),
            ("", Operation::Other),
        ] {
            assert_eq!(Operation::of(sql), operation, "{sql}");
        }
    }
}
