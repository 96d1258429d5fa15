//! Values as each driver binds them, and rows as both give them.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{FromRow, Postgres, SqlSafeStr, Sqlite};

use super::Value;

/// A row type that both drivers can fill.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

macro_rules! binder {
    ($name:ident, $query:ident $(<$row:ident>)?, $db:ty, $arguments:ty, $make:path) => {
        pub(super) fn $name<'q $(, $row: Row)?>(sql: impl SqlSafeStr, values: &[Value<'q>]) -> $query<'q, $db, $($row,)? $arguments> {
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
