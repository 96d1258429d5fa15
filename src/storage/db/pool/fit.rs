//! Whether a connection is fit to be lent: it lives, and the database is the one to ask.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row as _, SqliteConnection};

/// How long the database may take to accept a connection, to show that one is fit, or to be locked by another process.
pub(in crate::storage::db) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection has to show before it is lent, new or after a rest.
pub(in crate::storage::db) trait Fit: Connection + 'static {
    /// An error where the database does not answer, or is not the one to ask.
    fn prove_fit(&mut self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

impl Fit for PgConnection {
    /// A standby, or a primary that was demoted, answers reads from the past: what was revoked may be active there.
    async fn prove_fit(&mut self) -> Result<(), sqlx::Error> {
        let row = sqlx::raw_sql("SHOW transaction_read_only").fetch_one(self).await?;
        if row.try_get::<&str, _>(0)? == "off" {
            return Ok(());
        }
        let what = "it is read-only: a standby, or a primary that was demoted; database.url has to lead to the primary";
        Err(sqlx::Error::Io(std::io::Error::other(what)))
    }
}

impl Fit for SqliteConnection {
    async fn prove_fit(&mut self) -> Result<(), sqlx::Error> {
        self.ping().await
    }
}
