//! Request bodies: received whole, and no more than allowed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use bytes::BytesMut;

use super::refusal::Refusal;

/// A body on its way.
pub(super) struct Receiving<B> {
    body: B,
    received: BytesMut,
    most: usize,
}

impl<B: HttpBody<Data = Bytes> + Unpin> Receiving<B> {
    pub(super) fn new(body: B, most: usize) -> Self {
        Self { body, received: BytesMut::new(), most }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Refusal>> {
        // One that says that it is too large is refused before a byte of it was sent.
        if self.body.size_hint().lower() > self.most as u64 {
            return Poll::Ready(Err(Refusal::TooLarge));
        }
        while !self.body.is_end_stream() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else { break };
            let Ok(frame) = frame else { return Poll::Ready(Err(Refusal::Unreadable)) };
            let Ok(data) = frame.into_data() else { continue };
            if self.received.len() + data.len() > self.most {
                return Poll::Ready(Err(Refusal::TooLarge));
            }
            // Nearly always it is there at once, and nothing is copied.
            if self.received.is_empty() && self.body.is_end_stream() {
                return Poll::Ready(Ok(data));
            }
            self.received.extend_from_slice(&data);
        }
        Poll::Ready(Ok(std::mem::take(&mut self.received).freeze()))
    }
}
