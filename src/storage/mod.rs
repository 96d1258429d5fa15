//! What the server keeps: one file a table family, the SQL beside its method; `db.rs` alone names a driver.
//!
//! Portable SQL only: `$1` placeholders, TEXT, BIGINT and BOOLEAN, no `now()`. A write that must happen once is one
//! conditional statement.

mod assertions;
mod changes;
mod clients;
mod consents;
pub mod db;
mod device_authorizations;
mod grants;
mod handovers;
mod logout_deliveries;
mod purge;
mod registrations;
mod requests;
mod resources;
mod revoked_tokens;
mod scopes;
mod sessions;
mod signing_keys;
mod software_issuers;
mod trusted_issuers;
mod users;

pub use changes::{Topic, Versions};
pub use consents::{Consent, Remember};
pub use db::Db;
pub use grants::{AppAccess, Rotation, SignIn};
pub use purge::Purged;
pub use registrations::{NewRegistration, RegistrationOutcome};
pub use revoked_tokens::TokenState;
pub use sessions::MOST_AT_ONCE;
pub use signing_keys::Succession;
pub use users::{Credentials, UserConflict};

/// A statement failed, or a row holds what it never should.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(
        "database.url leads to a pooler in transaction mode, which would silently run the wrong statements\n    \
         use the pooler's session mode, or connect to Postgres itself"
    )]
    TransactionPooler,
    #[error("the row {id} of {table} is impossible: {what}")]
    ImpossibleRow { table: &'static str, id: String, what: String },
}

impl StorageError {
    fn impossible(table: &'static str, id: &str, what: impl ToString) -> Self {
        Self::ImpossibleRow { table, id: id.to_owned(), what: what.to_string() }
    }

    /// Whether the database could not do it now, whatever it was: it is away, full, read-only, or has too much to do.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if db::is_unavailable(error))
    }

    /// Whether a unique constraint refused the write.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

/// The server's state. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    db: Db,
}

impl Storage {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.versions().await.map(|_| ())
    }
}
