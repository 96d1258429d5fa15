//! Values as each driver binds them, and rows as both give them.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, Postgres, SqlSafeStr, Sqlite};

use super::Value;

/// A row type that both drivers can fill.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

/// A row as its driver gave it. What is read is a matter of its own, so that the way to the database is compiled once and
/// not once for each type of row.
pub(super) enum DriverRow {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

pub(super) enum DriverRows {
    Postgres(Vec<PgRow>),
    Sqlite(Vec<SqliteRow>),
}

impl DriverRow {
    pub(super) fn read<T: Row>(&self) -> Result<T, sqlx::Error> {
        match self {
            Self::Postgres(row) => T::from_row(row),
            Self::Sqlite(row) => T::from_row(row),
        }
    }
}

impl DriverRows {
    pub(super) fn read<T: Row>(&self) -> Result<Vec<T>, sqlx::Error> {
        match self {
            Self::Postgres(rows) => rows.iter().map(T::from_row).collect(),
            Self::Sqlite(rows) => rows.iter().map(T::from_row).collect(),
        }
    }
}

macro_rules! binder {
    ($name:ident, $db:ty, $arguments:ty) => {
        pub(super) fn $name<'q>(sql: impl SqlSafeStr, values: &[Value<'q>]) -> Query<'q, $db, $arguments> {
            let mut query = sqlx::query(sql);
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

binder!(bind_pg, Postgres, PgArguments);
binder!(bind_lite, Sqlite, SqliteArguments);
