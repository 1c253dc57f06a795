//! Reads frames off a byte stream.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::frame::{self, Frame, FrameError};
use crate::limits::READ_BYTES;

/// Less room than this in the buffer is not worth a read.
const READ_BYTES_MIN: usize = 4 << 10;

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The other side closed the connection, between two frames.
    #[error("the other side closed the connection")]
    Closed,
    /// The other side closed the connection in the middle of a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// The byte stream failed.
    #[error("the connection failed: {0}")]
    Stream(#[from] io::Error),
    /// What came is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reads frames. Dropping a pending read loses nothing.
#[derive(Debug)]
pub(crate) struct FrameReader<S> {
    stream: S,
    buffer: BytesMut,
    payload_bytes_max: usize,
}

impl<S: AsyncRead + Unpin> FrameReader<S> {
    /// Reads from `stream` frames with payloads of up to `payload_bytes_max`.
    pub(crate) fn new(stream: S, payload_bytes_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), payload_bytes_max }
    }

    /// Changes the limit, for frames that follow.
    pub(crate) fn set_payload_bytes_max(&mut self, payload_bytes_max: usize) {
        self.payload_bytes_max = payload_bytes_max;
    }

    /// Takes the next frame out of what has been read already.
    pub(crate) fn next_buffered(&mut self) -> Result<Option<Frame>, FrameError> {
        Frame::decode(&mut self.buffer, self.payload_bytes_max)
    }

    /// Waits for bytes: after this, [`FrameReader::next_buffered`] may have more.
    pub(crate) async fn fill(&mut self) -> Result<(), ReadError> {
        let missing_bytes = Frame::missing_bytes(&self.buffer, self.payload_bytes_max)?;
        // A length that was only announced does not get its memory at once: the buffer at most doubles
        // with each read, so that memory follows what has really been sent.
        let room = missing_bytes.min(self.buffer.len().max(READ_BYTES));
        if self.buffer.capacity() - self.buffer.len() < room.max(READ_BYTES_MIN) {
            self.buffer.reserve(room.max(READ_BYTES));
        }
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(if self.buffer.is_empty() { ReadError::Closed } else { ReadError::Truncated });
        }
        Ok(())
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Result<Frame, ReadError> {
        loop {
            if let Some(frame) = self.next_buffered()? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// Reads the preface that opens a connection.
    pub(crate) async fn preface(&mut self) -> Result<(), ReadError> {
        loop {
            if frame::take_preface(&mut self.buffer)? {
                return Ok(());
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(if self.buffer.is_empty() { ReadError::Closed } else { ReadError::Truncated });
            }
        }
    }
}
