//! The one place that names a database driver: one SQL text, two databases.
//!
//! `Db` offers a few verbs over both pools. On SQLite reads and writes have pools of their own (one writer, so that
//! writers queue in the process instead of failing with "database is locked"), and a transaction takes the write lock
//! at once. Every statement is counted, so that tests can hold operations to their budget.

pub(super) mod notes;
mod pool;
pub(super) mod rows;
mod transaction;
mod value;
mod watch;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::error::ErrorKind;
use sqlx::migrate::{Migrate, MigrateError};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgListener, PgPoolOptions, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection, Executor as _, FromRow, Postgres, Row as _, SqlSafeStr,
    Sqlite,
};

use super::StorageError;
use super::schema::MIGRATIONS;
use crate::model::NotedEntries;
use pool::{Fit, PATIENCE, Pool};
pub use pool::{Lending, PoolSize};
use transaction::Inner;
pub use transaction::Transaction;
pub(super) use value::values;
pub use value::{Locking, Value};
pub use watch::{NoConnection, Watch};

/// Readers on SQLite; the one writer comes on top.
const SQLITE_READERS: u32 = 4;
/// Idle at the same time, they are as many server processes, unless a pooler lends one to all of them.
const HELD_TO_DETECT_A_POOLER: usize = 4;
/// How often a SQLite file that is busy is opened, and after what pause again.
const OPEN_ATTEMPTS: u32 = 50;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// A row type that both drivers can fill.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

/// Both databases behind the same verbs. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    watch: Arc<Watch>,
    notes: Notes,
}

/// Entries of the audit log that are written with the next write, in its transaction, if it changes something.
type Notes = Option<Arc<NotedEntries>>;

#[derive(Clone)]
enum Pools {
    Postgres(Pool<PgConnection>),
    Sqlite { readers: Pool<SqliteConnection>, writer: Pool<SqliteConnection> },
}

impl Db {
    /// Opens (and creates) a SQLite file. Every commit is synced to disk: an answered write survives a power cut. A
    /// statement waits for a connection that others have no longer than `wait`.
    pub async fn open_sqlite(path: &Path, wait: Duration) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let writer = open_pool(1, &options, wait).await?;
        let readers =
            open_pool(SQLITE_READERS, &options.read_only(true).create_if_missing(false), wait).await?;
        Ok(Self::new(Pools::Sqlite { readers, writer }))
    }

    /// Connects to Postgres. A statement waits for a connection that others have no longer than `wait`.
    pub async fn open_postgres(
        url: &str,
        max_connections: u32,
        wait: Duration,
    ) -> Result<Self, StorageError> {
        let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.disable_statement_logging();
        // There are no such columns, and PgBouncer refuses a parameter that it does not know.
        let options = options.extra_float_digits(None);
        let pool = Pool::open(options, max_connections, wait).await?;
        Ok(Self::new(Pools::Postgres(pool)))
    }

    fn new(pools: Pools) -> Self {
        let system = match &pools {
            Pools::Postgres(_) => "postgresql",
            Pools::Sqlite { .. } => "sqlite",
        };
        Self { pools, watch: Arc::new(Watch::new(system)), notes: None }
    }

    /// The same database for one write with these entries of the audit log.
    pub(super) fn noting(&self, entries: Arc<NotedEntries>) -> Self {
        Self { notes: Some(entries), ..self.clone() }
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
        let sql = match &self.pools {
            Pools::Postgres(_) => sql.postgres,
            Pools::Sqlite { .. } => sql.sqlite,
        };
        self.execute(sql, values).await
    }

    /// Runs a write and returns how many rows it touched.
    pub async fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        if let Some(entries) = &self.notes {
            return self.execute_noting(sql, values, entries).await;
        }
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

    /// The same with entries of the audit log, both or neither.
    async fn execute_noting(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        noted: &NotedEntries,
    ) -> Result<u64, StorageError> {
        let Pools::Postgres(pool) = &self.pools else {
            let mut tx = self.begin().await?;
            let written = tx.execute(sql, values).await?;
            tx.commit().await?;
            return Ok(written);
        };
        self.watch.count();
        let entries = noted.entries();
        let text = notes::statement(sql, values.len(), entries.len());
        let mut all = values.to_vec();
        all.extend(entries.iter().flat_map(notes::row));
        let done = pool.run(async |connection| {
            let text = AssertSqlSafe(text.as_str());
            noted.ask();
            self.watch.answer(sql, bind_pg_as::<(i64,)>(text, &all).fetch_one(connection)).await
        });
        match done.await {
            Ok((written,)) => {
                noted.answered(written > 0);
                Ok(written as u64)
            }
            Err(error) => {
                // Of a constraint that refused it is certain that nothing was written.
                if matches!(&error, sqlx::Error::Database(refusal) if !matches!(refusal.kind(), ErrorKind::Other))
                {
                    noted.answered(false);
                }
                Err(error.into())
            }
        }
    }

    /// Reads at most one row.
    pub async fn fetch_optional<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<T>, StorageError> {
        self.watch.count();
        match self.optional(sql, values).await {
            Err(error) if may_ask_again(sql, &error) => Ok(Box::pin(self.optional(sql, values)).await?),
            read => Ok(read?),
        }
    }

    async fn optional<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<T>, sqlx::Error> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_pg_as(sql, values).fetch_optional(connection)).await
                };
                pool.run(read).await
            }
            Pools::Sqlite { readers, .. } => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_lite_as(sql, values).fetch_optional(connection)).await
                };
                readers.run(read).await
            }
        }
    }

    /// Reads every row.
    pub async fn fetch_all<T: Row>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StorageError> {
        self.watch.count();
        match self.all(sql, values).await {
            Err(error) if may_ask_again(sql, &error) => Ok(Box::pin(self.all(sql, values)).await?),
            read => Ok(read?),
        }
    }

    async fn all<T: Row>(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<T>, sqlx::Error> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_pg_as(sql, values).fetch_all(connection)).await
                };
                pool.run(read).await
            }
            Pools::Sqlite { readers, .. } => {
                let read = async |connection: &mut _| {
                    self.watch.answer(sql, bind_lite_as(sql, values).fetch_all(connection)).await
                };
                readers.run(read).await
            }
        }
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at once: one that reads first and
    /// upgrades later fails when another wrote in between.
    pub async fn begin(&self) -> Result<Transaction, StorageError> {
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
        Ok(Transaction::begun(inner, Arc::clone(&self.watch), self.notes.clone()))
    }

    /// Brings the schema up to date; an error where a newer version of this program has been. Safe when several
    /// processes do it at once: Postgres takes a lock of its own, on SQLite the caller holds one on a file.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => migrate(pool).await,
            Pools::Sqlite { writer, .. } => migrate(writer).await,
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
        let mut held = Vec::new();
        for _ in 0..HELD_TO_DETECT_A_POOLER {
            held.push(PgConnection::connect_with(pool.options()).await?);
        }
        let mut first = Vec::new();
        for connection in &mut held {
            first.push(backend(connection).await?);
        }
        // Backwards, so that a pooler that takes its server connections in turn is noticed as well.
        let mut moved = false;
        for (connection, before) in held.iter_mut().zip(&first).rev() {
            moved |= backend(connection).await? != *before;
        }
        for connection in held {
            connection.close().await?;
        }
        let distinct: HashSet<&i32> = first.iter().collect();
        if moved || distinct.len() < first.len() { Err(StorageError::TransactionPooler) } else { Ok(()) }
    }

    /// Waits until another process says that something changed. Pends for ever where the database cannot tell.
    pub async fn listen(&self) -> Result<ChangeListener, StorageError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                // Its own connection, which it makes again when it was lost.
                let lone = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
                let mut listener =
                    PgListener::connect_with(&lone.connect_lazy_with(pool.options().clone())).await?;
                listener.listen("chancery").await?;
                Ok(ChangeListener(Some(listener)))
            }
            Pools::Sqlite { .. } => Ok(ChangeListener(None)),
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

