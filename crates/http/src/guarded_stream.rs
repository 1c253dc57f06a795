//! The environment's stream, as hyper uses it, noting the connection's progress.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quorate_environment::Environment;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::progress::{Phase, Progress};

/// How much of a refused body is read and thrown away, so that the client gets to read the refusal.
/// Closing a socket that has unread bytes resets it, and the reset can overtake the answer.
const LINGER_BYTES_MAX: usize = 16 << 20;

/// A stream that tells [`Progress`] what happens on it.
#[derive(Debug)]
pub(crate) struct GuardedStream<E: Environment> {
    stream: E::Stream,
    environment: E,
    progress: Arc<Progress>,
    lingered_bytes: usize,
}

// Nothing in it is pinned by its own address: the stream is `Unpin` and the environment is never polled.
impl<E: Environment> Unpin for GuardedStream<E> {}

impl<E: Environment> GuardedStream<E> {
    pub(crate) fn new(stream: E::Stream, environment: E, progress: Arc<Progress>) -> Self {
        Self { stream, environment, progress, lingered_bytes: 0 }
    }

    /// Reads and forgets until the client closes its side; [`Progress`] has the deadline.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.lingered_bytes < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            // An error ends the connection as well as its end does.
            if ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)).is_err() {
                break;
            }
            if buffer.filled().is_empty() {
                break;
            }
            self.lingered_bytes += buffer.filled().len();
        }
        Poll::Ready(())
    }
}

impl<E: Environment> AsyncRead for GuardedStream<E> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > filled_before {
            self.progress.received(|| self.environment.now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<E: Environment> AsyncWrite for GuardedStream<E> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.progress.phase() != Phase::Lingering {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        let linger = self.progress.closing(|| self.environment.now());
        if linger {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
