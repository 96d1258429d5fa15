//! A connection whose peer has to keep going: it fails when a request head takes too long, when nothing was asked for too
//! long, and when an answer is not taken.
//!
//! hyper has one timer for the first two, so that a proxy's idle connections would end as early as a half-sent head,
//! and none for the third. Here a deadline is a number until the peer keeps the connection waiting, and the timer, once
//! set, is moved only when it fires: a request on a busy connection sets none.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For a request head: from its first byte, on a new connection from its beginning.
    pub head: Duration,
    /// Between an answer and the first byte of the next request.
    pub idle: Duration,
    /// To take an answer, from the moment that the system's buffers are full of it.
    pub answer: Duration,
}

/// What a connection waits for; shared by its stream and by its service, which run in one task.
#[derive(Clone)]
pub(super) struct Phase(Arc<State>);

struct State {
    phase: AtomicU8,
    begin: Instant,
    /// When the last answer was made, in milliseconds since the beginning.
    served: AtomicU64,
}

const HEAD: u8 = 0;
const IDLE: u8 = 1;
/// A request is being served, its body received: the middleware's timeout runs.
const SERVING: u8 = 2;

impl Phase {
    fn new() -> Self {
        Self(Arc::new(State { phase: AtomicU8::new(HEAD), begin: Instant::now(), served: AtomicU64::new(0) }))
    }

    /// A whole head has come.
    pub(super) fn serving(&self) {
        self.set(SERVING);
    }

    /// The answer is made.
    pub(super) fn served(&self) {
        self.0.served.store(self.0.begin.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.set(IDLE);
    }

    fn idle_since(&self) -> Instant {
        self.0.begin + Duration::from_millis(self.0.served.load(Ordering::Relaxed))
    }

    fn get(&self) -> u8 {
        self.0.phase.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }
}

/// The stream of one connection.
pub(super) struct Timed<T> {
    inner: T,
    timeouts: Timeouts,
    phase: Phase,
    head_until: Option<Instant>,
    taken_until: Option<Instant>,
    reading: Alarm,
    writing: Alarm,
}

impl<T> Timed<T> {
    pub(super) fn new(inner: T, timeouts: Timeouts) -> Self {
        Self {
            inner,
            timeouts,
            phase: Phase::new(),
            head_until: None,
            taken_until: None,
            reading: Alarm::default(),
            writing: Alarm::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.clone()
    }

    /// Nothing came: an error once it is time to give up.
    fn wait_to_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let until = match self.phase.get() {
            HEAD => *self.head_until.get_or_insert_with(|| Instant::now() + self.timeouts.head),
            IDLE => self.phase.idle_since() + self.timeouts.idle,
            // hyper does not look again when it has answered, only when something comes; so the timer has to be set.
            _ => Instant::now() + self.timeouts.idle,
        };
        self.reading.wait(cx, until).map(Err)
    }

    /// What a write came to; where nothing was taken, an error once it is time to give up.
    fn written<W>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<W>>) -> Poll<io::Result<W>> {
        if polled.is_ready() {
            return polled;
        }
        let until = *self.taken_until.get_or_insert_with(|| Instant::now() + self.timeouts.answer);
        self.writing.wait(cx, until).map(Err)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if polled.is_pending() {
            return self.wait_to_read(cx);
        }
        if self.phase.get() == IDLE && buffer.filled().len() > before {
            self.phase.set(HEAD);
            self.head_until = None;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper comes here once everything is written: a peer that takes a byte now and then has no more time than one
    /// that takes none. TLS writes into a buffer of its own, so that it is here that its peer lets it wait.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        if polled.is_ready() {
            self.taken_until = None;
        }
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.written(cx, polled)
    }
}

/// A timer that is set when it is first needed.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// An error once it is so late.
    fn wait(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<io::Error> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // One that was set for later fires too late; one that fires too soon is set again.
        if until < timer.deadline() {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}
