//! The body of an answer that is sent in pieces, with a note of each piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use quorate_environment::Environment;

use crate::progress::Progress;

/// A body that gives the client its time for each piece anew: [`Progress`] has the deadline.
#[derive(Debug)]
pub(crate) struct WatchedAnswer<E> {
    body: Body,
    environment: E,
    progress: Arc<Progress>,
}

impl<E: Environment> WatchedAnswer<E> {
    pub(crate) fn new(body: Body, environment: E, progress: Arc<Progress>) -> Self {
        Self { body, environment, progress }
    }
}

// Nothing in it is pinned by its own address: the body is `Unpin` and the environment is never polled.
impl<E: Environment> Unpin for WatchedAnswer<E> {}

impl<E: Environment> HttpBody for WatchedAnswer<E> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.progress.answer_ready(self.environment.now());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
