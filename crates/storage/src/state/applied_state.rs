//! The state of the moment: overlay, state machine, and what was applied last.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use quorate_consensus::{Entry, ProposalBytes, SnapshotMeta, StoredMembership};
use quorate_kv::{Machine, MachineError, Outcome, Proposal};

use super::layer::Layer;
use super::overlay::Overlay;
use super::tables::{StateTables, TablesError};
use super::worker::tables_failure;
use crate::failure::{FailureCause, StorageFailure};

const APPLYING: &str = "applying an entry";
const COMPARING: &str = "comparing the state with the leader's";

/// What readers and the applier share. Behind a lock that is never held across an await nor during a
/// checkpoint's write.
#[derive(Debug)]
pub(crate) struct StateCore {
    /// `None` once the storage is closed.
    state: RwLock<Option<State>>,
}

/// The state as of one entry.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) overlay: Overlay,
    pub(crate) machine: Machine,
    /// The entry, and the membership then.
    pub(crate) applied: SnapshotMeta,
    /// What the newest frozen layer, on disk or on its way there, stands for.
    frozen_applied: SnapshotMeta,
}

/// A layer on its way to the disk, and what it stands for.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) layer: Arc<Layer>,
    pub(crate) applied: SnapshotMeta,
    pub(crate) tables: Arc<StateTables>,
    /// Whether more had been applied behind it when it was taken up.
    pub(crate) more: bool,
}

impl State {
    /// The state that is on disk.
    pub(crate) fn load(tables: Arc<StateTables>) -> Result<Self, MachineError<TablesError>> {
        let (machine, applied) = {
            let transaction = tables.read()?;
            (Machine::load(&transaction)?, transaction.applied()?)
        };
        let frozen_applied = applied.clone();
        Ok(Self { overlay: Overlay::new(tables), machine, applied, frozen_applied })
    }

    /// Applies one entry. Gives the outcomes of its commands.
    fn apply(&mut self, entry: &Entry) -> Result<Vec<Outcome>, StorageFailure> {
        let log_id = entry.log_id();
        // Without gaps, too, in a cluster; but openraft's own suite of tests leaves some.
        assert!(self.applied.last_log_id < Some(log_id), "entries are applied in order, each once");
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Membership(membership) => {
                self.applied.last_membership = StoredMembership::new(Some(log_id), membership.clone());
                Vec::new()
            }
            EntryPayload::Normal(ProposalBytes(bytes)) => {
                // An unknown command stops the node: to pass it over would make this replica differ.
                let proposal = Proposal::decode(bytes)
                    .map_err(|error| StorageFailure::new("reading a proposal", error))?;
                let applied = self.machine.apply(&mut self.overlay.writer(), &proposal);
                applied.map_err(|error| apply_failure(log_id.index(), error))?
            }
        };
        self.applied.last_log_id = Some(log_id);
        Ok(outcomes)
    }
}

/// Why the entry at `index` was not applied.
fn apply_failure(index: u64, error: MachineError<TablesError>) -> StorageFailure {
    match error {
        MachineError::Diverged { .. } => {
            let reason = format!(
                "at index {index} of the log {error}. Nothing of it is served any more; the log and the vote are kept. \
                 Stop the node and run `quorate repair` on its data directory, or start it with --repair automatic: its \
                 state is then copied from the others. If most of the nodes say this, the leader is the one that \
                 differs: keep all directories until you know"
            );
            StorageFailure {
                cause: FailureCause::Divergence { index },
                ..StorageFailure::new(COMPARING, reason)
            }
        }
        other => machine_failure(APPLYING, other),
    }
}

/// Why the state machine could not do `what`.
pub(crate) fn machine_failure(what: &'static str, error: MachineError<TablesError>) -> StorageFailure {
    match error {
        MachineError::Tables(error) => tables_failure(what, error),
        MachineError::Damaged(_) => StorageFailure::damage(what, error),
        other => StorageFailure::new(what, other),
    }
}

impl StateCore {
    pub(crate) fn new(state: State) -> Self {
        Self { state: RwLock::new(Some(state)) }
    }

    fn read_lock(&self) -> RwLockReadGuard<'_, Option<State>> {
        self.state.read().expect("no code panics while it holds the state")
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, Option<State>> {
        self.state.write().expect("no code panics while it holds the state")
    }

    /// Looks at the state. `None` if the storage is closed.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Option<T> {
        self.read_lock().as_ref().map(look)
    }

    /// Applies one entry. Gives the outcomes of its commands and the memory of the changes that wait to be
    /// checkpointed. After a failure there is no state any more: what an entry has changed by half must
    /// neither be read nor be checkpointed.
    pub(crate) fn apply(&self, entry: &Entry) -> Result<(Vec<Outcome>, u64), StorageFailure> {
        let mut state = self.write_lock();
        let applying = state.as_mut().ok_or_else(closed)?;
        match applying.apply(entry) {
            Ok(outcomes) => Ok((outcomes, applying.overlay.active_bytes())),
            Err(failure) => {
                *state = None;
                Err(failure)
            }
        }
    }

    /// Freezes what was applied since the last time, or gives `None` if nothing was. Only for whoever has
    /// the right to write: then a layer that is still frozen is on nobody's way to the disk, because the one
    /// who froze it has given up, and is taken up again.
    pub(crate) fn freeze(&self) -> Result<Option<Frozen>, StorageFailure> {
        let mut state = self.write_lock();
        let state = state.as_mut().ok_or_else(closed)?;
        let layer = match state.overlay.frozen() {
            Some(left) => left.clone(),
            None if state.frozen_applied == state.applied => return Ok(None),
            None => {
                state.frozen_applied = state.applied.clone();
                state.overlay.freeze()
            }
        };
        let (applied, tables) = (state.frozen_applied.clone(), state.overlay.tables().clone());
        let more = applied != state.applied;
        Ok(Some(Frozen { layer, applied, tables, more }))
    }

    /// The frozen layer is on disk.
    pub(crate) fn thaw(&self) {
        let layer = self.write_lock().as_mut().and_then(|state| state.overlay.thaw());
        // Thousands of records are freed here, outside of the lock.
        drop(layer);
    }

    /// Puts another state in place of this one. Gives the tables of the old one.
    pub(crate) fn replace(&self, state: State) -> Result<Arc<StateTables>, StorageFailure> {
        let mut current = self.write_lock();
        let current = current.as_mut().ok_or_else(closed)?;
        let old = std::mem::replace(current, state);
        Ok(old.overlay.tables().clone())
    }

    /// Lets go of the files.
    pub(crate) fn close(&self) {
        let state = self.write_lock().take();
        drop(state);
    }
}

pub(crate) fn closed() -> StorageFailure {
    StorageFailure::new("using the state", "the storage is closed")
}
