//! The migrations that this program knows, and applying them.

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::pool::{Fit, Pool};
use crate::storage::StorageError;

/// Every migration that this program knows.
pub(in crate::storage) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

pub(super) async fn migrate<C: Fit + Migrate>(pool: &Pool<C>) -> Result<(), StorageError> {
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
