//! Looks at a snapshot from a peer before Raft is asked to install it.
//!
//! For Raft an install that fails is a broken disk, and the node stops. So what the sender is to blame for
//! (a file that its disk has damaged, a file of another cluster), and what passes (a full disk), has to be
//! found while the transfer can still be refused.

use std::path::Path;
use std::sync::Arc;

use quorate_consensus::{ClusterId, GroupId, SnapshotMeta};

use super::reader::{SnapshotError, SnapshotReader};
use crate::directory::IdentityCell;
use crate::space::DiskSpace;

/// A snapshot's records take about as much again in the state's tables, and a part of their pages is empty.
const TABLES_PER_FILE: u64 = 2;

/// Says whether a snapshot can be received and installed here. Clones share the node's disk and identity,
/// and keep no files open.
#[derive(Clone, Debug)]
pub struct SnapshotCheck {
    // Not the directory itself: whoever holds this must not keep it locked.
    identity: IdentityCell,
    group: GroupId,
    space: Arc<DiskSpace>,
}

/// Why a snapshot is refused. The node is none the worse for it.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotRefusal {
    /// The file is damaged.
    #[error("{0}")]
    Unsound(#[from] SnapshotError),
    /// The file is of something else than it should be.
    #[error("the file is of {found}, not of {expected}")]
    Foreign {
        /// What the file says.
        found: String,
        /// What it should be of.
        expected: String,
    },
    /// There is no room to install it.
    #[error("the disk has {free_bytes} bytes left, {wanted_bytes} are needed")]
    NoRoom {
        /// Bytes free on the disk.
        free_bytes: u64,
        /// Bytes that would have to be free.
        wanted_bytes: u64,
    },
}

impl SnapshotCheck {
    pub(crate) fn new(identity: IdentityCell, group: GroupId, space: Arc<DiskSpace>) -> Self {
        Self { identity, group, space }
    }

    /// Whether a snapshot of so many bytes can be received: its file, the tables that are made from it
    /// beside those that are there, and the reserve.
    pub fn check_room(&self, file_bytes: u64) -> Result<(), SnapshotRefusal> {
        self.require(file_bytes.saturating_mul(1 + TABLES_PER_FILE))
    }

    /// Reads all of a file that has arrived, which blocks for as long as that takes, and checks that it is
    /// the snapshot `meta` of this cluster, is sound, and can be installed.
    pub fn check(&self, path: &Path, meta: &SnapshotMeta) -> Result<(), SnapshotRefusal> {
        let header = SnapshotReader::verify(path)?;
        let own = self.identity.cluster_id();
        let cluster_id = if own.is_none() { header.cluster_id } else { own };
        let expected = (cluster_id, self.group, meta);
        let found = (header.cluster_id, header.group, &header.meta);
        if found != expected {
            let describe = |(cluster_id, group, meta): (ClusterId, GroupId, &SnapshotMeta)| {
                format!("cluster {cluster_id}, group {group}, {meta}")
            };
            let (found, expected) = (describe(found), describe(expected));
            return Err(SnapshotRefusal::Foreign { found, expected });
        }
        let bytes = std::fs::metadata(path).map_err(SnapshotError::Io)?.len();
        self.require(bytes.saturating_mul(TABLES_PER_FILE))
    }

    fn require(&self, bytes: u64) -> Result<(), SnapshotRefusal> {
        let wanted_bytes = self.space.with_reserve(bytes);
        let free_bytes = self.space.disk_free_bytes_now();
        if free_bytes < wanted_bytes {
            return Err(SnapshotRefusal::NoRoom { free_bytes, wanted_bytes });
        }
        Ok(())
    }
}
