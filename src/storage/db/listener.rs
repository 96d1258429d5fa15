//! Hearing of changes that other processes made.

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use crate::storage::StorageError;

/// Hears of changes that other processes made.
pub struct ChangeListener(Option<PgListener>);

impl ChangeListener {
    /// On a connection of its own, which it makes again when it was lost.
    pub(super) async fn on_postgres(options: PgConnectOptions) -> Result<Self, StorageError> {
        let lone = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&lone.connect_lazy_with(options)).await?;
        listener.listen("chancery").await?;
        Ok(Self(Some(listener)))
    }

    /// Where the database cannot tell.
    pub(super) fn deaf() -> Self {
        Self(None)
    }

    /// Returns when something changed, or an error when the connection was lost.
    pub async fn changed(&mut self) -> Result<(), StorageError> {
        match &mut self.0 {
            // A reconnect may have missed something, so it counts as a change too.
            Some(listener) => listener.try_recv().await.map(|_| ()).map_err(StorageError::from),
            None => std::future::pending().await,
        }
    }
}
