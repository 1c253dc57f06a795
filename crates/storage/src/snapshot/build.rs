//! Builds a snapshot in a worker of its own, which lives as long as that takes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate_consensus::{GroupId, SnapshotFile};
use quorate_environment::{Environment, Worker};
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::check::SnapshotCheck;
use super::format::SnapshotHeader;
use super::reader::{SnapshotError, SnapshotReader};
use super::shelf::{KeptSnapshot, SnapshotShelf};
use super::writer::{WriteError, write_snapshot};
use crate::directory::IdentityCell;
use crate::failure::StorageFailure;
use crate::space::DiskSpace;
use crate::state::{StateTables, machine_failure};

const BUILDING: &str = "writing a snapshot";

/// Starts to build snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotWriter {
    // Not the directory itself: whoever still holds a builder must not keep it locked.
    identity: IdentityCell,
    group: GroupId,
    shelf: Arc<SnapshotShelf>,
    space: Arc<DiskSpace>,
    cancelled: Arc<AtomicBool>,
}

/// Why no snapshot was built.
#[derive(Clone, Debug)]
pub(crate) enum BuildError {
    /// The storage is being closed.
    Cancelled,
    /// It did not fit on the disk. What was written of it is gone again.
    NoRoom(StorageFailure),
    /// The storage can no longer be trusted.
    Failed(StorageFailure),
}

/// Something to do for a snapshot. Whoever gets the right to build next knows by the guard, which is
/// dropped behind everything else, that the files are closed.
pub(crate) enum SnapshotJob {
    /// Writes one.
    Build {
        tables: Arc<StateTables>,
        done: oneshot::Sender<Result<KeptSnapshot, BuildError>>,
        guard: OwnedMutexGuard<()>,
    },
    /// Reads one to its end.
    Verify {
        file: SnapshotFile,
        done: oneshot::Sender<Result<(), SnapshotError>>,
        guard: OwnedMutexGuard<()>,
    },
}

impl SnapshotWriter {
    pub(crate) fn new(
        identity: IdentityCell,
        group: GroupId,
        shelf: Arc<SnapshotShelf>,
        space: Arc<DiskSpace>,
    ) -> Self {
        Self { identity, group, shelf, space, cancelled: Arc::default() }
    }

    /// Starts to build a snapshot of the newest checkpoint.
    pub(crate) fn start<E: Environment>(
        &self,
        environment: &E,
        tables: Arc<StateTables>,
        guard: OwnedMutexGuard<()>,
    ) -> oneshot::Receiver<Result<KeptSnapshot, BuildError>> {
        let (done, built) = oneshot::channel();
        self.submit(environment, SnapshotJob::Build { tables, done, guard });
        built
    }

    /// Starts to read a snapshot to its end.
    pub(crate) fn verify<E: Environment>(
        &self,
        environment: &E,
        file: SnapshotFile,
        guard: OwnedMutexGuard<()>,
    ) -> oneshot::Receiver<Result<(), SnapshotError>> {
        let (done, verified) = oneshot::channel();
        self.submit(environment, SnapshotJob::Verify { file, done, guard });
        verified
    }

    fn submit<E: Environment>(&self, environment: &E, job: SnapshotJob) {
        let builder = SnapshotBuilder { writer: self.clone(), environment: environment.clone() };
        let (worker, _finished) = environment.spawn_worker("snapshot", builder);
        // A worker that has ended drops the job, which the receiver sees.
        let _ = worker.submit(job);
    }

    /// What looks at snapshots of peers.
    pub(crate) fn check(&self) -> SnapshotCheck {
        SnapshotCheck::new(self.identity.clone(), self.group, self.space.clone())
    }

    /// Gives up what is being built or installed.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Set when what is being built or installed is to be given up.
    pub(crate) fn cancelled(&self) -> &Arc<AtomicBool> {
        &self.cancelled
    }

    fn build<E: Environment>(
        &self,
        tables: &StateTables,
        environment: &E,
    ) -> Result<KeptSnapshot, BuildError> {
        let _span = tracing::debug_span!("build_snapshot").entered();
        let unfinished = self.shelf.unfinished_path();
        let io_failed = |error| BuildError::Failed(StorageFailure::io(BUILDING, &error));
        let cluster_id = self.identity.cluster_id();
        let header = |machine: &_, meta| SnapshotHeader::new(cluster_id, self.group, machine, meta);
        let meta = match write_snapshot(tables, &unfinished, header, &self.cancelled, environment) {
            Ok(meta) => meta,
            Err(WriteError::Cancelled) => return Err(BuildError::Cancelled),
            Err(WriteError::Io(error)) if StorageFailure::is_disk_full(&error) => {
                fs::remove_file(&unfinished).map_err(io_failed)?;
                return Err(BuildError::NoRoom(StorageFailure::io(BUILDING, &error)));
            }
            Err(WriteError::Io(error)) => return Err(io_failed(error)),
            Err(WriteError::State(error)) => {
                return Err(BuildError::Failed(machine_failure(BUILDING, error)));
            }
            Err(error @ WriteError::Record { .. }) => {
                return Err(BuildError::Failed(StorageFailure::damage(BUILDING, error)));
            }
        };
        let kept = self.shelf.publish(&unfinished, &meta).map_err(io_failed)?;
        tracing::info!(path = %kept.file.path().display(), bytes = kept.bytes, "wrote a snapshot");
        Ok(kept)
    }
}

/// The worker.
struct SnapshotBuilder<E> {
    writer: SnapshotWriter,
    environment: E,
}

impl<E: Environment> Worker for SnapshotBuilder<E> {
    type Job = SnapshotJob;

    fn run(&mut self, jobs: Vec<SnapshotJob>) {
        // Who waited may have gone.
        for job in jobs {
            match job {
                SnapshotJob::Build { tables, done, guard } => {
                    let built = self.writer.build(&tables, &self.environment);
                    drop(tables);
                    drop(guard);
                    let _ = done.send(built);
                }
                SnapshotJob::Verify { file, done, guard } => {
                    let verified = SnapshotReader::verify(file.path()).map(drop);
                    drop(file);
                    drop(guard);
                    let _ = done.send(verified);
                }
            }
        }
    }
}
