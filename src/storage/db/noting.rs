//! One write that takes entries of the audit log with it. It is used up by the write, so that none is told twice.

use sqlx::error::ErrorKind;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::bind::bind_pg;
use super::notes;
use super::pool::Pool;
use super::watch::Watch;
use super::{Db, Locking, Pools, Transaction, Value};
use crate::model::Noted;
use crate::storage::StorageError;

/// The database for one write, with entries of the audit log: both are written, or neither is.
pub(in crate::storage) struct Noting<'d> {
    db: &'d Db,
    noted: Noted,
}

impl Db {
    /// The same database for one write, with these entries of the audit log.
    pub(in crate::storage) fn noting(&self, noted: Noted) -> Noting<'_> {
        Noting { db: self, noted }
    }
}

impl Noting<'_> {
    /// Begins a transaction, whose entries are written if a row is.
    pub(in crate::storage) async fn begin(self) -> Result<Transaction, StorageError> {
        self.db.begin_with(self.noted).await
    }

    /// Runs a write that locks what it depends on, and returns how many rows it touched.
    pub(in crate::storage) async fn execute_locking(
        self,
        sql: Locking,
        values: &[Value<'_>],
    ) -> Result<u64, StorageError> {
        let sql = self.db.text(sql);
        self.execute(sql, values).await
    }

    /// Runs a write and returns how many rows it touched.
    pub(in crate::storage) async fn execute(
        self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StorageError> {
        let Self { db, noted } = self;
        if noted.entries().is_empty() {
            return db.execute(sql, values).await;
        }
        match &db.pools {
            Pools::Postgres(pool) => execute_at_once(pool, &db.watch, sql, values, &noted).await,
            Pools::Sqlite { .. } => {
                let mut tx = db.begin_with(noted).await?;
                let written = tx.execute(sql, values).await?;
                tx.commit().await?;
                Ok(written)
            }
        }
    }
}

async fn execute_at_once(
    pool: &Pool<PgConnection>,
    watch: &Watch,
    sql: &'static str,
    values: &[Value<'_>],
    noted: &Noted,
) -> Result<u64, StorageError> {
    watch.count();
    let entries = noted.entries();
    let text = notes::statement(sql, values.len(), entries.len());
    let mut all = values.to_vec();
    all.extend(entries.iter().flat_map(notes::row));
    let done = pool.run(async |connection| {
        let text = AssertSqlSafe(text.as_str());
        noted.ask();
        watch.answer(sql, bind_pg(text, &all).fetch_one(connection)).await
    });
    match done.await.and_then(|row| row.try_get::<i64, _>(0)) {
        Ok(written) => {
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
