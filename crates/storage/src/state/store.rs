//! The state machine and its snapshots, as openraft drives them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::{Stream, TryStreamExt};
use openraft::OptionalSend;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft_rt::AsyncRuntime;
use quorate_consensus::{
    CommittedLeaderId, Entry, EntryPayload, GroupId, LogId, Member, NodeId, ProposalOutcomes, RaftTypes,
    SnapshotFile, SnapshotMeta, StoredMembership,
};
use quorate_environment::{Environment, Fact, WorkerHandle};
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};

use super::applied_state::{State, StateCore, closed};
use super::checkpoint::Signals;
use super::mutated_time::MutatedTime;
use super::worker::StateJob;
use crate::failure::{FailureSignal, StorageFailure};
use crate::log::LogHandle;
use crate::snapshot::{BuildError, SnapshotRoom, SnapshotShelf, SnapshotWriter, remove_slowly};
use crate::space::DiskSpace;

/// A snapshot in openraft's terms.
type RaftSnapshot = Snapshot<CommittedLeaderId, NodeId, Member, SnapshotFile>;

/// The state machine on this node's storage. Clones share it.
#[derive(Debug)]
pub struct StateStore<E: Environment> {
    pub(crate) handle: Arc<StateHandle<E>>,
}

impl<E: Environment> Clone for StateStore<E> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone() }
    }
}

/// The way to the state and its worker.
pub(crate) struct StateHandle<E: Environment> {
    pub(crate) environment: E,
    pub(crate) group: GroupId,
    pub(crate) core: Arc<StateCore>,
    pub(crate) log: Arc<LogHandle<E>>,
    /// `None` once the storage is closed.
    pub(crate) jobs: Mutex<Option<WorkerHandle<StateJob>>>,
    pub(crate) failure: Arc<FailureSignal>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) shelf: Arc<SnapshotShelf>,
    pub(crate) snapshots: SnapshotWriter,
    pub(crate) space: Arc<DiskSpace>,
    /// Whether there was no room for a snapshot when last looked.
    pub(crate) snapshot_starved: AtomicBool,
    /// The right to freeze and to write.
    pub(crate) writing: Arc<AsyncMutex<()>>,
    /// The right to write a snapshot file.
    pub(crate) building: Arc<AsyncMutex<()>>,
    pub(crate) written: Arc<Notify>,
    pub(crate) overlay_bytes_max: u64,
}

impl<E: Environment> std::fmt::Debug for StateHandle<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StateHandle").finish_non_exhaustive()
    }
}

impl<E: Environment> Drop for StateHandle<E> {
    fn drop(&mut self) {
        self.signals.close();
    }
}

impl<E: Environment> StateHandle<E> {
    fn submit(&self, job: StateJob) -> Result<(), StorageFailure> {
        let jobs = self.jobs.lock().expect("no code panics while it holds the state's queue");
        jobs.as_ref().ok_or_else(closed)?.submit(job).map_err(|_| closed())
    }

    /// Lets the world witness that an entry has been applied.
    fn applied(&self, entry: &Entry) {
        self.environment.witness(|| {
            Some(Fact::Applied {
                group: self.group.0,
                term: entry.log_id.committed_leader_id().term,
                index: entry.log_id.index(),
                proposal: match &entry.payload {
                    EntryPayload::Normal(proposal) => &proposal.0,
                    EntryPayload::Blank | EntryPayload::Membership(_) => &[],
                },
            })
        });
        self.stands();
    }

    /// Lets the world witness where the state stands.
    fn stands(&self) {
        let stands = |state: &State| {
            let (log_id, summary) = (state.applied.last_log_id?, state.machine.summary());
            Some(Fact::Stands {
                group: self.group.0,
                term: log_id.committed_leader_id().term,
                index: log_id.index(),
                revision: summary.revision,
                digest: summary.digest,
            })
        };
        // A storage that is closed stands nowhere.
        self.environment.witness(|| self.core.read(stands).flatten());
    }

    /// Writes all that is applied to disk. Returns when it is there. May be dropped at any point.
    pub(crate) async fn checkpoint(&self) -> Result<(), StorageFailure> {
        // The first may be what somebody else had begun to write who gave up.
        while self.write_frozen().await? {}
        Ok(())
    }

