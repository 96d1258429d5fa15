//! Another process in the middle of a transaction, which everybody else has to wait for.

use std::time::Duration;

use chancery::model::User;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::support::TestServer;

/// Long enough for whoever waits to have come as far as that.
const A_WHILE: Duration = Duration::from_millis(300);

enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

pub struct Held {
    connection: Connection,
    url: String,
}

impl Held {
    /// Begins a transaction that has the row of this user in hand; on SQLite, the one right to write.
    pub async fn ending(server: &TestServer, user: &User) -> Self {
        let mut held = Self::begin(server).await;
        held.run(&format!("UPDATE users SET updated_at = updated_at WHERE id = '{}'", user.id)).await;
        held
    }

    /// The same of somebody who makes something of this user's.
    pub async fn making(server: &TestServer, user: &User) -> Self {
        let mut held = Self::begin(server).await;
        if let Connection::Postgres(_) = &held.connection {
            held.run(&format!("SELECT 1 FROM users WHERE id = '{}' FOR SHARE", user.id)).await;
        }
        held
    }

    async fn begin(server: &TestServer) -> Self {
        let url = server.environment_of("DATABASE__URL");
        let (connection, begin) = if url.starts_with("postgres") {
            (Connection::Postgres(PgConnection::connect(&url).await.unwrap()), "BEGIN")
        } else {
            (Connection::Sqlite(SqliteConnection::connect(&url).await.unwrap()), "BEGIN IMMEDIATE")
        };
        let mut held = Self { connection, url };
        held.run(begin).await;
        held
    }

    pub async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql);
        match &mut self.connection {
            Connection::Postgres(connection) => drop(connection.execute(sql).await.unwrap()),
            Connection::Sqlite(connection) => drop(connection.execute(sql).await.unwrap()),
        }
    }

    /// Returns once somebody waits for this transaction.
    pub async fn is_waited_for(&self) {
        const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        if let Connection::Sqlite(_) = &self.connection {
            return tokio::time::sleep(A_WHILE).await;
        }
        let mut observer = PgConnection::connect(&self.url).await.unwrap();
        for _ in 0..500 {
            let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut observer).await.unwrap();
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody waits");
    }

    pub async fn commit(mut self) {
        self.run("COMMIT").await;
    }
}
