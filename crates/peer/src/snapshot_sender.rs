//! Sends a snapshot: a header, then the file in pieces, each acknowledged when it is stored.
//!
//! It travels on the bulk lane, a connection of its own, and never has more than
//! [`SNAPSHOT_WINDOW_CHUNKS`] pieces on the way, so that it takes neither the memory of the two nodes nor
//! the line that heartbeats need.

use std::fs::File;
use std::future::Future;
use std::io;
use std::sync::Arc;

use openraft::errors::{NetworkError, ReplicationClosed, StreamingError, Unreachable};
use openraft::raft::SnapshotResponse;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode, SnapshotHeader};
use quorate_consensus::{GroupId, NodeId, RaftTypes, Vote};
use quorate_environment::{Environment, WorkerHandle};
use tokio::sync::{Notify, mpsc};

use crate::connection::{Connection, answer_of};
use crate::error::CallError;
use crate::file_worker::{FileJob, FileWorker, ask};
use crate::frame::{Frame, FrameKind};
use crate::handler::Snapshot;
use crate::limits::{
    SNAPSHOT_CHUNK_BYTES, SNAPSHOT_INSTALL_TIMEOUT, SNAPSHOT_PROGRESS_TIMEOUT, SNAPSHOT_WINDOW_CHUNKS,
};
use crate::outbox::OutboxClosed;
use crate::rpc_error::rpc_error;

type Types<E> = RaftTypes<<E as Environment>::Runtime>;
type Sent<E> = Result<SnapshotResponse<Types<E>>, StreamingError<Types<E>>>;

/// Sends `snapshot` to `target` and waits until it is installed there, or until `cancel` resolves.
/// `rejected` is notified when the receiver has found something wrong, or the file cannot be read.
#[expect(clippy::too_many_arguments, reason = "each is a part of one transfer")]
pub(crate) async fn send_snapshot<E: Environment>(
    environment: &E,
    connection: &Arc<Connection<E>>,
    group: GroupId,
    target: NodeId,
    vote: Vote,
    snapshot: Snapshot,
    rejected: &Notify,
    cancel: impl Future<Output = ReplicationClosed> + Send,
) -> Sent<E> {
    let path = snapshot.snapshot.path().to_owned();
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = opened.map_err(|error| cannot_read(&error))?;
    let header = SnapshotHeader { vote, meta: snapshot.meta.clone(), length };
    // One more place than the window: the last answer may come while every piece is acknowledged.
    let (registration, answers) = connection
        .open_stream(SNAPSHOT_WINDOW_CHUNKS + 1)
        .map_err(|error| StreamingError::from(rpc_error(target, error)))?;
    let (worker, _finished) = environment.spawn_worker("snapshot-sender", FileWorker(file));
    let mut transfer = Transfer {
        environment,
        connection,
        group,
        target,
        request_id: registration.request_id,
        answers,
        worker,
        rejected,
        unacknowledged: 0,
        is_over: false,
    };
    match E::Runtime::select2(transfer.run(&header), cancel).await {
        Select2::First(sent) => sent,
        Select2::Second(closed) => Err(StreamingError::Closed(closed)),
    }
}

struct Transfer<'a, E: Environment> {
    environment: &'a E,
    connection: &'a Arc<Connection<E>>,
    group: GroupId,
    target: NodeId,
    request_id: u64,
    answers: mpsc::Receiver<Frame>,
    worker: WorkerHandle<FileJob>,
    /// Told when the file may not be what it should be.
    rejected: &'a Notify,
    unacknowledged: usize,
    /// The receiver has given its last answer.
    is_over: bool,
}

impl<E: Environment> Transfer<'_, E> {
    async fn run(&mut self, header: &SnapshotHeader) -> Sent<E> {
        self.push(FrameKind::SnapshotBegin, &header.encode()).await?;
        let mut remaining = header.length;
        while remaining > 0 {
            while self.unacknowledged >= SNAPSHOT_WINDOW_CHUNKS {
                if let Some(response) = self.answer(SNAPSHOT_PROGRESS_TIMEOUT).await? {
                    return Ok(response);
                }
            }
            let chunk_bytes = remaining.min(SNAPSHOT_CHUNK_BYTES as u64) as usize;
            let chunk = ask(&self.worker, |reply| FileJob::Read(chunk_bytes, reply)).await;
            let chunk = chunk.map_err(|error| {
                self.rejected.notify_one();
                cannot_read(&error)
            })?;
            if chunk.len() < chunk_bytes {
                return Err(unreachable("the snapshot's file is shorter than it was"));
            }
            remaining -= chunk_bytes as u64;
            self.push(FrameKind::SnapshotChunk, &chunk).await?;
            self.unacknowledged += 1;
        }
        loop {
            if let Some(response) = self.answer(SNAPSHOT_INSTALL_TIMEOUT).await? {
                return Ok(response);
            }
        }
    }

    async fn push(&self, kind: FrameKind, payload: &[u8]) -> Result<(), StreamingError<Types<E>>> {
        let lost = |OutboxClosed| network::<E>(self.connection.end_reason());
        let room = self
            .environment
            .timeout(SNAPSHOT_PROGRESS_TIMEOUT, self.connection.room(payload.len()))
            .await
            .map_err(|_| network::<E>("the peer takes nothing".to_owned()))?
            .map_err(lost)?;
        self.connection.push(Some(room), kind, 0, self.group, self.request_id, &[payload]).map_err(lost)?;
        Ok(())
    }

    /// Waits for the receiver: nothing for an acknowledgement, its response at the end.
    async fn answer(
        &mut self,
        patience: std::time::Duration,
    ) -> Result<Option<SnapshotResponse<Types<E>>>, StreamingError<Types<E>>> {
        let frame = self
            .environment
            .timeout(patience, self.answers.recv())
            .await
            .map_err(|_| network::<E>("the peer does not get on with the snapshot".to_owned()))?
            .ok_or_else(|| network::<E>(self.connection.end_reason()))?;
        if frame.kind == FrameKind::SnapshotAck {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
            return Ok(None);
        }
        self.is_over = true;
        match answer_of(frame) {
            Ok(payload) => SnapshotResponse::decode(payload)
                .map(Some)
                .map_err(|error| network::<E>(format!("malformed answer: {error}"))),
            // A receiver that has tried and failed (a full disk, say) is not asked again at once.
            Err(error @ CallError::Failed { .. }) => {
                self.rejected.notify_one();
                Err(unreachable(error))
            }
            Err(error) => Err(rpc_error(self.target, error).into()),
        }
    }
}

impl<E: Environment> Drop for Transfer<'_, E> {
    fn drop(&mut self) {
        if !self.is_over {
            // If the connection has ended, so has the transfer.
            let _ =
                self.connection.push(None, FrameKind::SnapshotCancel, 0, self.group, self.request_id, &[]);
        }
    }
}

/// The file may be damaged, or there are no file descriptors left. Neither is a reason for a leader to stop:
/// reported as an error of the storage, it would be one.
fn cannot_read<R: AsyncRuntime + Send + Sync>(error: &io::Error) -> StreamingError<RaftTypes<R>> {
    tracing::error!(%error, "a snapshot cannot be read");
    unreachable(format!("the snapshot cannot be read: {error}"))
}

fn network<E: Environment>(reason: String) -> StreamingError<Types<E>> {
    StreamingError::Network(NetworkError::from_string(reason))
}

fn unreachable<R: AsyncRuntime + Send + Sync>(reason: impl ToString) -> StreamingError<RaftTypes<R>> {
    StreamingError::Unreachable(Unreachable::from_string(reason))
}