    /// Writes what is frozen, or what is applied now, to disk. Gives whether more had been applied by then.
    ///
    /// What is applied is committed, which other nodes' disks may have seen to while this node's log is
    /// still on its way. The log goes first: after a power loss, a state that is ahead of its log would
    /// leave Raft with a log that ends before what it has applied.
    async fn write_frozen(&self) -> Result<bool, StorageFailure> {
        let guard = self.writing.clone().lock_owned().await;
        self.failure.check()?;
        let Some(frozen) = self.core.freeze()? else { return Ok(false) };
        let more = frozen.more;
        if let Some(applied) = &frozen.applied.last_log_id {
            self.log.await_flushed(applied.index()).await?;
        }
        let (done, written) = oneshot::channel();
        self.submit(StateJob::Checkpoint { frozen, done, guard })?;
        written.await.map_err(|_| closed())??;
        Ok(more)
    }

    /// Waits until the changes in memory have room for more.
    async fn wait_for_room(&self) -> Result<(), StorageFailure> {
        loop {
            let mut written = std::pin::pin!(self.written.notified());
            written.as_mut().enable();
            self.failure.check()?;
            let bytes = self.core.read(|state| state.overlay.bytes()).ok_or_else(closed)?;
            if bytes <= self.overlay_bytes_max {
                return Ok(());
            }
            self.signals.changed();
            self.signals.press();
            let _ = E::Runtime::select2(written, self.failure.wait()).await;
        }
    }

    /// Refuses everything from now on and lets go of the files.
    pub(crate) fn close(&self) {
        self.signals.close();
        *self.jobs.lock().expect("no code panics while it holds the state's queue") = None;
        self.core.close();
    }

    /// What there is and what it takes for a snapshot beside the one that it replaces.
    pub(crate) fn snapshot_room(&self) -> SnapshotRoom {
        let found = self.core.read(|state| (state.overlay.tables().clone(), state.overlay.bytes()));
        // A closed storage makes none.
        let Some((tables, overlay_bytes)) = found else {
            return SnapshotRoom { free_bytes: 0, wanted_bytes: 1 };
        };
        let state_bytes = tables.stored_bytes().unwrap_or_else(|error| {
            tracing::warn!(%error, "how much is stored is not known; all that ever was is counted");
            tables.lmdb.used_bytes()
        });
        SnapshotRoom {
            free_bytes: self.space.disk_free_bytes_now(),
            wanted_bytes: self.space.with_reserve(state_bytes.saturating_add(overlay_bytes)),
        }
    }

    /// Whether the disk has room for a snapshot beside the one that it replaces. Says so once if it has not.
    pub(crate) fn has_room_for_snapshot(&self) -> bool {
        let room = self.snapshot_room();
        let has_room = room.is_enough();
        if !self.snapshot_starved.swap(!has_room, Ordering::Relaxed) && !has_room {
            let SnapshotRoom { free_bytes, wanted_bytes } = room;
            tracing::warn!(free_bytes, wanted_bytes, "the disk has no room for a snapshot; the log grows");
        }
        has_room
    }

    /// Writes a snapshot of what is applied, unless there is one already. If there is no room for it, gives
    /// the one before it; if there is none either, an empty one, in which Raft sees nothing new, unless
    /// a snapshot is `required`.
    async fn build_snapshot(&self, required: bool) -> Result<RaftSnapshot, StorageFailure> {
        let guard = self.building.clone().lock_owned().await;
        self.checkpoint().await?;
        let found = self.core.read(|state| (state.applied.last_log_id, state.overlay.tables().clone()));
        let (last_log_id, tables) = found.ok_or_else(closed)?;
        if let Some(current) = self.shelf.current().filter(|current| current.covers(&last_log_id)) {
            return Ok(current.into());
        }
        let written = self.snapshots.start(&self.environment, tables, guard);
        match written.await.map_err(|_| closed())? {
            Ok(built) => {
                self.remove_retired();
                Ok(built.into())
            }
            // For Raft, a snapshot that cannot be written is a broken disk. This one is only full.
            Err(BuildError::NoRoom(failure)) => {
                tracing::warn!(%failure, "the disk had no room for a snapshot; the log grows");
                match self.shelf.current() {
                    Some(current) => Ok(current.into()),
                    None if required => Err(failure),
                    None => {
                        let nothing = SnapshotFile::keep(self.shelf.unfinished_path());
                        Ok(Snapshot { meta: SnapshotMeta::default(), snapshot: nothing })
                    }
                }
            }
            Err(BuildError::Cancelled) => Err(closed()),
            Err(BuildError::Failed(failure)) => {
                self.failure.report(failure.clone());
                Err(failure)
            }
        }
    }

