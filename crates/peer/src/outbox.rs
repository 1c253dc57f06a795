//! The outgoing half of a connection: a buffer that many fill and one task writes.
//!
//! Frames are encoded straight into one buffer. The writing task takes whatever has gathered in it and
//! writes it at once, so that under load many frames share a system call and at rest a frame waits for
//! nobody. Room in the buffer is handed out as permits, counted in bytes: who does not get any waits, up
//! to its deadline.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::BytesMut;
use quorate_consensus::GroupId;
use quorate_environment::Environment;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::frame::{self, FrameKind, HEADER_BYTES};
use crate::limits::{OUTBOX_BYTES_MAX, WRITE_BUFFER_KEEP_BYTES, WRITE_STALL_MAX};

/// Room for a frame in an outbox.
pub(crate) type Room = OwnedSemaphorePermit;

/// The connection has ended; nothing can be sent on it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutboxClosed;

/// Where frames wait to be written.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Queue {
    buffer: BytesMut,
    /// The room that the buffer's frames take up; given back when they have been written.
    room: Option<Room>,
    /// How many bytes were ever put in.
    enqueued_bytes: u64,
    /// How many of them the writing task has taken: those may have been sent.
    taken_bytes: u64,
    closed: bool,
}

impl Outbox {
    /// An empty outbox.
    pub(crate) fn new() -> Self {
        let room = Arc::new(Semaphore::new(OUTBOX_BYTES_MAX));
        Self { queue: Mutex::default(), filled: Notify::new(), room }
    }

    /// Waits for room for a frame with `payload_bytes`.
    pub(crate) async fn room(&self, payload_bytes: usize) -> Result<Room, OutboxClosed> {
        let bytes = u32::try_from(HEADER_BYTES + payload_bytes).map_err(|_| OutboxClosed)?;
        // The common case must not pay for a place in the waiting line.
        if let Ok(room) = self.room.clone().try_acquire_many_owned(bytes) {
            return Ok(room);
        }
        self.room.clone().acquire_many_owned(bytes).await.map_err(|_| OutboxClosed)
    }

    /// Puts a frame in, into `room` or, for the few and small frames that must not wait, without. Returns
    /// the frame's place in the order of all bytes, for [`Outbox::may_have_sent`].
    pub(crate) fn push(
        &self,
        room: Option<Room>,
        kind: FrameKind,
        flags: u8,
        group: GroupId,
        request_id: u64,
        parts: &[&[u8]],
    ) -> Result<u64, OutboxClosed> {
        let header = frame::header(kind, flags, group, request_id, parts);
        let (place, was_empty) = {
            let mut queue = self.lock();
            if queue.closed {
                return Err(OutboxClosed);
            }
            let was_empty = queue.buffer.is_empty();
            let place = queue.enqueued_bytes;
            queue.buffer.extend_from_slice(&header);
            for part in parts {
                queue.buffer.extend_from_slice(part);
            }
            queue.enqueued_bytes +=
                (HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>()) as u64;
            if let Some(room) = room {
                match &mut queue.room {
                    Some(held) => held.merge(room),
                    None => queue.room = Some(room),
                }
            }
            (place, was_empty)
        };
        if was_empty {
            self.filled.notify_one();
        }
        Ok(place)
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Whether the frame at `place` may have left this node. Final once the outbox is closed.
    pub(crate) fn may_have_sent(&self, place: u64) -> bool {
        place < self.lock().taken_bytes
    }

    /// Nothing is taken in any more; what is in it is still written.
    pub(crate) fn finish(&self) {
        self.lock().closed = true;
        self.room.close();
        self.filled.notify_one();
    }

    /// Nothing is taken in or written any more.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.buffer = BytesMut::new();
        queue.room = None;
        drop(queue);
        self.room.close();
        self.filled.notify_one();
    }

    fn take(&self, spare: &mut BytesMut) -> Result<Option<Room>, OutboxClosed> {
        let mut queue = self.lock();
        if queue.closed && queue.buffer.is_empty() {
            return Err(OutboxClosed);
        }
        std::mem::swap(&mut queue.buffer, spare);
        queue.taken_bytes = queue.enqueued_bytes;
        Ok(queue.room.take())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds this lock; if it ever does, the process ends anyway.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what is put into `outbox` to `stream` until the outbox is closed or the stream fails. Calls
/// `on_progress` when bytes went out for which the stream first had to make room: a sign that the other
/// side still takes what we send.
pub(crate) async fn write_outbox<E, S>(
    environment: &E,
    outbox: &Outbox,
    stream: &mut S,
    on_progress: impl Fn() + Send + Sync,
) -> io::Result<()>
where
    E: Environment,
    S: AsyncWrite + Unpin + Send,
{
    let mut buffer = BytesMut::new();
    loop {
        outbox.filled.notified().await;
        // Whoever else is ready to run gets the chance to add a frame to this write.
        yield_once().await;
        let Ok(room) = outbox.take(&mut buffer) else { return Ok(()) };
        if buffer.is_empty() {
            continue;
        }
        write_with_progress(environment, stream, &buffer, &on_progress).await?;
        drop(room);
        if outbox.is_closed() {
            // Nobody notifies any more.
            outbox.filled.notify_one();
        }
        if buffer.capacity() > WRITE_BUFFER_KEEP_BYTES {
            buffer = BytesMut::new();
        }
        buffer.clear();
    }
}

/// Writes all of `bytes` and flushes, as long as the stream makes progress.
pub(crate) async fn write_all<E, S>(environment: &E, stream: &mut S, bytes: &[u8]) -> io::Result<()>
where
    E: Environment,
    S: AsyncWrite + Unpin + Send,
{
    write_with_progress(environment, stream, bytes, &|| ()).await
}

async fn write_with_progress<E, S>(
    environment: &E,
    stream: &mut S,
    mut bytes: &[u8],
    on_progress: &(impl Fn() + Send + Sync),
) -> io::Result<()>
where
    E: Environment,
    S: AsyncWrite + Unpin + Send,
{
    let stalled = || io::Error::new(io::ErrorKind::TimedOut, "the other side reads nothing");
    while !bytes.is_empty() {
        let mut had_to_wait = false;
        let write = poll_fn(|context| {
            let polled = Pin::new(&mut *stream).poll_write(context, bytes);
            had_to_wait |= polled.is_pending();
            polled
        });
        let written = environment.timeout(WRITE_STALL_MAX, write).await.map_err(|_| stalled())??;
        if had_to_wait {
            on_progress();
        }
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
    }
    environment.timeout(WRITE_STALL_MAX, stream.flush()).await.map_err(|_| stalled())?
}

/// Lets every task that is ready now run once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
