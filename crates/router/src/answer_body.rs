//! The body of a node's answer on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use quorate_client::Connection;
use quorate_environment::Environment;

use crate::board::Node;

/// A body that is passed on piece by piece, and gives the connection that it comes on back when it ends. One that
/// breaks off, or that the client does not want to its end, takes its connection with it.
#[derive(Debug)]
pub(crate) struct AnswerBody<E: Environment> {
    body: Incoming,
    node: Node<E>,
    connection: Option<Connection>,
    has_ended: bool,
}

// Nothing in it is pinned by its own address.
impl<E: Environment> Unpin for AnswerBody<E> {}

impl<E: Environment> AnswerBody<E> {
    pub(crate) fn new(body: Incoming, node: Node<E>, connection: Connection) -> Self {
        Self { body, node, connection: Some(connection), has_ended: false }
    }
}

impl<E: Environment> Body for AnswerBody<E> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.has_ended = frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<E: Environment> Drop for AnswerBody<E> {
    fn drop(&mut self) {
        // Whose length is known is not asked whether there is more behind its last byte.
        if let Some(connection) = self.connection.take()
            && (self.has_ended || self.body.is_end_stream())
        {
            self.node.keep(connection);
        }
    }
}
