//! The storage of one Raft group on one node, put together.

use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_consensus::{GroupId, LogId, SnapshotFile, SnapshotMeta};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, WorkerFinished};
use tokio::sync::Notify;

use crate::damage_note::DamageNote;
use crate::directory::{DataDirectory, remove_directory};
use crate::error::OpenError;
use crate::failure::{FailureSignal, StorageFailure};
use crate::layout::{LOG, state_directories, state_name};
use crate::log::recovery::{self, OpenedLog};
use crate::log::{LogHandle, LogStore, LogView, LogWorker, LogWriter, SupplyHandle, SupplyWorker};
use crate::options::StorageOptions;
use crate::snapshot::{SnapshotCheck, SnapshotShelf, SnapshotWriter};
use crate::space::DiskSpace;
use crate::state::{
    CheckpointMark, Checkpointer, ScrubProgress, Scrubber, Signals, State, StateCore, StateHandle,
    StateReader, StateStore, StateTables, StateWorker,
};
use crate::status::StorageStatus;

/// Log and state of one group in a data directory.
///
/// Its parts are handed to openraft ([`Storage::log_store`], [`Storage::state_store`]) and to whoever reads
/// ([`Storage::reader`]). Dropping it and all of its parts closes the files, but leaves what could wait
/// unwritten, as a crash would; [`Storage::close`] writes it.
#[derive(Debug)]
pub struct Storage<E: Environment> {
    log: Arc<LogHandle<E>>,
    state: Arc<StateHandle<E>>,
    mark: Arc<CheckpointMark>,
    space: Arc<DiskSpace>,
    scrub: Arc<ScrubProgress>,
    failure: Arc<FailureSignal>,
    options: StorageOptions,
    /// The workers' ends: the state's, the log's, and that of its files, which ends after the log's. Taken
    /// by the first [`Storage::close`].
    finished: Mutex<Option<[WorkerFinished; 3]>>,
}

impl<E: Environment> Storage<E> {
    /// Opens the log and the state of `group` in the directory, and starts their workers.
    pub fn open(
        environment: E,
        directory: &DataDirectory,
        group: GroupId,
        options: StorageOptions,
    ) -> Result<Self, OpenError> {
        refuse_damaged(directory)?;
        let (lock, node_id) = (directory.lock(), directory.node_id());
        let opened = recovery::open(lock, node_id, group, &options)?;
        let state = open_state(directory, group, options.state_map_bytes)?;
        let shelf = Arc::new(SnapshotShelf::open(directory.path())?);
        let purged = opened.files.contents().purged();
        check_connected(directory, &purged, &state.applied.last_log_id, &shelf)?;
        let space = Arc::new(DiskSpace::new(directory.path().to_owned(), options.reserve_bytes));
        space.measure_state(&state.overlay.tables().lmdb);
        let failure = Arc::new(FailureSignal::new(directory.path().to_owned()));
        let mark = Arc::new(CheckpointMark::default());
        mark.set(state.applied.last_log_id);

        let signals = Arc::new(Signals::new(options.checkpoint_bytes));
        let (log, log_finished, supply_finished) = {
            let OpenedLog { files, supply, end, last } = opened;
            let supply_worker = SupplyWorker { supply: supply.clone(), failure: failure.clone() };
            let (jobs, supply_finished) = environment.spawn_worker("log-segments", supply_worker);
            let mut writer = LogWriter::new(files.clone(), end, SupplyHandle { supply, jobs });
            let mut last = last;
            if mutant::active(Mutant::LogTailLost) {
                last = writer.lose_tail(last).map_err(OpenError::io(directory.path()))?;
            }
            writer.tidy(&space, environment.now());
            let view = Arc::new(Mutex::new(LogView::new(files, last, options.tail_bytes_max)));

            let round_done = Arc::new(Notify::new());
            let worker = LogWorker {
                environment: environment.clone(),
                writer,
                view: view.clone(),
                checkpoint: mark.clone(),
                failure: failure.clone(),
                space: space.clone(),
                round_done: round_done.clone(),
                sequence: 0,
            };
            let (jobs, finished) = environment.spawn_worker("log", worker);
            let witness = (environment.clone(), group);
            let handle =
                LogHandle::new(witness, view, jobs, failure.clone(), round_done, signals.clone(), &options);
            (Arc::new(handle), finished, supply_finished)
        };
        let (state, state_finished) = {
            let core = Arc::new(StateCore::new(state));
            let written = Arc::new(Notify::new());
            let identity = directory.identity().clone();
            let snapshots = SnapshotWriter::new(identity, group, shelf.clone(), space.clone());
            let worker = StateWorker {
                core: core.clone(),
                mark: mark.clone(),
                failure: failure.clone(),
                space: space.clone(),
                shelf: shelf.clone(),
                directory: directory.clone(),
                group,
                map_bytes: options.state_map_bytes,
                cancelled: snapshots.cancelled().clone(),
                written: written.clone(),
            };
            let (jobs, finished) = environment.spawn_worker("state", worker);
            let handle = StateHandle {
                environment: environment.clone(),
                group,
                core,
                log: log.clone(),
                jobs: Mutex::new(Some(jobs)),
                failure: failure.clone(),
                signals: signals.clone(),
                shelf,
                snapshots,
                space: space.clone(),
                snapshot_starved: AtomicBool::new(false),
                writing: Arc::default(),
                building: Arc::default(),
                written,
                overlay_bytes_max: options.overlay_bytes_max,
            };
            (Arc::new(handle), finished)
        };
        let checkpointer = Checkpointer {
            environment: environment.clone(),
            signals,
            state: Arc::downgrade(&state),
            log: Arc::downgrade(&log),
            interval: options.checkpoint_interval,
            bytes: options.checkpoint_bytes,
        };
        environment.spawn("checkpointer", checkpointer.run());
        let scrub = Arc::new(ScrubProgress::default());
        let scrubber = Scrubber {
            environment: environment.clone(),
            state: Arc::downgrade(&state),
            progress: scrub.clone(),
            bytes_per_second: options.scrub_bytes_per_second,
            pause: options.scrub_pause,
        };
        environment.spawn("scrub", scrubber.run());
        let finished = Mutex::new(Some([state_finished, log_finished, supply_finished]));
        Ok(Self { log, state, mark, space, scrub, failure, options, finished })
    }

