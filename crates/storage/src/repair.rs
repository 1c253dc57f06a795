//! Makes a data directory usable again of which the state is damaged, or is not the leader's.
//!
//! What a node has promised to the others is in its log and its vote: entries that it has acknowledged count
//! towards their quorum, and a vote that was given must not be given twice. A node whose log is damaged can
//! therefore not be repaired, only replaced by a new one, which has promised nothing. The *state* is
//! different: it follows from the log. So a repair keeps log, vote and identity, sets the state aside, and
//! lets it be made anew from a snapshot and the log behind it:
//!
//! * If records are damaged, this node's own snapshot and log are as good as anybody's, provided that the
//!   snapshot is sound and the log goes on where it ends (or has never been purged).
//! * If the state differs from the leader's, this node's snapshot may differ as well. It has to be one of
//!   another node, of an index at which the difference has shown.
//!
//! All of this happens before Raft starts. Until then the node neither votes nor acknowledges anything; it is
//! as one that is down. Afterwards it is as one that has lost what was not checkpointed: Raft applies the
//! log again, and reads are answered only after a ReadIndex round.
//!
//! Every step can be repeated, because the [`DamageNote`] stays until the last one.

use std::fs;
use std::path::Path;

use quorate_consensus::{GroupId, SnapshotMeta};

use crate::damage_note::DamageNote;
use crate::directory::{DataDirectory, remove_directory};
use crate::durable;
use crate::error::OpenError;
use crate::layout::{DAMAGE, SET_ASIDE, UNFINISHED_SUFFIX, state_directories, state_name};
use crate::lmdb::{Lmdb, is_untouched};
use crate::log::recovery;
use crate::options::StorageOptions;
use crate::snapshot::{SnapshotCheck, SnapshotReader, SnapshotShelf};
use crate::space::DiskSpace;

/// A repair that has begun: the state is set aside.
#[derive(Debug)]
pub struct Repair {
    directory: DataDirectory,
    group: GroupId,
    reserve_bytes: u64,
    shelf: SnapshotShelf,
    /// The index that a snapshot of another node has to reach.
    needed_index: Option<u64>,
}

impl Repair {
    /// Begins to repair a directory that could not be opened because of `error`, which is repairable.
    /// Refused if the log is damaged as well.
    pub fn begin(
        directory: &DataDirectory,
        group: GroupId,
        options: &StorageOptions,
        error: &OpenError,
    ) -> Result<Self, OpenError> {
        let root = directory.path();
        let opened = recovery::open(directory.lock(), directory.node_id(), group, options)?;
        let purged = opened.files.contents().purged();
        drop(opened);
        let note = match DamageNote::read(root)? {
            Some(note) => note,
            None => DamageNote::new(None, true, &error.to_string()),
        };
        note.write(root).map_err(OpenError::io(&root.join(DAMAGE)))?;
        tracing::warn!(path = %root.display(), reason = note.reason, "the state is made anew");
        set_state_aside(directory)?;
        remove_unsound_snapshots(root, note.foreign_snapshot.is_some())?;
        let shelf = SnapshotShelf::open(root)?;
        let covered = shelf.current().and_then(|kept| kept.meta.last_log_id);
        let is_connected = purged <= covered;
        let to_connect = purged.filter(|_| !is_connected).map(|purged| purged.index());
        let needed_index = note.foreign_snapshot.max(to_connect);
        let reserve_bytes = options.reserve_bytes;
        Ok(Self { directory: directory.clone(), group, reserve_bytes, shelf, needed_index })
    }

    /// The index that a snapshot of another node has to reach, if one is needed.
    pub fn needed_index(&self) -> Option<u64> {
        self.needed_index
    }

    /// Checks a snapshot that has come from another node, and keeps it if it is what is needed. The error
    /// says why it is not.
    pub fn take_snapshot(&mut self, file: &Path, meta: &SnapshotMeta) -> Result<(), String> {
        let space = DiskSpace::new(self.directory.path().to_owned(), self.reserve_bytes);
        let check = SnapshotCheck::new(self.directory.identity().clone(), self.group, space.into());
        check.check(file, meta).map_err(|refusal| refusal.to_string())?;
        let reached = meta.last_log_id.map(|log_id| log_id.index());
        if reached < self.needed_index {
            return Err(format!("it reaches {reached:?}, and has to reach {:?}", self.needed_index));
        }
        self.shelf.adopt(file, meta).map_err(|error| error.to_string())?;
        self.needed_index = None;
        Ok(())
    }

    /// The last step: the directory can be opened again.
    ///
    /// # Panics
    ///
    /// If a snapshot is still needed.
    pub fn finish(self) -> Result<(), OpenError> {
        assert_eq!(self.needed_index, None, "a snapshot that is needed has been taken");
        let root = self.directory.path();
        DamageNote::remove(root).map_err(OpenError::io(&root.join(DAMAGE)))
    }
}

/// Puts the newest state where nobody looks for it, in place of what an earlier repair put there, and an
/// empty one in its place.
fn set_state_aside(directory: &DataDirectory) -> Result<(), OpenError> {
    let root = directory.path();
    let (mut finished, unfinished) = state_directories(root).map_err(OpenError::io(root))?;
    let next = finished.last().map_or(0, |number| number + 1);
    if let Some(newest) = finished.pop() {
        let name = state_name(newest);
        // One without any tables is the empty one of a repair that was interrupted.
        if is_untouched(directory.lock(), &name)? {
            remove_directory(&root.join(name))?;
        } else {
            let aside = root.join(SET_ASIDE);
            remove_directory(&aside)?;
            durable::create_directory(&aside).map_err(OpenError::io(&aside))?;
            durable::rename(&root.join(&name), &aside.join(&name)).map_err(OpenError::io(&aside))?;
        }
    }
    for name in finished.into_iter().map(state_name).chain(unfinished) {
        remove_directory(&root.join(name))?;
    }
    let (name, path) = (state_name(next), root.join(state_name(next)));
    let unfinished = format!("{name}{UNFINISHED_SUFFIX}");
    Lmdb::create(directory.lock(), &unfinished, directory.node_id())?;
    durable::rename(&root.join(unfinished), &path).map_err(OpenError::io(&path))
}

/// Removes the snapshots that are damaged, or `all` of them.
fn remove_unsound_snapshots(root: &Path, all: bool) -> Result<(), OpenError> {
    for path in SnapshotShelf::files(root)? {
        let unsound = match all {
            true => Some("the state that it was made from is not trusted".to_owned()),
            false => SnapshotReader::verify(&path).err().map(|error| error.to_string()),
        };
        if let Some(reason) = unsound {
            tracing::warn!(path = %path.display(), reason, "a snapshot is removed");
            fs::remove_file(&path).map_err(OpenError::io(&path))?;
        }
    }
    Ok(())
}
