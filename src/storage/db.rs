//! The one place that names a database driver: one SQL text, two databases.
//!
//! `Db` offers a few verbs over both pools. On SQLite reads and writes have pools of their own (one writer, so that
//! writers queue in the process instead of failing with "database is locked"), and a transaction takes the write lock
//! at once. Every statement is counted, so that tests can hold operations to their budget.

mod bind;
mod listener;
pub(super) mod migrations;
pub(super) mod notes;
mod noting;
mod opening;
mod pool;
mod pooler;
pub(super) mod rows;
mod transaction;
mod value;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor as _, PgConnection, SqliteConnection};

use super::StorageError;
use crate::model::Noted;
pub use bind::Row;
use bind::{DriverRow, DriverRows, bind_lite, bind_pg};
pub use listener::ChangeListener;
use pool::{Fit, Pool};
pub use pool::{Lending, PoolSize};
use transaction::Inner;
pub use transaction::Transaction;
pub(super) use value::values;
pub use value::{Locking, Value};
pub use watch::{NoConnection, Watch};

/// Both databases behind the same verbs. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    watch: Arc<Watch>,
}

#[derive(Clone)]
enum Pools {
    Postgres(Pool<PgConnection>),
    Sqlite { readers: Pool<SqliteConnection>, writer: Pool<SqliteConnection> },
}

impl Db {
    /// Opens (and creates) a SQLite file. Every commit is synced to disk: an answered write survives a power cut. A
    /// statement waits for a connection that others have no longer than `wait`.
    pub async fn open_sqlite(path: &Path, wait: Duration) -> Result<Self, StorageError> {
        let (readers, writer) = opening::sqlite(path, wait).await?;
        Ok(Self::new(Pools::Sqlite { readers, writer }))
    }

    /// Connects to Postgres. A statement waits for a connection that others have no longer than `wait`.
    pub async fn open_postgres(
        url: &str,
        max_connections: u32,
        wait: Duration,
    ) -> Result<Self, StorageError> {
        let pool = opening::postgres(url, max_connections, wait).await?;
        Ok(Self::new(Pools::Postgres(pool)))
    }

    fn new(pools: Pools) -> Self {
        let system = match &pools {
            Pools::Postgres(_) => "postgresql",
            Pools::Sqlite { .. } => "sqlite",
        };
        Self { pools, watch: Arc::new(Watch::new(system)) }
    }

    /// What is noted of statements.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The pools, each with its name.
    pub fn pools(&self) -> Vec<(&'static str, PoolSize, &Lending)> {
        match &self.pools {
            Pools::Postgres(pool) => vec![("main", pool.size(), pool.lending())],
            Pools::Sqlite { readers, writer } => vec![
                ("readers", readers.size(), readers.lending()),
                ("writer", writer.size(), writer.lending()),
            ],
        }
    }

    /// How many statements were sent so far, for tests of the query budget.
    pub fn statements(&self) -> u64 {
        self.watch.statements()
    }

    /// Runs a write that locks what it depends on, and returns how many rows it touched.
    pub async fn execute_locking(&self, sql: Locking, values: &[Value<'_>]) -> Result<u64, StorageError> {
        self.execute(self.text(sql), values).await
    }

    fn text(&self, sql: Locking) -> &'static str {
        match &self.pools {
            Pools::Postgres(_) => sql.postgres,
            Pools::Sqlite { .. } => sql.sqlite,
        }
    }

