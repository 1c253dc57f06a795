//! Builds a snapshot in a worker of its own, which lives as long as that takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate_consensus::GroupId;
use quorate_environment::{Environment, Worker};
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::format::SnapshotHeader;
use super::shelf::{KeptSnapshot, SnapshotShelf};
use super::writer::{WriteError, write_snapshot};
use crate::directory::IdentityCell;
use crate::failure::StorageFailure;
use crate::state::StateTables;

const BUILDING: &str = "writing a snapshot";

/// Starts to build snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotWriter {
    // Not the directory itself: whoever still holds a builder must not keep it locked.
    identity: IdentityCell,
    group: GroupId,
    shelf: Arc<SnapshotShelf>,
    cancelled: Arc<AtomicBool>,
}

/// One snapshot to build.
pub(crate) struct BuildJob {
    tables: Arc<StateTables>,
    done: oneshot::Sender<Result<KeptSnapshot, StorageFailure>>,
    /// Behind the tables, so that whoever gets the right to build next knows that they are closed.
    guard: OwnedMutexGuard<()>,
}

impl SnapshotWriter {
    pub(crate) fn new(identity: IdentityCell, group: GroupId, shelf: Arc<SnapshotShelf>) -> Self {
        Self { identity, group, shelf, cancelled: Arc::default() }
    }

    /// Starts to build a snapshot of the newest checkpoint.
    pub(crate) fn start<E: Environment>(
        &self,
        environment: &E,
        tables: Arc<StateTables>,
        guard: OwnedMutexGuard<()>,
    ) -> oneshot::Receiver<Result<KeptSnapshot, StorageFailure>> {
        let (done, built) = oneshot::channel();
        let (worker, _finished) = environment.spawn_worker("snapshot", self.clone());
        // A worker that has ended drops the job, which the receiver sees.
        let _ = worker.submit(BuildJob { tables, done, guard });
        built
    }

    /// Gives up what is being built.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn build(&self, tables: &StateTables) -> Result<KeptSnapshot, WriteError> {
        let unfinished = self.shelf.unfinished_path();
        let cluster_id = self.identity.cluster_id();
        let meta = write_snapshot(
            tables,
            &unfinished,
            |machine, meta| SnapshotHeader::new(cluster_id, self.group, machine, meta),
            &self.cancelled,
        )?;
        let kept = self.shelf.publish(&unfinished, &meta)?;
        tracing::info!(path = %kept.file.path().display(), bytes = kept.bytes, "wrote a snapshot");
        Ok(kept)
    }
}

impl Worker for SnapshotWriter {
    type Job = BuildJob;

    fn run(&mut self, jobs: Vec<BuildJob>) {
        for BuildJob { tables, done, guard } in jobs {
            let built = self.build(&tables).map_err(|error| match error {
                WriteError::Io(error) => StorageFailure::io(BUILDING, &error),
                other => StorageFailure::new(BUILDING, other),
            });
            drop(tables);
            drop(guard);
            // Who waited may have gone.
            let _ = done.send(built);
        }
    }
}
