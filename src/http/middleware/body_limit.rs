//! A bound for request bodies that don't say how long they are.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, SizeHint};

/// What is known about a body before it is read.
pub(super) enum Size {
    Fits,
    TooLarge,
    Unknown,
}

impl Size {
    pub(super) fn of(request: &Request, limit: u64) -> Self {
        match request.body().size_hint().upper() {
            Some(length) if length <= limit => Self::Fits,
            Some(_) => Self::TooLarge,
            None => Self::Unknown,
        }
    }
}

/// A body that fails once it is longer than allowed, and remembers it: whatever the handler makes of
/// the failed read, the answer is 413.
pub(super) struct Limited {
    inner: Body,
    left: u64,
    exceeded: Arc<AtomicBool>,
}

impl Limited {
    pub(super) fn wrap(request: Request, limit: u64) -> (Request, Arc<AtomicBool>) {
        let exceeded = Arc::new(AtomicBool::new(false));
        let flag = exceeded.clone();
        (request.map(|inner| Body::new(Self { inner, left: limit, exceeded })), flag)
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => {
                    self.exceeded.store(true, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(axum::Error::new(TooLarge))));
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request body is too large")]
struct TooLarge;