    /// Begins to remove the snapshots that have been replaced.
    fn remove_retired(&self) {
        for path in self.shelf.take_retired() {
            let removal = remove_slowly(self.environment.clone(), path, self.snapshots.cancelled().clone());
            self.environment.spawn("snapshot-removal", removal);
        }
    }

    /// Reads the newest snapshot to its end, and if it is damaged, writes another in its place.
    pub(crate) async fn recheck_snapshot(&self) -> Result<(), StorageFailure> {
        let guard = self.building.clone().lock_owned().await;
        let Some(current) = self.shelf.current() else { return Ok(()) };
        let verified = self.snapshots.verify(&self.environment, current.file.clone(), guard);
        let Err(error) = verified.await.map_err(|_| closed())? else { return Ok(()) };
        tracing::error!(path = %current.file.path().display(), %error, "a snapshot is replaced");
        self.shelf.condemn(&current.file);
        self.build_snapshot(true).await.map(drop)
    }
}

impl From<crate::snapshot::KeptSnapshot> for RaftSnapshot {
    fn from(kept: crate::snapshot::KeptSnapshot) -> Self {
        Snapshot { meta: kept.meta, snapshot: kept.file }
    }
}

impl<E: Environment> RaftStateMachine<RaftTypes<E::Runtime>> for StateStore<E> {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder<E>;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let applied = self.handle.core.read(|state| state.applied.clone()).ok_or_else(closed)?;
        Ok((applied.last_log_id, applied.last_membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<RaftTypes<E::Runtime>>, io::Error>> + Unpin + OptionalSend,
    {
        let handle = &self.handle;
        let mut mutated_time = MutatedTime::default();
        while let Some((entry, responder)) = entries.try_next().await? {
            handle.wait_for_room().await?;
            let timed = mutated_time.entry(&entry, &handle.environment)?;
            let applied = handle.core.apply(&timed);
            let (outcomes, bytes) = applied.inspect_err(|failure| handle.failure.report(failure.clone()))?;
            handle.applied(&entry);
            handle.signals.applied(bytes);
            if let Some(responder) = responder {
                responder.send(ProposalOutcomes(outcomes));
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<SnapshotBuilder<E>> {
        let possible = force || self.handle.has_room_for_snapshot();
        possible.then(|| SnapshotBuilder { handle: self.handle.clone(), required: force })
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder<E> {
        SnapshotBuilder { handle: self.handle.clone(), required: true }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, file: SnapshotFile) -> Result<(), io::Error> {
        let guard = self.handle.writing.clone().lock_owned().await;
        // As in a checkpoint, the log goes first: one that lost its end in a power loss would go on behind
        // the state with entries of which others know better.
        self.handle.log.sync().await?;
        let (done, installed) = oneshot::channel();
        self.handle.submit(StateJob::Install { meta: meta.clone(), file, done, guard })?;
        installed.await.map_err(|_| closed())??;
        self.handle.remove_retired();
        self.handle.stands();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<RaftSnapshot>, io::Error> {
        Ok(self.handle.shelf.current().map(Into::into))
    }
}

/// Builds snapshots in the background.
#[derive(Debug)]
pub struct SnapshotBuilder<E: Environment> {
    handle: Arc<StateHandle<E>>,
    /// Raft cannot go on without a snapshot.
    required: bool,
}

impl<E: Environment> RaftSnapshotBuilder<RaftTypes<E::Runtime>> for SnapshotBuilder<E> {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<RaftSnapshot, io::Error> {
        Ok(self.handle.build_snapshot(self.required).await?)
    }
}
