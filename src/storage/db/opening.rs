//! Opening the databases: with which options, and what a SQLite file has to be waited for.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgConnection};

use super::pool::{ANSWER_TIMEOUT, Pool};
use crate::storage::StorageError;

/// Readers on SQLite; the one writer comes on top.
const SQLITE_READERS: u32 = 4;

/// How often a SQLite file that is busy is opened, and after what pause again.
const OPEN_ATTEMPTS: u32 = 50;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// The readers of a SQLite file, and its writer. Every commit is synced to disk.
pub(super) async fn sqlite(
    path: &Path,
    wait: Duration,
) -> Result<(Pool<SqliteConnection>, Pool<SqliteConnection>), StorageError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ANSWER_TIMEOUT)
        .disable_statement_logging();
    let writer = open_pool(1, &options, wait).await?;
    let readers = open_pool(SQLITE_READERS, &options.read_only(true).create_if_missing(false), wait).await?;
    Ok((readers, writer))
}

pub(super) async fn postgres(
    url: &str,
    max_connections: u32,
    wait: Duration,
) -> Result<Pool<PgConnection>, StorageError> {
    let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.disable_statement_logging();
    // There are no such columns, and PgBouncer refuses a parameter that it does not know.
    let options = options.extra_float_digits(None);
    Ok(Pool::open(options, max_connections, wait).await?)
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
