//! Connections that are kept open and lent out, for one statement or for one transaction.
//!
//! sqlx has a pool too. It spawns a task for each connection that comes back, which asks the database whether it is
//! still there: a second round trip for every statement (docs/adr/0021-connection-pool.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{
    self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType, Timeouts,
};
use prometheus_client::metrics::histogram::Histogram;
use sqlx::error::ErrorKind;
use sqlx::{ConnectOptions as _, Connection, PgConnection, Row as _, SqliteConnection};

use super::NoConnection;
use crate::observe::{self, Counts, WAITS};

/// How long the database may take to accept a connection, to show that one is fit, or to be locked by another process.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// A shorter wait for a connection is none.
const WAITED: Duration = Duration::from_millis(10);
/// An idle connection older than this is asked whether it lives before it is lent.
const PING_WHEN_IDLE: Duration = Duration::from_secs(1);
/// A connection older than this is replaced: a balancer or a failover may want it elsewhere.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// A connection that nobody needed for so long is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(10 * 60);

/// What a connection has to show before it is lent, new or after a rest.
pub trait Fit: Connection {
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

/// The connections of one database. Cheap to clone.
pub struct Pool<C: Fit>(managed::Pool<Manager<C>>, Arc<Lending>);

impl<C: Fit> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), Arc::clone(&self.1))
    }
}

/// What is noted of lending.
pub struct Lending {
    pub waits: Histogram,
    pub refusals: Counts<NoConnection>,
    /// Milliseconds, since somebody asked.
    longest: AtomicU64,
}

/// A pool at one moment.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize {
    pub most: usize,
    pub open: usize,
    pub in_use: usize,
    /// Who waits for one.
    pub waiting: usize,
}

struct Manager<C: Fit> {
    options: C::Options,
}

impl<C: Fit> managed::Manager for Manager<C> {
    type Type = C;
    type Error = sqlx::Error;

    // Boxed, here and below: connecting takes kilobytes, which the future of every request would reserve and move.
    async fn create(&self) -> Result<C, sqlx::Error> {
        let mut connection = Box::pin(self.options.connect()).await?;
        Box::pin(connection.prove_fit()).await?;
        Ok(connection)
    }

    async fn recycle(&self, connection: &mut C, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() > LONGEST_LIFE {
            return Err(RecycleError::message("old"));
        }
        if metrics.last_used() > PING_WHEN_IDLE {
            let answered = tokio::time::timeout(PATIENCE, Box::pin(connection.prove_fit())).await;
            return answered.map_err(|_| RecycleError::message("no answer"))?.map_err(RecycleError::Backend);
        }
        Ok(())
    }
}

impl<C: Fit> Pool<C> {
    /// At most this many connections, for which others wait so long; one is made at once, so that a database that is not
    /// there is noticed.
    pub async fn open(options: C::Options, most: u32, wait: Duration) -> Result<Self, sqlx::Error> {
        let timeouts = Timeouts { wait: Some(wait), create: Some(PATIENCE), ..Timeouts::default() };
        let built = managed::Pool::builder(Manager { options })
            .max_size(most as usize)
            .timeouts(timeouts)
            .queue_mode(QueueMode::Lifo)
            .runtime(deadpool::Runtime::Tokio1)
            .build();
        let lending =
            Lending { waits: Histogram::new(WAITS), refusals: Counts::default(), longest: AtomicU64::new(0) };
        let built = built.map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let pool = Self(built, Arc::new(lending));
        pool.lend().await?.give_back();
        Ok(pool)
    }

    pub fn options(&self) -> &C::Options {
        &self.0.manager().options
    }

    /// A connection that nobody else uses meanwhile.
    pub async fn lend(&self) -> Result<Lease<C>, sqlx::Error> {
        let asked = Instant::now();
        let lent = self.0.get().await;
        let waited = asked.elapsed();
        self.1.waits.observe(waited.as_secs_f64());
        if waited > WAITED {
            self.1.longest.fetch_max(waited.as_millis() as u64, Ordering::Relaxed);
        }
        observe::waited_for_connection(waited);
        match lent {
            Ok(object) => Ok(Lease(Some(object))),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn refuse(&self, error: PoolError<sqlx::Error>) -> sqlx::Error {
        let (why, error) = match error {
            PoolError::Backend(error) => (NoConnection::Unreachable, error),
            PoolError::Timeout(TimeoutType::Wait) => (NoConnection::Exhausted, sqlx::Error::PoolTimedOut),
            PoolError::Timeout(_) => (NoConnection::Unreachable, sqlx::Error::PoolTimedOut),
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                (NoConnection::Closed, sqlx::Error::PoolClosed)
            }
        };
        self.1.refusals.one(why);
        error
    }

    pub fn lending(&self) -> &Lending {
        &self.1
    }

    /// How long somebody waited for a connection at most, since this was asked last.
    pub fn longest_wait(&self) -> Duration {
        Duration::from_millis(self.1.longest.swap(0, Ordering::Relaxed))
    }

    pub fn size(&self) -> PoolSize {
        let status = self.0.status();
        PoolSize {
            most: status.max_size,
            open: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
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
pub struct Lease<C: Fit>(Option<Object<Manager<C>>>);

impl<C: Fit> Lease<C> {
    /// It is there until it is given back.
    pub fn connection(&mut self) -> Result<&mut C, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// After the end of what it was lent for.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl<C: Fit> Drop for Lease<C> {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}
