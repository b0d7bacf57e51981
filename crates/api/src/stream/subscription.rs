//! One client's end of the stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::StreamHub;
use super::ring::Taken;

/// Why a client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// See [`super::StreamLimits::clients`].
    #[error("{limit} clients are connected already")]
    TooManyClients {
        /// The limit.
        limit: usize,
    },
}

/// A client: a body of server-sent events that ends when the stream is closed. Dropping it leaves.
#[derive(Debug)]
pub struct Subscription {
    hub: StreamHub,
    client: u64,
    taken: VecDeque<Bytes>,
}

impl Subscription {
    pub(super) fn new(hub: StreamHub, client: u64) -> Self {
        Self { hub, client, taken: VecDeque::new() }
    }

    /// The next message as it goes over the wire; `None` at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(frame) = self.taken.pop_front() {
                return Poll::Ready(Some(frame));
            }
            let shared = &self.hub.shared;
            match shared.ring.lock().take(self.client, context, &shared.counters) {
                Taken::Frames(frames) => self.taken = frames.into(),
                Taken::Nothing => return Poll::Pending,
                Taken::End => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(self.client);
    }
}

impl Body for Subscription {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_next(context).map(|frame| frame.map(|bytes| Ok(Frame::data(bytes))))
    }
}
