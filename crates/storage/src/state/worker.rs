//! Writes the state to disk: checkpoints and installed snapshots.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quorate_consensus::{GroupId, SnapshotFile, SnapshotMeta};
use quorate_environment::Worker;
use quorate_environment::mutant::{self, Mutant};
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::applied_state::{Frozen, StateCore, closed};
use super::mark::CheckpointMark;
use super::tables::TablesError;
use crate::directory::DataDirectory;
use crate::failure::{FailureSignal, StorageFailure};
use crate::snapshot::SnapshotShelf;
use crate::space::DiskSpace;

/// A write of the state. Comes with the right to write: nothing else is frozen or installed until the
/// guard is dropped.
pub(crate) enum StateJob {
    /// Writes a frozen layer.
    Checkpoint { frozen: Frozen, done: Done, guard: OwnedMutexGuard<()> },
    /// Replaces the state by a snapshot.
    Install { meta: SnapshotMeta, file: SnapshotFile, done: Done, guard: OwnedMutexGuard<()> },
}

/// Who waits for a job.
pub(crate) type Done = oneshot::Sender<Result<(), StorageFailure>>;

/// Why a job was not done.
pub(crate) enum JobError {
    /// The storage is being closed.
    Cancelled,
    /// The storage can no longer be trusted.
    Failed(StorageFailure),
}

impl From<StorageFailure> for JobError {
    fn from(failure: StorageFailure) -> Self {
        JobError::Failed(failure)
    }
}

/// What the worker works with.
pub(crate) struct StateWorker {
    pub(crate) core: Arc<StateCore>,
    pub(crate) mark: Arc<CheckpointMark>,
    pub(crate) failure: Arc<FailureSignal>,
    pub(crate) space: Arc<DiskSpace>,
    pub(crate) shelf: Arc<SnapshotShelf>,
    pub(crate) directory: DataDirectory,
    pub(crate) group: GroupId,
    pub(crate) map_bytes: u64,
    /// Set when an install is to be given up.
    pub(crate) cancelled: Arc<AtomicBool>,
    /// Told after each job, for those who wait for memory.
    pub(crate) written: Arc<Notify>,
}

impl Worker for StateWorker {
    type Job = StateJob;

    fn run(&mut self, jobs: Vec<StateJob>) {
        for job in jobs {
            let (result, done, guard) = match job {
                StateJob::Checkpoint { frozen, done, guard } => {
                    (self.guarded(|it| Ok(it.checkpoint(frozen)?)), done, guard)
                }
                StateJob::Install { meta, file, done, guard } => {
                    (self.guarded(|it| it.install(&meta, file)), done, guard)
                }
            };
            drop(guard);
            // Who waited may have gone.
            let _ = done.send(result);
            self.written.notify_waiters();
        }
    }
}

impl StateWorker {
    /// Does a piece of work, unless something has failed before. Announces its failure; that it was given
    /// up is none.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), JobError>,
    ) -> Result<(), StorageFailure> {
        self.failure.check()?;
        match work(self) {
            Ok(()) => Ok(()),
            Err(JobError::Cancelled) => Err(closed()),
            Err(JobError::Failed(failure)) => {
                self.failure.report(failure.clone());
                Err(failure)
            }
        }
    }

    fn checkpoint(&mut self, frozen: Frozen) -> Result<(), StorageFailure> {
        let _span = tracing::debug_span!("checkpoint").entered();
        write_checkpoint(&frozen).map_err(|error| tables_failure("writing a checkpoint", error))?;
        self.core.thaw();
        self.mark.set(frozen.applied.last_log_id);
        self.space.measure_disk();
        self.space.measure_state(&frozen.tables.lmdb);
        Ok(())
    }
}

/// Writes the changes, and the moment that they lead up to, in one transaction.
fn write_checkpoint(frozen: &Frozen) -> Result<(), TablesError> {
    let mut transaction = frozen.tables.write()?;
    if mutant::active(Mutant::CheckpointApart) {
        // The mutant: a crash between the two leaves a state that claims more than it has.
        transaction.put_applied(&frozen.applied)?;
        transaction.commit()?;
        transaction = frozen.tables.write()?;
    }
    transaction.put_layer(&frozen.layer)?;
    transaction.put_applied(&frozen.applied)?;
    transaction.commit()
}

pub(crate) fn tables_failure(what: &'static str, error: TablesError) -> StorageFailure {
    match error {
        TablesError::Lmdb(error) => StorageFailure::lmdb(what, &error),
        TablesError::Applied(_) => StorageFailure::damage(what, error),
        other => StorageFailure::new(what, other),
    }
}