    /// The log, for openraft.
    pub fn log_store(&self) -> LogStore<E> {
        LogStore { handle: self.log.clone() }
    }

    /// The state machine, for openraft.
    pub fn state_store(&self) -> StateStore<E> {
        StateStore { handle: self.state.clone() }
    }

    /// The state, for readers.
    pub fn reader(&self) -> StateReader {
        StateReader::new(self.state.core.clone(), self.failure.clone())
    }

    /// Looks at snapshots of peers before Raft is asked to install them.
    pub fn snapshot_check(&self) -> SnapshotCheck {
        self.state.snapshots.check()
    }

    /// Resolves when the storage has failed for good: the node must stop. Never resolves otherwise.
    pub fn failure(&self) -> impl Future<Output = StorageFailure> + Send + 'static + use<E> {
        let failure = self.failure.clone();
        async move { failure.wait().await }
    }

    /// What has failed for good, if anything has.
    pub fn failed_with(&self) -> Option<StorageFailure> {
        self.failure.get()
    }

    /// The failure after which nothing of the state is served: it is damaged, or is not the leader's.
    pub fn damage(&self) -> Option<StorageFailure> {
        self.failure.damage().cloned()
    }

    /// Whether proposals may be taken: disk, log and state are above their low-water marks. Cheap
    /// while there is room; without it, looks again whether somebody has made some.
    pub fn has_room(&self) -> bool {
        self.look_for_room();
        self.space.has_room()
    }

    /// Whether proposals may be taken that store no values: below the low-water marks, where those that do
    /// are refused, until half of the reserve is used up. Cheap.
    pub fn has_room_for_deletes(&self) -> bool {
        self.look_for_room();
        self.space.has_room_for_deletes()
    }

    fn look_for_room(&self) {
        if self.space.is_log_starved() && self.space.may_retry_log(self.log.now()) {
            // Has the log look again: somebody may have made room. A closed storage need not look.
            let _ = self.log.request_sync();
        }
    }

    /// Whether the log behind the newest snapshot has come to `percent` of what makes another due, or of the least that
    /// does if the disk would have no room for one any more by then; and the disk has room for it now.
    pub fn snapshot_due(&self, percent: u64) -> bool {
        let newest_bytes = self.state.shelf.current().map_or(0, |kept| kept.bytes);
        let log_bytes = self.log_bytes_since_snapshot();
        let rest_bytes = self.options.log_until_snapshot(log_bytes, newest_bytes, percent);
        rest_bytes.is_some_and(|rest_bytes| self.state.snapshot_room().is_due(rest_bytes))
            && self.state.has_room_for_snapshot()
    }

    /// Reads the newest snapshot to its end, and if it is damaged, writes another in its place: for when a
    /// peer has refused it. Returns when that is done. A damaged one stays while the disk has no room for
    /// another. Fails if the storage is closed or has failed for good.
    pub async fn recheck_snapshot(&self) -> Result<(), StorageFailure> {
        self.state.recheck_snapshot().await
    }

    /// The newest snapshot, and how many bytes it has: for those who ask for one.
    pub fn newest_snapshot(&self) -> Option<(SnapshotMeta, SnapshotFile, u64)> {
        let kept = self.state.shelf.current()?;
        Some((kept.meta, kept.file, kept.bytes))
    }

    /// Up to which index the log should be purged now, if at all: what the newest snapshot covers, less
    /// what is kept for nodes that were away for a moment.
    pub fn purge_due(&self) -> Option<u64> {
        let snapshot = self.state.shelf.current()?.meta.last_log_id?.index();
        let view = self.log.lock_view();
        let index = snapshot.min(view.index_before_last(self.options.log_keep_bytes)?);
        (index >= view.first_index()).then_some(index)
    }

    fn log_bytes_since_snapshot(&self) -> u64 {
        let snapshot = self.state.shelf.current().and_then(|kept| kept.meta.last_log_id);
        self.log.lock_view().bytes_after(snapshot.map(|log_id| log_id.index()))
    }

    /// How the storage is doing.
    pub fn status(&self) -> StorageStatus {
        let kept = self.state.shelf.current();
        let snapshot = kept.as_ref().and_then(|kept| kept.meta.last_log_id);
        let state = self.state.core.read(|state| (state.applied.last_log_id, state.overlay.bytes()));
        let (applied, overlay_bytes) = state.unwrap_or_default();
        let has_room = self.has_room();
        let view = self.log.lock_view();
        let flushes = view.flushes();
        StorageStatus {
            log_first_index: view.first_index(),
            log_last: view.last(),
            log_bytes: view.bytes_after(view.first_index().checked_sub(1)),
            log_bytes_since_snapshot: view.bytes_after(snapshot.map(|log_id| log_id.index())),
            log_unflushed_bytes: view.unflushed_bytes(),
            flush_count: flushes.count,
            flushed_bytes: flushes.bytes,
            flush_last: flushes.last,
            flush_total: flushes.total,
            applied,
            checkpoint: self.mark.get(),
            overlay_bytes,
            snapshot,
            snapshot_bytes: kept.map_or(0, |kept| kept.bytes),
            disk_free_bytes: self.space.disk_free_bytes(),
            has_room,
            scrub: self.scrub.get(),
            failure: self.failure.get(),
        }
    }

    /// Writes a checkpoint now. Returns when it is on disk.
    pub async fn checkpoint(&self) -> Result<(), StorageFailure> {
        self.state.checkpoint().await
    }

    /// Writes what could wait until now, and closes the files, whoever still holds a part of this. To be
    /// called when Raft has been shut down. Calls after the first do nothing.
    pub async fn close(&self) -> Result<(), StorageFailure> {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(finished) = finished else { return Ok(()) };
        self.state.snapshots.cancel();
        let building = self.state.building.clone().lock_owned().await;
        // What a failure left unwritten stays unwritten.
        let written = match self.state.checkpoint().await {
            Ok(()) => self.log.sync().await,
            failed => failed,
        };
        drop(building);
        self.state.close();
        self.log.close();
        for worker in finished {
            worker.await;
        }
        written
    }
}

