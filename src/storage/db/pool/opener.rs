//! Opens connections, one at a time and beside whatever is answered meanwhile.
//!
//! To prove a password to Postgres (SCRAM, RFC 5802) takes 4,096 rounds of hashing, and sqlx goes to the end of the
//! runtime's queue after every fifth of them. Where the server is busy, that is eight hundred times behind everybody, seconds
//! for one connection. So it is done on a thread that has nothing else to do. One is opened after another, so that a
//! burst, a restart of the database, or replicas that start together are no stampede.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{ANSWER_TIMEOUT, Fit, Kept, Pool};

/// After the database refused one more connection, those there are have to do for so long.
const PAUSE: Duration = Duration::from_millis(500);
/// A connection older than this is replaced: a balancer or a failover may want it elsewhere.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// Of those that were opened together one after another gets old: each dies so much before the one before it, a few in turn.
const BETWEEN_DEATHS: Duration = Duration::from_secs(30);
const DEATHS_IN_TURN: u32 = 16;

/// The one that opens, until it is dropped.
struct Opening<C: Fit>(Pool<C>);

impl<C: Fit> Drop for Opening<C> {
    fn drop(&mut self) {
        self.0.0.opener.state().dialing = None;
    }
}

impl<C: Fit> Pool<C> {
    /// Opens so many, one after another, and keeps as many from now on though nobody needs them.
    pub(in crate::storage::db) async fn keep(&self, few: u32) -> Result<(), sqlx::Error> {
        let few = (few as usize).min(self.0.most);
        self.0.kept.store(few, Ordering::Relaxed);
        while self.0.size() < few {
            let connection = dial::<C>(&self.0.options).await?;
            self.add(connection);
        }
        Ok(())
    }

    /// Has more opened where some are missing, unless that is under way.
    pub(super) fn grow(&self) {
        if !self.lacks() {
            return;
        }
        // What is dropped after the runtime's end lacks nothing.
        let Ok(runtime) = Handle::try_current() else { return };
        if let Some(opening) = self.begin_opening() {
            runtime.spawn(opening.open());
        }
    }

    /// The right to open, if nobody has it. A runtime that ends drops at once what is given to it, and one that is dropped needs
    /// the lock that is held here.
    fn begin_opening(&self) -> Option<Opening<C>> {
        let mut state = self.0.opener.state();
        if state.dialing.is_some() {
            return None;
        }
        state.dialing = Some(Instant::now());
        drop(state);
        Some(Opening(self.clone()))
    }

    /// Whether one more is to be opened.
    fn lacks(&self) -> bool {
        let (open, kept) = (self.0.size(), self.0.kept.load(Ordering::Relaxed));
        let wanted = open < self.0.most && (open < kept || self.0.opener.waiting() > 0);
        wanted && !self.0.closed.load(Ordering::Relaxed) && (open == 0 || !self.is_paused())
    }

    fn is_paused(&self) -> bool {
        self.0.opener.state().paused.is_some_and(|since| since.elapsed() < PAUSE)
    }

    fn add(&self, connection: C) {
        let now = Instant::now();
        let mut state = self.0.opener.state();
        state.number = state.number.wrapping_add(1);
        (state.opened, state.paused) = (Some(now), None);
        let life = LONGEST_LIFE - BETWEEN_DEATHS * (state.number % DEATHS_IN_TURN);
        drop(state);
        let doubts = self.0.doubts.load(Ordering::Relaxed);
        // One that finds no room any more is closed.
        drop(self.0.open.try_add(Kept { connection, opened: now, life, used: now, seen: now, doubts }));
    }
}

impl<C: Fit> Opening<C> {
    async fn open(self) {
        while self.0.lacks() {
            self.0.0.opener.state().dialing = Some(Instant::now());
            match dial::<C>(&self.0.0.options).await {
                Ok(connection) => self.0.add(connection),
                Err(error) => return self.fail(error),
            }
        }
        let pool = self.0.clone();
        drop(self);
        // Whoever came since this was last looked at has seen that one is being opened.
        pool.grow();
    }

    /// Whoever comes after the opening has ended begins another; whoever came before is told.
    fn fail(self, error: sqlx::Error) {
        let pool = self.0.clone();
        pool.0.opener.state().paused = Some(Instant::now());
        drop(self);
        pool.0.opener.tell(error);
    }
}

/// A new connection that is fit.
async fn dial<C: Fit>(options: &C::Options) -> Result<C, sqlx::Error> {
    let (options, runtime) = (options.clone(), Handle::current());
    let (asker, gone) = oneshot::channel::<()>();
    let dialing = spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                biased;
                dialed = connect::<C>(&options) => dialed,
                _ = gone => Err(sqlx::Error::PoolTimedOut),
            }
        })
    });
    let dialed = tokio::time::timeout(ANSWER_TIMEOUT, dialing).await;
    // Until here somebody asks for it.
    drop(asker);
    match dialed {
        Ok(Ok(dialed)) => dialed,
        Ok(Err(ended)) => Err(sqlx::Error::Io(io::Error::other(ended))),
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

async fn connect<C: Fit>(options: &C::Options) -> Result<C, sqlx::Error> {
    let mut connection = options.connect().await?;
    connection.prove_fit().await?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;
    use std::time::Duration;

    use sqlx::SqliteConnection;
    use tokio::runtime::Builder;

    use super::Pool;

    #[test]
    fn a_connection_that_is_given_up_as_the_runtime_ends_keeps_nobody_waiting() {
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let (lent, has_lent) = mpsc::channel();
            runtime.spawn(async move {
                let options = "sqlite::memory:".parse().unwrap();
                let pool = Pool::<SqliteConnection>::open(options, 2, Duration::from_secs(1)).await.unwrap();
                // So that the one that is given up is missed.
                pool.keep(1).await.unwrap();
                let lease = pool.lend().await.unwrap();
                lent.send(()).unwrap();
                pending::<()>().await;
                drop(lease);
            });
            has_lent.recv().unwrap();
            drop(runtime);
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
