//! Connections that are kept open and lent out, for one statement or for one transaction.
//!
//! sqlx has a pool too. It spawns a task for each connection that comes back, which asks the database whether it is
//! still there: a second round trip for every statement (docs/adr/0021-connection-pool.md). Nobody who wants to say
//! something to the database opens a connection: that is done beside, by `opener` (docs/adr/0039-opening-connections.md).

mod fit;
mod lending;
mod opener;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deadpool::unmanaged::{self, Object};
use sqlx::Connection;
use sqlx::error::ErrorKind;

use crate::observe;
pub(super) use fit::{ANSWER_TIMEOUT, Fit};
pub use lending::Lending;
use lending::why;
use waiting::{Opener, Waiter};

/// An idle connection older than this is asked whether it lives before it is lent.
const PING_WHEN_IDLE: Duration = Duration::from_secs(1);
/// The connections of one database. Cheap to clone.
pub(super) struct Pool<C: Fit>(Arc<Shared<C>>);

impl<C: Fit> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<C: Fit> {
    options: C::Options,
    most: usize,
    /// How many stay open though nobody needs them.
    kept: AtomicUsize,
    /// How long somebody waits for a connection while others have them all.
    wait: Duration,
    /// Those that are open: lent, or at hand.
    open: unmanaged::Pool<Kept<C>>,
    opener: Opener,
    /// Goes up whenever a connection turned out to be broken: then none is believed to live before it was asked.
    doubts: AtomicU64,
    closed: AtomicBool,
    lending: Lending,
}

/// An open connection, and what is known of it.
struct Kept<C> {
    connection: C,
    opened: Instant,
    life: Duration,
    used: Instant,
    /// When it was last seen to live, and how many doubts there were.
    seen: Instant,
    doubts: u64,
}

impl<C> Kept<C> {
    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.opened) > self.life
    }
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

impl<C: Fit> Pool<C> {
    /// At most this many connections, for which others wait so long; one is made at once, so that a database that is not
    /// there is noticed.
    pub(super) async fn open(options: C::Options, most: u32, wait: Duration) -> Result<Self, sqlx::Error> {
        let pool = Self(Arc::new(Shared {
            options,
            most: most as usize,
            kept: AtomicUsize::new(0),
            wait,
            open: unmanaged::Pool::new(most as usize),
            opener: Opener::default(),
            doubts: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            lending: Lending::default(),
        }));
        pool.keep(1).await?;
        pool.0.kept.store(0, Ordering::Relaxed);
        Ok(pool)
    }

    pub(super) fn options(&self) -> &C::Options {
        &self.0.options
    }

    /// A connection that nobody else uses meanwhile.
    pub(super) async fn lend(&self) -> Result<Lease<C>, sqlx::Error> {
        let asked = Instant::now();
        let lent = match self.at_hand() {
            Some(lease) if lease.is_believed(asked) => Ok(lease),
            // Boxed: hardly anybody goes this way, and the future of every request would reserve the room.
            at_hand => Box::pin(self.find(at_hand, asked)).await,
        };
        let waited = asked.elapsed();
        self.0.lending.waits.observe(waited.as_secs_f64());
        observe::waited_for_connection(waited);
        lent.inspect_err(|error| self.0.lending.refusals.one(why(error)))
    }

    fn at_hand(&self) -> Option<Lease<C>> {
        let object = self.0.open.try_get().ok()?;
        Some(Lease { object: Some(object), pool: self.clone() })
    }

    /// One that lives: that is at hand, or comes back, or is opened meanwhile.
    async fn find(&self, at_hand: Option<Lease<C>>, asked: Instant) -> Result<Lease<C>, sqlx::Error> {
        let mut at_hand = at_hand;
        loop {
            let found = match at_hand {
                Some(lease) => lease,
                None => self.wait(asked).await?,
            };
            if let Some(living) = found.proven().await {
                return Ok(living);
            }
            at_hand = self.at_hand();
        }
    }

    /// The next one that comes back or is opened.
    async fn wait(&self, asked: Instant) -> Result<Lease<C>, sqlx::Error> {
        if self.0.closed.load(Ordering::Relaxed) {
            return Err(sqlx::Error::PoolClosed);
        }
        let mut waiter = Waiter::new(&self.0.opener);
        self.grow();
        let mut next = std::pin::pin!(self.0.open.get());
        let mut until = asked + self.0.wait;
        let result = loop {
            tokio::select! {
                biased;
                next = &mut next => match next {
                    Ok(object) => break Ok(Lease { object: Some(object), pool: self.clone() }),
                    Err(_) => break Err(sqlx::Error::PoolClosed),
                },
                failure = waiter.failure() => {
                    // Where others are open, one of them comes back.
                    if self.0.closed.load(Ordering::Relaxed) || self.0.size() == 0 {
                        break Err(failure);
                    }
                }
                () = tokio::time::sleep_until(until.into()) => {
                    let opens = self.0.opener.is_excuse() || (self.0.size() == 0 && self.0.opener.is_busy());
                    if !opens || asked.elapsed() > ANSWER_TIMEOUT {
                        break Err(sqlx::Error::PoolTimedOut);
                    }
                    until += self.0.wait;
                }
            }
        };
        if let Some(since) = self.0.opener.waits_since(asked) {
            self.0.lending.note(since.elapsed());
        }
        result
    }