/// Refuses a state that was found to be damaged, whoever found it.
fn refuse_damaged(directory: &DataDirectory) -> Result<(), OpenError> {
    let path = directory.path().to_owned();
    match DamageNote::read(&path)? {
        None => Ok(()),
        Some(DamageNote { reason, is_requested, .. }) => {
            Err(OpenError::NeedsRepair { path, reason, is_requested })
        }
    }
}

/// Opens the newest state and removes what is left of others.
fn open_state(directory: &DataDirectory, group: GroupId, map_bytes: u64) -> Result<State, OpenError> {
    let root = directory.path();
    let (mut finished, unfinished) = state_directories(root).map_err(OpenError::io(root))?;
    let name = finished.pop().map(state_name).ok_or_else(|| OpenError::missing(root, &state_name(0)))?;
    let tables = StateTables::open(directory.lock(), &name, map_bytes, directory.node_id(), group)?;
    let state =
        State::load(Arc::new(tables)).map_err(|error| OpenError::damaged(root, &name, error.to_string()))?;
    for other in finished.into_iter().map(state_name).chain(unfinished) {
        remove_directory(&root.join(other))?;
    }
    Ok(state)
}

/// Checks that what the log no longer holds is in the state, or in a snapshot that Raft installs first.
fn check_connected(
    directory: &DataDirectory,
    purged: &Option<LogId>,
    applied: &Option<LogId>,
    shelf: &SnapshotShelf,
) -> Result<(), OpenError> {
    let snapshot = shelf.current().and_then(|kept| kept.meta.last_log_id);
    if *purged <= *applied || *purged <= snapshot {
        return Ok(());
    }
    let reason = format!("the log is purged up to {purged:?}, but the state ends at {applied:?}");
    Err(OpenError::damaged(directory.path(), LOG, reason))
}
