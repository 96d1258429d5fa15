//! A pooler in transaction mode before Postgres, which is refused: a connection is then another server process with every
//! statement, and statements prepared on one run on another under the same name.

use std::collections::HashSet;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::storage::StorageError;

/// Idle at the same time, they are as many server processes, unless a pooler lends one to all of them.
const HELD_TO_DETECT_A_POOLER: usize = 4;

/// An error when such a pooler is there.
pub(super) async fn refuse(options: &PgConnectOptions) -> Result<(), StorageError> {
    let mut held = Vec::new();
    for _ in 0..HELD_TO_DETECT_A_POOLER {
        held.push(PgConnection::connect_with(options).await?);
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

/// The server process behind a connection; by the simple protocol, which prepares nothing.
async fn backend(connection: &mut PgConnection) -> Result<i32, StorageError> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}