    pub(super) fn lending(&self) -> &Lending {
        &self.0.lending
    }

    /// How long somebody waited at most for a connection that others had, since this was asked last. Waiting for one to be
    /// opened does not count: that passes.
    pub(super) fn longest_wait(&self) -> Duration {
        self.0.lending.longest()
    }

    pub(super) fn size(&self) -> PoolSize {
        let status = self.0.open.status();
        PoolSize {
            most: self.0.most,
            open: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: self.0.opener.waiting(),
        }
    }

    /// Does one thing with a connection.
    pub(super) async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut C) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let mut lease = self.lend().await?;
        let result = work(lease.connection()?).await;
        match &result {
            Err(error) if !leaves_sound(error) => {
                if is_cut_off(error) {
                    self.doubt();
                }
            }
            _ => lease.give_back(),
        }
        result
    }

    /// One was cut off: perhaps all were.
    fn doubt(&self) {
        self.0.doubts.fetch_add(1, Ordering::Relaxed);
    }

    /// Closes the connections that nobody has needed for so long and those that are old, asks the others whether they
    /// live, and opens what is missing of those that are kept.
    pub(super) async fn trim(&self, longest: Duration) {
        let now = Instant::now();
        let idle: Vec<_> = std::iter::from_fn(|| self.0.open.try_get().ok()).collect();
        let (mut surplus, mut resting) = (Vec::new(), 0);
        let mut spare = self.0.size().saturating_sub(self.0.kept.load(Ordering::Relaxed));
        // Those that were used last came first and go back last: they are lent first.
        for object in idle.into_iter().rev() {
            let unused = now.duration_since(object.used);
            if object.is_old(now) || (spare > 0 && unused > longest) {
                spare = spare.saturating_sub(1);
                surplus.push(Object::take(object));
            } else {
                resting += usize::from(unused > PING_WHEN_IDLE);
                drop(object);
            }
        }
        for kept in surplus {
            close(kept.connection).await;
        }
        self.prove(resting).await;
        self.grow();
    }

    /// Asks so many whether they live: one that died while nobody used it is found by nobody who is in a hurry.
    async fn prove(&self, resting: usize) {
        let mut living = Vec::new();
        for _ in 0..resting {
            let Some(lease) = self.at_hand() else { break };
            living.extend(lease.proven().await);
        }
        living.into_iter().rev().for_each(Lease::put_back);
    }

    /// Closes every connection; those that are lent, as they come back.
    pub(super) async fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.opener.tell(sqlx::Error::PoolClosed);
        while let Ok(kept) = self.0.open.try_remove() {
            close(kept.connection).await;
        }
    }
}

impl<C: Fit> Shared<C> {
    fn size(&self) -> usize {
        self.open.status().size
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

/// Whether a connection was lent and is gone, and not only what was asked on it.
pub(super) fn is_cut_off(error: &sqlx::Error) -> bool {
    match error {
        // Operators' intervention.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        sqlx::Error::Io(error) => !waiting::is_failure(error),
        sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}

/// A connection that is lent. Dropped before it is given back, it is closed: somebody stopped in the middle of a
/// statement or a transaction, and the next one must not find the rest of it.
pub(super) struct Lease<C: Fit> {
    object: Option<Object<Kept<C>>>,
    pool: Pool<C>,
}

impl<C: Fit> Lease<C> {
    /// It is there until it is given back.
    pub(super) fn connection(&mut self) -> Result<&mut C, sqlx::Error> {
        self.object.as_deref_mut().map(|kept| &mut kept.connection).ok_or(sqlx::Error::PoolClosed)
    }

    /// After the end of what it was lent for.
    pub(super) fn give_back(mut self) {
        let now = Instant::now();
        if let Some(kept) = self.object.as_deref_mut().filter(|kept| !kept.is_old(now)) {
            (kept.used, kept.seen) = (now, now);
            self.put_back();
        }
    }

    fn put_back(mut self) {
        if !self.pool.0.closed.load(Ordering::Relaxed) {
            drop(self.object.take());
        }
    }

    /// Whether it may be lent unasked.
    fn is_believed(&self, now: Instant) -> bool {
        let doubts = self.pool.0.doubts.load(Ordering::Relaxed);
        let believed = |kept: &Kept<C>| {
            now.saturating_duration_since(kept.seen) <= PING_WHEN_IDLE && kept.doubts == doubts
        };
        self.object.as_deref().is_some_and(believed)
    }

    /// The same, if it lives and is fit.
    async fn proven(mut self) -> Option<Self> {
        if self.is_believed(Instant::now()) {
            return Some(self);
        }
        let doubts = self.pool.0.doubts.load(Ordering::Relaxed);
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.connection().ok()?.prove_fit()).await;
        if matches!(asked, Ok(Ok(()))) {
            let kept = self.object.as_deref_mut()?;
            (kept.doubts, kept.seen) = (doubts, Instant::now());
            return Some(self);
        }
        self.pool.doubt();
        None
    }
}

impl<C: Fit> Drop for Lease<C> {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
            self.pool.grow();
        }
    }
}
