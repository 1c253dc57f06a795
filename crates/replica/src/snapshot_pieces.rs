//! Gives a node that repairs itself the newest snapshot, piece by piece.
//!
//! Raft's own way of sending snapshots begins with the leader, and with a node that takes part in Raft. A
//! node that has to make its state anew does not take part yet ([`crate::repair`]): it asks, and whoever has a
//! snapshot answers. What a snapshot holds is committed, so it does not matter who that is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use quorate_consensus::SnapshotFile;
use quorate_environment::Environment;

use crate::replica::Replica;
use crate::wire::{SnapshotReply, SnapshotRequest};

/// How much one answer carries.
const PIECE_BYTES: u64 = 256 << 10;

impl<E: Environment> Replica<E> {
    /// The piece that is asked for. If there is no snapshot that reaches as far, has one made.
    pub(crate) async fn snapshot_piece(&self, request: &SnapshotRequest) -> SnapshotReply {
        if self.damage().is_some() {
            return SnapshotReply::NotReady("this node has stopped".to_owned());
        }
        let newest = self.inner().storage.newest_snapshot();
        let reaches = |index: Option<u64>| index.is_some_and(|index| index >= request.index);
        let newest = newest.filter(|(meta, ..)| reaches(meta.last_log_id.map(|log_id| log_id.index())));
        let Some((meta, file, file_bytes)) = newest else {
            return match self.inner().raft.trigger().snapshot().await {
                Ok(()) => SnapshotReply::NotReady("a snapshot is being made".to_owned()),
                Err(error) => SnapshotReply::NotReady(error.to_string()),
            };
        };
        if request.wanted.is_some() && request.wanted != meta.last_log_id {
            return SnapshotReply::NotReady("a newer snapshot has taken its place".to_owned());
        }
        match read_piece(&file, request.offset, file_bytes) {
            Ok(bytes) => SnapshotReply::Piece { meta, file_bytes, bytes },
            Err(error) => SnapshotReply::NotReady(format!("the snapshot cannot be read: {error}")),
        }
    }
}

fn read_piece(file: &SnapshotFile, offset: u64, file_bytes: u64) -> io::Result<Bytes> {
    let bytes = file_bytes.saturating_sub(offset).min(PIECE_BYTES);
    let mut piece = vec![0; bytes as usize];
    File::open(file.path())?.read_exact_at(&mut piece, offset)?;
    Ok(piece.into())
}
