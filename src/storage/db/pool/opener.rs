//! Opens connections, one at a time and beside whatever is answered meanwhile.
//!
//! To prove a password to Postgres (SCRAM, RFC 5802) takes 4,096 rounds of hashing, and sqlx goes to the end of the
//! runtime's queue after every fifth of them. Where the server is busy, that is eight hundred times behind everybody, seconds
//! for one connection. So it is done on a thread that has nothing else to do. One is opened after another, so that a
//! burst, a restart of the database, or replicas that start together are no stampede.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use super::{BETWEEN_DEATHS, DEATHS_IN_TURN, Fit, Kept, LONGEST_LIFE, PATIENCE, Pool};

/// After the database refused one more connection, those there are have to do for so long.
const PAUSE: Duration = Duration::from_millis(500);
/// For so long the opening of a connection excuses that others wait.
const EXCUSE: Duration = Duration::from_secs(1);

/// Who waits for a connection, and whether one is being opened.
pub(super) struct Opener {
    waiting: AtomicUsize,
    state: Mutex<State>,
    failures: watch::Sender<Option<Arc<sqlx::Error>>>,
}

#[derive(Default)]
struct State {
    /// Since when the one that is being opened is.
    dialing: Option<Instant>,
    /// When the last one was there.
    opened: Option<Instant>,
    paused: Option<Instant>,
    /// How many were opened.
    number: u32,
}

impl Default for Opener {
    fn default() -> Self {
        Self { waiting: AtomicUsize::new(0), state: Mutex::default(), failures: watch::Sender::new(None) }
    }
}

impl Opener {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Whether one is being opened.
    pub(super) fn is_busy(&self) -> bool {
        self.state().dialing.is_some()
    }

    /// The same, and it may still be soon.
    pub(super) fn is_excuse(&self) -> bool {
        self.state().dialing.is_some_and(|since| since.elapsed() < EXCUSE)
    }

    /// Since when somebody who has asked waits for nothing but the others to be done; none while one is being opened.
    pub(super) fn waits_since(&self, asked: Instant) -> Option<Instant> {
        let state = self.state();
        let excused = state.dialing.is_some_and(|since| since.elapsed() < EXCUSE);
        (!excused).then(|| state.opened.map_or(asked, |opened| opened.max(asked)))
    }

    /// Tells everybody who waits.
    pub(super) fn tell(&self, failure: sqlx::Error) {
        self.failures.send_replace(Some(Arc::new(failure)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a connection, until it is dropped.
pub(super) struct Waiter<'o> {
    opener: &'o Opener,
    failures: watch::Receiver<Option<Arc<sqlx::Error>>>,
}

impl<'o> Waiter<'o> {
    pub(super) fn new(opener: &'o Opener) -> Self {
        opener.waiting.fetch_add(1, Ordering::SeqCst);
        Self { opener, failures: opener.failures.subscribe() }
    }

    /// Why none can be opened, as soon as that is known.
    pub(super) async fn failure(&mut self) -> sqlx::Error {
        // It cannot fail: the sender is borrowed.
        let _ = self.failures.changed().await;
        match &*self.failures.borrow_and_update() {
            Some(failure) if matches!(**failure, sqlx::Error::PoolClosed) => sqlx::Error::PoolClosed,
            Some(failure) => sqlx::Error::Io(io::Error::other(Arc::clone(failure))),
            None => sqlx::Error::PoolTimedOut,
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.opener.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The one that opens, until it is dropped.
struct Turn<C: Fit>(Pool<C>);

impl<C: Fit> Drop for Turn<C> {
    fn drop(&mut self) {
        self.0.0.opener.state().dialing = None;
    }
}

impl<C: Fit> Pool<C> {
    /// Has more opened where some are missing, unless that is under way.
    pub(super) fn grow(&self) {
        if !self.lacks() {
            return;
        }
        // What is dropped after the runtime's end lacks nothing.
        let Ok(runtime) = Handle::try_current() else { return };
        if let Some(turn) = self.take_turn() {
            runtime.spawn(turn.open());
        }
    }

    /// The turn, if nobody has it. A runtime that ends drops at once what is given to it, and a turn that is dropped needs
    /// the lock that is held here.
    fn take_turn(&self) -> Option<Turn<C>> {
        let mut state = self.0.opener.state();
        if state.dialing.is_some() {
            return None;
        }
        state.dialing = Some(Instant::now());
        drop(state);
        Some(Turn(self.clone()))
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

    pub(super) fn add(&self, connection: C) {
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

impl<C: Fit> Turn<C> {
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

    /// Whoever comes after the turn has ended begins another; whoever came before is told.
    fn fail(self, error: sqlx::Error) {
        let pool = self.0.clone();
        pool.0.opener.state().paused = Some(Instant::now());
        drop(self);
        pool.0.opener.tell(error);
    }
}

/// Whether this says that none could be opened.
pub(super) fn is_failure(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Arc<sqlx::Error>>())
}

/// A new connection that is fit.
pub(super) async fn dial<C: Fit>(options: &C::Options) -> Result<C, sqlx::Error> {
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
    let dialed = tokio::time::timeout(PATIENCE, dialing).await;
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
