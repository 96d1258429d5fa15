//! The verbs of a transaction.

use std::mem;
use std::sync::Arc;

use sqlx::{Executor as _, PgConnection, SqliteConnection};

use super::bind::{DriverRow, bind_lite, bind_pg};
use super::notes;
use super::pool::Lease;
use super::rows::Rows;
use super::watch::Watch;
use super::{Locking, Row, Value};
use crate::model::Noted;
use crate::storage::StorageError;

/// A transaction. Dropped without [`Transaction::commit`] its connection is closed, which rolls it back.
pub struct Transaction {
    inner: Inner,
    watch: Arc<Watch>,
    noted: Noted,
    /// Whether a row was written.
    has_written: bool,
}

pub(super) enum Inner {
    Postgres(Lease<PgConnection>),
    Sqlite(Lease<SqliteConnection>),
}

impl Transaction {
    pub(super) fn begun(inner: Inner, watch: Arc<Watch>, noted: Noted) -> Self {
        Self { inner, watch, noted, has_written: false }
    }

    /// Runs a write and returns how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        let written = self.lock(sql, values).await?;
        self.has_written |= written > 0;
        Ok(written)
    }

    /// Runs a write that locks what it depends on, and returns how many rows it touched.
    pub async fn execute_locking(&mut self, sql: Locking, values: &[Value<'_>]) -> Result<u64, StorageError> {
        self.execute(self.text(sql), values).await
    }

    /// Reads rows for the lock that it takes.
    pub async fn lock_rows(&mut self, sql: Locking, values: &[Value<'_>]) -> Result<(), StorageError> {
        self.lock(self.text(sql), values).await.map(|_| ())
    }

    fn text(&self, sql: Locking) -> &'static str {
        match &self.inner {
            Inner::Postgres(_) => sql.postgres,
            Inner::Sqlite(_) => sql.sqlite,
        }
    }

    /// Runs a write that changes nothing: for the lock it takes.
    pub async fn lock(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StorageError> {
        self.watch.count();
        match &mut self.inner {
            Inner::Postgres(lease) => {
                let statement = bind_pg(sql, values).execute(lease.connection()?);
                Ok(self.watch.answer(sql, statement).await?.rows_affected())
            }
            Inner::Sqlite(lease) => {
                let statement = bind_lite(sql, values).execute(lease.connection()?);
                Ok(self.watch.answer(sql, statement).await?.rows_affected())
            }
        }
    }

    /// Reads at most one row.
    pub async fn fetch_optional<T: Row>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<T>, StorageError> {
        Ok(self.optional(sql, values).await?.map(|row| row.read()).transpose()?)
    }

    async fn optional(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<DriverRow>, sqlx::Error> {
        self.watch.count();
        match &mut self.inner {
            Inner::Postgres(lease) => {
                let statement = bind_pg(sql, values).fetch_optional(lease.connection()?);
                Ok(self.watch.answer(sql, statement).await?.map(DriverRow::Postgres))
            }
            Inner::Sqlite(lease) => {
                let statement = bind_lite(sql, values).fetch_optional(lease.connection()?);
                Ok(self.watch.answer(sql, statement).await?.map(DriverRow::Sqlite))
            }
        }
    }

    /// Inserts what `row` makes of each item.
    pub(in crate::storage) async fn insert_rows<'i, T, const COLUMNS: usize>(
        &mut self,
        rows: &'static Rows<COLUMNS>,
        items: &'i [T],
        row: impl Fn(&'i T) -> [Value<'i>; COLUMNS],
    ) -> Result<(), StorageError> {
        for (statement, items) in rows.statements(items) {
            let bound: Vec<Value<'_>> = items.iter().flat_map(&row).collect();
            self.execute(statement, &bound).await?;
        }
        Ok(())
    }

    /// Tells other processes on the same database that `topic` changed, when the transaction commits. Where the database
    /// cannot, they notice by polling.
    pub async fn notify(&mut self, topic: &str) -> Result<(), StorageError> {
        match &mut self.inner {
            Inner::Postgres(lease) => {
                let notify = sqlx::query("SELECT pg_notify('chancery', $1)").bind(topic);
                notify.execute(lease.connection()?).await?;
                Ok(())
            }
            Inner::Sqlite(_) => Ok(()),
        }
    }

    /// Commits, with the entries of the audit log if a row was written.
    pub async fn commit(mut self) -> Result<(), StorageError> {
        let noted = mem::replace(&mut self.noted, Noted::nothing());
        if self.has_written {
            self.insert_rows(&notes::WAIT, noted.entries(), notes::row).await?;
            noted.ask();
        }
        match self.inner {
            Inner::Postgres(mut lease) => {
                self.watch.answer("COMMIT", lease.connection()?.execute("COMMIT")).await?;
                lease.give_back();
            }
            Inner::Sqlite(mut lease) => {
                self.watch.answer("COMMIT", lease.connection()?.execute("COMMIT")).await?;
                lease.give_back();
            }
        }
        noted.answered(self.has_written);
        Ok(())
    }
}