/// Hears of changes that other processes made.
pub struct ChangeListener(Option<PgListener>);

impl ChangeListener {
    /// Returns when something changed, or an error when the connection was lost.
    pub async fn changed(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            // A reconnect may have missed something, so it counts as a change too.
            Some(listener) => listener.try_recv().await.map(|_| ()).map_err(StorageError::from),
            None => std::future::pending().await,
        }
    }
}

async fn migrate<C: Fit + Migrate>(pool: &Pool<C>) -> Result<(), StorageError> {
    let mut lease = pool.lend().await?;
    match MIGRATIONS.run_direct(None, lease.connection()?, false).await {
        Ok(()) => {
            lease.give_back();
            Ok(())
        }
        Err(MigrateError::VersionMissing(version)) => Err(StorageError::NewerSchema(version)),
        Err(error) => Err(error.into()),
    }
}

/// Whether a statement failed for nothing but its connection, and may be sent twice: some that write answer with rows as
/// well. After a restart of the database nobody who only asks has to ask again.
fn may_ask_again(sql: &str, error: &sqlx::Error) -> bool {
    sql.starts_with("SELECT") && pool::is_cut_off(error)
}

/// The server process behind a connection; by the simple protocol, which prepares nothing.
async fn backend(connection: &mut PgConnection) -> Result<i32, StorageError> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Opens a pool on a file that other processes may be opening at the same moment: turning the write-ahead log on takes
/// a lock that SQLite does not wait for.
async fn open_pool(
    connections: u32,
    options: &SqliteConnectOptions,
    wait: Duration,
) -> Result<Pool<SqliteConnection>, StorageError> {
    for _ in 1..OPEN_ATTEMPTS {
        match Pool::open(options.clone(), connections, wait).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(OPEN_PAUSE).await,
            opened => return Ok(opened?),
        }
    }
    Ok(Pool::open(options.clone(), connections, wait).await?)
}

/// SQLITE_BUSY and its extended codes, whose last byte is 5.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

macro_rules! binder {
    ($name:ident, $query:ident $(<$row:ident>)?, $db:ty, $arguments:ty, $make:path) => {
        fn $name<'q $(, $row: Row)?>(sql: impl SqlSafeStr, values: &[Value<'q>]) -> $query<'q, $db, $($row,)? $arguments> {
            let mut query = $make(sql);
            for value in values {
                query = match *value {
                    Value::Text(text) => query.bind(text),
                    Value::OptionalText(text) => query.bind(text),
                    Value::Integer(number) => query.bind(number),
                    Value::OptionalInteger(number) => query.bind(number),
                    Value::Boolean(flag) => query.bind(flag),
                };
            }
            query
        }
    };
}

binder!(bind_pg, Query, Postgres, PgArguments, sqlx::query);
binder!(bind_lite, Query, Sqlite, SqliteArguments, sqlx::query);
binder!(bind_pg_as, QueryAs<T>, Postgres, PgArguments, sqlx::query_as);
binder!(bind_lite_as, QueryAs<T>, Sqlite, SqliteArguments, sqlx::query_as);
