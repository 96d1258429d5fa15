//! Opening the database for a command: the right kind of connection, and the schema this program knows.

use super::Failure;
use crate::app;
use crate::config::Settings;
use crate::storage::Storage;

/// The database with its schema up to date; migrated here when the settings say so.
pub async fn storage(settings: &Settings) -> Result<Storage, Failure> {
    let storage = connect(settings).await?;
    if settings.database.migrate_on_start {
        app::migrate(settings, &storage).await?;
    } else if !storage.db().pending_migrations().await?.is_empty() {
        return Err(Failure::refused(
            "the database lacks migrations, and database.migrate_on_start is false\n    run `chancery migrate` first",
        ));
    }
    Ok(storage)
}

/// The database as it is.
pub async fn connect(settings: &Settings) -> Result<Storage, Failure> {
    let storage = app::open_storage(settings).await?;
    storage.db().refuse_transaction_pooler().await?;
    Ok(storage)
}
