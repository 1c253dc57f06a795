//! A connected byte stream.
//!
//! madsim's stream carries messages; each write becomes one, made of a length and that many bytes. The
//! length zero is the end of the stream, which madsim cannot express without dropping both directions.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use madsim::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::SimulatedNetwork;
use super::connection::{Connection, Window};

/// The bytes of a message's length.
const HEADER_BYTES: usize = 4;

/// A connected byte stream between two simulated nodes.
#[derive(Debug)]
pub struct SimulatedStream {
    /// Absent only while the stream is being dropped.
    inner: Option<TcpStream>,
    network: SimulatedNetwork,
    local: IpAddr,
    end: End,
    connection: Arc<Connection>,
    incoming: Incoming,
    /// Whether the end of what this side writes has been sent.
    finished_writing: bool,
}

/// Which end of the connection a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// Where the reader is in the sequence of messages.
#[derive(Debug, Default)]
struct Incoming {
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    /// What is left of the message whose header was read.
    body_left: usize,
    /// Whether the other side's end has arrived.
    finished: bool,
}

impl SimulatedStream {
    pub(super) fn client(
        inner: TcpStream,
        network: SimulatedNetwork,
        connection: Arc<Connection>,
    ) -> io::Result<Self> {
        Self::new(inner, network, End::Client, connection)
    }

    pub(super) fn server(
        inner: TcpStream,
        network: SimulatedNetwork,
        connection: Arc<Connection>,
    ) -> io::Result<Self> {
        Self::new(inner, network, End::Server, connection)
    }

    fn new(
        inner: TcpStream,
        network: SimulatedNetwork,
        end: End,
        connection: Arc<Connection>,
    ) -> io::Result<Self> {
        let local = inner.local_addr()?.ip();
        Ok(Self {
            inner: Some(inner),
            network,
            local,
            end,
            connection,
            incoming: Incoming::default(),
            finished_writing: false,
        })
    }

    fn outgoing_window(&self) -> &Window {
        match self.end {
            End::Client => &self.connection.to_server,
            End::Server => &self.connection.to_client,
        }
    }

    fn incoming_window(&self) -> &Window {
        match self.end {
            End::Client => &self.connection.to_client,
            End::Server => &self.connection.to_server,
        }
    }

    /// Reads from madsim's stream. Its end without ours before it means that the connection is lost.
    fn poll_inner(
        inner: &mut TcpStream,
        bytes: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(inner).poll_read(context, &mut buffer))?;
        match buffer.filled().len() {
            0 => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn inner(inner: &mut Option<TcpStream>) -> &mut TcpStream {
        inner.as_mut().expect("the inner stream is only taken when the stream is dropped")
    }
}

impl AsyncRead for SimulatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while this.incoming.body_left == 0 {
            if this.incoming.finished {
                return Poll::Ready(Ok(()));
            }
            ready!(this.incoming.poll_header(Self::inner(&mut this.inner), context))?;
        }
        let count = this.incoming.body_left.min(buffer.remaining());
        let bytes = buffer.initialize_unfilled_to(count);
        let count = ready!(Self::poll_inner(Self::inner(&mut this.inner), bytes, context))?;
        buffer.advance(count);
        this.incoming.body_left -= count;
        this.incoming_window().taken(count as u64);
        Poll::Ready(Ok(()))
    }
}

impl Incoming {
    fn poll_header(&mut self, inner: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.header_filled < HEADER_BYTES {
            let rest = &mut self.header[self.header_filled..];
            self.header_filled += ready!(SimulatedStream::poll_inner(inner, rest, context))?;
        }
        self.header_filled = 0;
        self.body_left = u32::from_le_bytes(self.header) as usize;
        self.finished = self.body_left == 0;
        Poll::Ready(Ok(()))
    }
}

/// Sends one message. madsim takes it at once, or never if the other side is gone.
fn send_message(inner: &mut TcpStream, parts: &[IoSlice<'_>], length: usize) -> io::Result<()> {
    let mut context = Context::from_waker(Waker::noop());
    let header = u32::try_from(length).expect("a message fits a window").to_le_bytes();
    let mut left = length;
    let bodies = parts.iter().map(|part| {
        let count = left.min(part.len());
        left -= count;
        &part[..count]
    });
    for bytes in std::iter::once(&header[..]).chain(bodies) {
        let written = Pin::new(&mut *inner).poll_write(&mut context, bytes)?;
        assert_eq!(written, Poll::Ready(bytes.len()), "madsim's stream buffers every write");
    }
    let flushed = Pin::new(inner).poll_flush(&mut context)?;
    assert_eq!(flushed, Poll::Ready(()), "madsim's stream sends at once");
    Ok(())
}

impl AsyncWrite for SimulatedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.finished_writing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let offered: usize = parts.iter().map(|part| part.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let allowance = ready!(self.outgoing_window().poll_allowance(context));
        let count = usize::try_from(allowance).unwrap_or(usize::MAX).min(offered);
        send_message(Self::inner(&mut self.inner), parts, count)?;
        self.outgoing_window().sent(count as u64);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing waits for a flush: a write sends.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.finished_writing {
            return Poll::Ready(Ok(()));
        }
        self.finished_writing = true;
        let sent = send_message(Self::inner(&mut self.inner), &[], 0);
        Poll::Ready(sent.map_err(|_| io::ErrorKind::NotConnected.into()))
    }
}

impl Drop for SimulatedStream {
    fn drop(&mut self) {
        let inner = self.inner.take().expect("a stream is dropped once");
        let Some(mut inner) = self.network.keep_if_dark(self.local, inner) else { return };
        if !self.finished_writing {
            // Fails if the other side is gone, which then needs no end.
            let _ = send_message(&mut inner, &[], 0);
        }
        self.incoming_window().close();
    }
}
