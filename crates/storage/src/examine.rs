//! Looks at a data directory that no node uses, for `quorate repair`.

use std::path::Path;
use std::sync::Arc;

use quorate_consensus::GroupId;
use quorate_kv::{Machine, MachineError};

use crate::damage_note::DamageNote;
use crate::directory::DataDirectory;
use crate::error::OpenError;
use crate::layout::{DAMAGE, state_directories, state_name};
use crate::log::recovery;
use crate::options::StorageOptions;
use crate::snapshot::{SnapshotReader, SnapshotShelf};
use crate::state::{StateTables, TablesError};

/// What was found in a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Examination {
    /// Every record of the state is sound, and they agree with each other. Nothing was changed.
    Sound {
        /// The newest revision on the disk.
        revision: u64,
    },
    /// The state must not be used. When the node starts next, it is made anew.
    RepairRequested {
        /// Why.
        reason: String,
    },
}

/// Reads the whole state in the data directory at `path`. If it is damaged, or was found not to be the
/// leader's, asks for its repair. Fails if it cannot be repaired, because the log is damaged.
pub fn examine(path: &Path, options: &StorageOptions) -> Result<Examination, OpenError> {
    let group = GroupId::FIRST;
    let directory = DataDirectory::open_existing(path)?;
    let root = directory.path();
    drop(recovery::open(directory.lock(), directory.node_id(), group, options)?);
    let note = match DamageNote::read(root)? {
        Some(note) => DamageNote { is_requested: true, ..note },
        None => match verify(&directory, group, options) {
            Ok(revision) => return Ok(Examination::Sound { revision }),
            Err(error) if error.is_repairable() => DamageNote::new(None, true, &error.to_string()),
            Err(error) => return Err(error),
        },
    };
    note.write(root).map_err(OpenError::io(&root.join(DAMAGE)))?;
    Ok(Examination::RepairRequested { reason: note.reason })
}

/// Checks snapshots and state. Gives the newest revision.
fn verify(directory: &DataDirectory, group: GroupId, options: &StorageOptions) -> Result<u64, OpenError> {
    let root = directory.path();
    // Whether they are what they should be: the headers.
    drop(SnapshotShelf::open(root)?);
    for path in SnapshotShelf::files(root)? {
        let part = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        SnapshotReader::verify(&path).map_err(|error| OpenError::damaged(root, &part, error.to_string()))?;
    }
    let (finished, _) = state_directories(root).map_err(OpenError::io(root))?;
    let name = finished.last().map(|number| state_name(*number));
    let name = name.ok_or_else(|| OpenError::missing(root, &state_name(0)))?;
    let (lock, node_id) = (directory.lock(), directory.node_id());
    let tables = Arc::new(StateTables::open(lock, &name, options.state_map_bytes, node_id, group)?);
    let verified = || -> Result<u64, MachineError<TablesError>> {
        let transaction = tables.read()?;
        transaction.applied()?;
        Ok(Machine::verify(&transaction)?.revision())
    };
    verified().map_err(|error| OpenError::damaged(root, &name, error.to_string()))
}
