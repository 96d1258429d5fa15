//! Connections that are kept open and lent out, for one statement or for one transaction.
//!
//! sqlx has a pool too. It spawns a task for each connection that comes back, which asks the database whether it is
//! still there: a second round trip for every statement (docs/adr/0021-connection-pool.md).

use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts};
use sqlx::error::ErrorKind;
use sqlx::{ConnectOptions as _, Connection};

/// How long a request waits for a connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection older than this is asked whether it lives before it is lent.
const PING_WHEN_IDLE: Duration = Duration::from_secs(1);
/// A connection older than this is replaced: a balancer or a failover may want it elsewhere.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// A connection that nobody needed for so long is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);

/// The connections of one database. Cheap to clone.
pub struct Pool<C: Connection>(managed::Pool<Manager<C>>);

impl<C: Connection> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Manager<C: Connection> {
    options: C::Options,
}

impl<C: Connection> managed::Manager for Manager<C> {
    type Type = C;
    type Error = sqlx::Error;

    // Boxed, here and below: connecting takes kilobytes, which the future of every request would reserve and move.
    async fn create(&self) -> Result<C, sqlx::Error> {
        Box::pin(self.options.connect()).await
    }

    async fn recycle(&self, connection: &mut C, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() > LONGEST_LIFE {
            return Err(RecycleError::message("old"));
        }
        if metrics.last_used() > PING_WHEN_IDLE {
            let answered = tokio::time::timeout(ACQUIRE_TIMEOUT, Box::pin(connection.ping())).await;
            return answered.map_err(|_| RecycleError::message("no answer"))?.map_err(RecycleError::Backend);
        }
        Ok(())
    }
}

impl<C: Connection> Pool<C> {
    /// At most this many connections; one is made at once, so that a database that is not there is noticed.
    pub async fn open(options: C::Options, most: u32) -> Result<Self, sqlx::Error> {
        let timeouts =
            Timeouts { wait: Some(ACQUIRE_TIMEOUT), create: Some(ACQUIRE_TIMEOUT), ..Timeouts::default() };
        let built = managed::Pool::builder(Manager { options })
            .max_size(most as usize)
            .timeouts(timeouts)
            .queue_mode(QueueMode::Lifo)
            .runtime(deadpool::Runtime::Tokio1)
            .build();
        let pool = Self(built.map_err(|error| sqlx::Error::Configuration(error.into()))?);
        pool.lend().await?.give_back();
        Ok(pool)
    }

    pub fn options(&self) -> &C::Options {
        &self.0.manager().options
    }

    /// A connection that nobody else uses meanwhile.
    pub async fn lend(&self) -> Result<Lease<C>, sqlx::Error> {
        let object = self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::PoolClosed
            }
        })?;
        Ok(Lease(Some(object)))
    }

    /// Does one thing with a connection.
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut C) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut lease = self.lend().await?;
        let result = work(lease.connection()?).await;
        if result.as_ref().err().is_none_or(leaves_sound) {
            lease.give_back();
        }
        result
    }

    /// Closes the connections that nobody has needed for a while.
    pub async fn trim(&self) {
        for connection in self.0.retain(|_, metrics| metrics.last_used() < LONGEST_IDLE).removed {
            close(connection).await;
        }
    }

    /// Closes every connection; those that are lent, as they come back.
    pub async fn close(&self) {
        for connection in self.0.retain(|_, _| false).removed {
            close(connection).await;
        }
        self.0.close();
    }
}

async fn close<C: Connection>(connection: C) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection to the database did not end well");
    }
}

/// Whether a connection can be used again after this error: its protocol was not cut off, and the database did not say
/// that it is going away.
fn leaves_sound(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => !matches!(error.kind(), ErrorKind::Other),
        sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        _ => false,
    }
}

/// A connection that is lent. Dropped before it is given back, it is closed: somebody stopped in the middle of a
/// statement or a transaction, and the next one must not find the rest of it.
pub struct Lease<C: Connection>(Option<Object<Manager<C>>>);

impl<C: Connection> Lease<C> {
    /// It is there until it is given back.
    pub fn connection(&mut self) -> Result<&mut C, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// After the end of what it was lent for.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl<C: Connection> Drop for Lease<C> {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