    /// Runs a write and returns how many rows it touched.
    pub async fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        self.watch.count();
        match &self.pools {
            Pools::Postgres(pool) => {
                let done = pool.run(async |connection| {
                    self.watch.answer(sql, bind_pg(sql, values).execute(connection)).await
                });
                Ok(done.await?.rows_affected())
            }
            Pools::Sqlite { writer, .. } => {
                let done = writer.run(async |connection| {
                    self.watch.answer(sql, bind_lite(sql, values).execute(connection)).await
                });
                Ok(done.await?.rows_affected())
            }
        }
    }

    /// Reads at most one row.
    pub async fn fetch_optional<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<T>, StorageError> {
        Ok(self.optional_again(sql, values).await?.map(|row| row.read()).transpose()?)
    }

    async fn optional_again(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<DriverRow>, sqlx::Error> {
        self.watch.count();
        match self.optional(sql, values).await {
            Err(error) if may_ask_again(sql, &error) => Box::pin(self.optional(sql, values)).await,
            read => read,
        }
    }

    async fn optional(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<DriverRow>, sqlx::Error> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_pg(sql, values).fetch_optional(connection)).await
                };
                Ok(pool.run(read).await?.map(DriverRow::Postgres))
            }
            Pools::Sqlite { readers, .. } => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_lite(sql, values).fetch_optional(connection)).await
                };
                Ok(readers.run(read).await?.map(DriverRow::Sqlite))
            }
        }
    }

    /// Reads every row.
    pub async fn fetch_all<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StorageError> {
        Ok(self.all_again(sql, values).await?.read()?)
    }

    async fn all_again(&self, sql: &'static str, values: &[Value<'_>]) -> Result<DriverRows, sqlx::Error> {
        self.watch.count();
        match self.all(sql, values).await {
            Err(error) if may_ask_again(sql, &error) => Box::pin(self.all(sql, values)).await,
            read => read,
        }
    }

    async fn all(&self, sql: &'static str, values: &[Value<'_>]) -> Result<DriverRows, sqlx::Error> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_pg(sql, values).fetch_all(connection)).await
                };
                Ok(DriverRows::Postgres(pool.run(read).await?))
            }
            Pools::Sqlite { readers, .. } => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_lite(sql, values).fetch_all(connection)).await
                };
                Ok(DriverRows::Sqlite(readers.run(read).await?))
            }
        }
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at once: one that reads first and
    /// upgrades later fails when another wrote in between.
    pub async fn begin(&self) -> Result<Transaction, StorageError> {
        self.begin_with(Noted::nothing()).await
    }

    async fn begin_with(&self, noted: Noted) -> Result<Transaction, StorageError> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => {
                let mut lease = pool.lend().await?;
                self.watch.answer("BEGIN", lease.connection()?.execute("BEGIN")).await?;
                Inner::Postgres(lease)
            }
            Pools::Sqlite { writer, .. } => {
                let mut lease = writer.lend().await?;
                self.watch.answer("BEGIN IMMEDIATE", lease.connection()?.execute("BEGIN IMMEDIATE")).await?;
                Inner::Sqlite(lease)
            }
        };
        Ok(Transaction::begun(inner, Arc::clone(&self.watch), noted))
    }

    /// Brings the schema up to date; an error where a newer version of this program has been. Safe when several
    /// processes do it at once: Postgres takes a lock of its own, on SQLite the caller holds one on a file.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => migrations::migrate(pool).await,
            Pools::Sqlite { writer, .. } => migrations::migrate(writer).await,
        }
    }

    /// Whether a migration locks the tables it works on, with an estimate of their size at hand; else it locks the whole
    /// database against other writes.
    pub fn locks_by_table(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    /// An error when the database does not answer, or is not the one to write to.
    pub async fn prove_fit(&self) -> Result<(), StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => Ok(pool.run(PgConnection::prove_fit).await?),
            // Not behind the queue of writes: one that is busy is fit.
            Pools::Sqlite { readers, .. } => Ok(readers.run(SqliteConnection::prove_fit).await?),
        }
    }

    /// An error when a pooler in transaction mode stands before Postgres: a connection is then another server process
    /// with every statement, and statements prepared on one run on another under the same name.
    pub async fn refuse_transaction_pooler(&self) -> Result<(), StorageError> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(()) };
        pooler::refuse(pool.options()).await
    }

    /// Waits until another process says that something changed. Pends for ever where the database cannot tell.
    pub async fn listen(&self) -> Result<ChangeListener, StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => ChangeListener::on_postgres(pool.options().clone()).await,
            Pools::Sqlite { .. } => Ok(ChangeListener::deaf()),
        }
    }

    /// Folds SQLite's write-ahead log back into the file. Nothing to do on Postgres.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        if let Pools::Sqlite { writer, .. } = &self.pools {
            writer
                .run(async |connection| connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await)
                .await?;
        }
        Ok(())
    }

    /// How long a statement waited for a connection at most, since this was asked last.
    pub fn longest_wait(&self) -> Duration {
        match &self.pools {
            Pools::Postgres(pool) => pool.longest_wait(),
            Pools::Sqlite { readers, writer } => readers.longest_wait().max(writer.longest_wait()),
        }
    }

    /// Opens so many connections at once, one after another, and keeps as many though nobody needs them.
    pub async fn keep(&self, few: u32) -> Result<(), StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => Ok(pool.keep(few).await?),
            // Files are opened in no time.
            Pools::Sqlite { .. } => Ok(()),
        }
    }

    /// Closes the connections that nobody has needed for so long, but for those that are kept, and finds those that died
    /// meanwhile.
    pub async fn trim(&self, idle: Duration) {
        match &self.pools {
            Pools::Postgres(pool) => pool.trim(idle).await,
            // Files are no burden.
            Pools::Sqlite { .. } => {}
        }
    }

    /// Closes every connection, after what is in flight.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Whether a statement failed for nothing but its connection, and may be sent twice: some that write answer with rows as
/// well. After a restart of the database nobody who only asks has to ask again.
fn may_ask_again(sql: &str, error: &sqlx::Error) -> bool {
    sql.starts_with("SELECT") && pool::is_cut_off(error)
}
