//! Receives a snapshot into a file and hands it to Raft when it is complete.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode, SnapshotHeader};
use quorate_consensus::{GroupId, SnapshotFile};
use quorate_environment::Environment;
use tokio::sync::mpsc;

use crate::error::{Refusal, RemoteError};
use crate::file_worker::{FileCheck, FileJob, FileWorker, ask};
use crate::frame::{Frame, FrameKind};
use crate::handler::{PeerHandler, RaftEndpoint, Snapshot};
use crate::limits::{SESSION_SNAPSHOTS_MAX, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_WINDOW_CHUNKS};
use crate::session::{Session, SessionError};

/// How the names of files begin that are being received.
const RECEIVED_PREFIX: &str = "incoming-";

/// The snapshots that one session is receiving.
pub(crate) struct SnapshotReceivers<E: Environment, H> {
    session: Arc<Session<E, H>>,
    /// Where the pieces of each go. A transfer whose receiver is dropped gives up and removes its file.
    pieces: BTreeMap<u64, mpsc::Sender<Bytes>>,
}

/// One transfer.
struct Transfer<R> {
    raft: R,
    group: GroupId,
    request_id: u64,
    header: SnapshotHeader,
    pieces: mpsc::Receiver<Bytes>,
}

impl<E: Environment, H: PeerHandler<E>> SnapshotReceivers<E, H> {
    /// None yet.
    pub(crate) fn new(session: Arc<Session<E, H>>) -> Self {
        Self { session, pieces: BTreeMap::new() }
    }

    /// Takes a frame of a transfer.
    pub(crate) async fn take(&mut self, frame: Frame) -> Result<(), SessionError> {
        let (group, request_id) = (frame.group, frame.request_id);
        match frame.kind {
            FrameKind::SnapshotBegin => {
                if let Err(refusal) = self.begin(group, request_id, frame.payload)? {
                    self.session.refuse(group, request_id, refusal).await;
                }
            }
            FrameKind::SnapshotChunk => return self.feed(request_id, frame.payload),
            _ => drop(self.pieces.remove(&request_id)),
        }
        Ok(())
    }

    fn begin(
        &mut self,
        group: GroupId,
        request_id: u64,
        payload: Bytes,
    ) -> Result<Result<(), Refusal>, SessionError> {
        let header = SnapshotHeader::decode(payload)
            .map_err(|error| SessionError::Protocol(format!("malformed snapshot header: {error}")))?;
        self.pieces.retain(|_, pieces| !pieces.is_closed());
        if self.pieces.contains_key(&request_id) {
            return Err(SessionError::Protocol("a snapshot was begun twice".to_owned()));
        }
        if self.pieces.len() >= SESSION_SNAPSHOTS_MAX {
            return Ok(Err(Refusal::Overloaded));
        }
        let Some(raft) = self.session.shared.handler.raft(group) else { return Ok(Err(Refusal::NotReady)) };
        if let Err(reason) = self.session.shared.handler.snapshot_check().check_room(header.length) {
            tracing::warn!(from = %self.session.from, bytes = header.length, reason, "a snapshot is refused");
            return Ok(Err(Refusal::NoRoom));
        }
        let (sender, pieces) = mpsc::channel(SNAPSHOT_WINDOW_CHUNKS);
        let transfer = Transfer { raft, group, request_id, header, pieces };
        let task = receive(self.session.clone(), transfer);
        if !self.session.spawn_or_refuse("peer snapshot receiver", task) {
            return Ok(Err(Refusal::Overloaded));
        }
        self.pieces.insert(request_id, sender);
        Ok(Ok(()))
    }

    fn feed(&mut self, request_id: u64, piece: Bytes) -> Result<(), SessionError> {
        if piece.len() > SNAPSHOT_CHUNK_BYTES {
            return Err(SessionError::Protocol("a piece of a snapshot is too large".to_owned()));
        }
        let Some(pieces) = self.pieces.get(&request_id) else { return Ok(()) };
        match pieces.try_send(piece) {
            // A closed transfer has told the sender why, or is about to.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(SessionError::Protocol(
                "more unacknowledged pieces of a snapshot than allowed".to_owned(),
            )),
        }
    }
}

async fn receive<E: Environment, H: PeerHandler<E>>(
    session: Arc<Session<E, H>>,
    mut transfer: Transfer<H::Raft>,
) {
    let (group, request_id) = (transfer.group, transfer.request_id);
    let work = store_and_install(&session, &mut transfer);
    match E::Runtime::select2(session.ended.cancelled(), work).await {
        Select2::First(()) | Select2::Second(None) => {}
        Select2::Second(Some(answer)) => session.answer(group, request_id, answer).await,
    }
}

/// The last answer of a transfer, or nothing if its sender gave up.
async fn store_and_install<E: Environment, H: PeerHandler<E>>(
    session: &Session<E, H>,
    transfer: &mut Transfer<H::Raft>,
) -> Option<Result<Bytes, RemoteError>> {
    let name = format!("{RECEIVED_PREFIX}{:016x}", session.shared.environment.random_u64());
    let path = session.shared.snapshot_directory.join(name);
    tracing::info!(
        from = %session.from,
        group = %transfer.group,
        bytes = transfer.header.length,
        path = %path.display(),
        "receiving a snapshot"
    );
    match store(session, transfer, &path).await {
        Ok(Some(file)) => {
            let snapshot = Snapshot { meta: transfer.header.meta.clone(), snapshot: file };
            let installed = transfer.raft.install_snapshot(transfer.header.vote, snapshot).await;
            Some(installed.map(|response| response.encode()).map_err(RemoteError::Failed))
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(from = %session.from, path = %path.display(), %error, "a snapshot cannot be taken");
            Some(Err(RemoteError::Failed(format!("the snapshot cannot be taken: {error}"))))
        }
    }
}

/// Stores the pieces in `path`, and checks what they make. Nothing if the sender gave up; the file is then
/// gone.
async fn store<E: Environment, H: PeerHandler<E>>(
    session: &Session<E, H>,
    transfer: &mut Transfer<H::Raft>,
    path: &Path,
) -> io::Result<Option<SnapshotFile>> {
    let opened = File::create_new(path)?;
    let file = SnapshotFile::temporary(path);
    let (worker, finished) = session.shared.environment.spawn_worker("snapshot-receiver", FileWorker(opened));
    let mut remaining = transfer.header.length;
    while remaining > 0 {
        let Some(piece) = transfer.pieces.recv().await else { return Ok(None) };
        let piece_bytes = piece.len() as u64;
        remaining = remaining.checked_sub(piece_bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "more bytes came than were announced")
        })?;
        ask(&worker, |reply| FileJob::Append(piece, reply)).await?;
        session.send(FrameKind::SnapshotAck, 0, transfer.group, transfer.request_id, &[]).await;
    }
    let (check, checked, meta) =
        (session.shared.handler.snapshot_check(), path.to_owned(), transfer.header.meta.clone());
    let check = FileCheck(Box::new(move || check.check(&checked, &meta)));
    ask(&worker, |reply| FileJob::Check(check, reply)).await?;
    drop(worker);
    finished.await;
    Ok(Some(file))
}
