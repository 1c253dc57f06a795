//! Writing the log.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use quorate_consensus::{Entry, GroupId, LogId, RaftTypes, Vote};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Fact, Moment, WorkerHandle};
use tokio::sync::{Notify, oneshot};

use super::reader::LogReader;
use super::view::{LogView, lock};
use super::worker::LogJob;
use crate::failure::{FailureSignal, StorageFailure};
use crate::state::Signals;

/// The Raft log, as openraft writes it. Clones write the same log.
#[derive(Debug)]
pub struct LogStore<E: Environment> {
    pub(crate) handle: Arc<LogHandle<E>>,
}

impl<E: Environment> Clone for LogStore<E> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone() }
    }
}

/// The way to the log's view and worker.
pub(crate) struct LogHandle<E: Environment> {
    environment: E,
    group: GroupId,
    pub(crate) view: Arc<Mutex<LogView>>,
    /// `None` once the storage is closed. Locked over both the change of the view and the job that
    /// follows from it, so that jobs are queued in the order of the view's changes.
    jobs: Mutex<Option<WorkerHandle<LogJob<E>>>>,
    failure: Arc<FailureSignal>,
    round_done: Arc<Notify>,
    signals: Arc<Signals>,
    unflushed_bytes_max: u64,
    batch_bytes_max: u64,
}

impl<E: Environment> std::fmt::Debug for LogHandle<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LogHandle").finish_non_exhaustive()
    }
}

impl<E: Environment> LogHandle<E> {
    pub(crate) fn new(
        (environment, group): (E, GroupId),
        view: Arc<Mutex<LogView>>,
        jobs: WorkerHandle<LogJob<E>>,
        failure: Arc<FailureSignal>,
        round_done: Arc<Notify>,
        signals: Arc<Signals>,
        options: &crate::StorageOptions,
    ) -> Self {
        let (unflushed_bytes_max, batch_bytes_max) =
            (options.unflushed_bytes_max, options.read_batch_bytes_max);
        let jobs = Mutex::new(Some(jobs));
        Self {
            environment,
            group,
            view,
            jobs,
            failure,
            round_done,
            signals,
            unflushed_bytes_max,
            batch_bytes_max,
        }
    }

    /// The environment's monotonic clock.
    pub(crate) fn now(&self) -> Moment {
        self.environment.now()
    }

    /// Lets the world witness a vote that has been written down.
    fn voted(&self, vote: &Vote) {
        self.environment.witness(|| {
            let candidate = vote.leader_id.voted_for;
            Some(Fact::Voted {
                group: self.group.0,
                term: vote.leader_id.term,
                candidate: (candidate.member, candidate.incarnation),
                leads: vote.committed,
            })
        });
    }

    /// Changes the view and queues the job that follows from the change, if one does.
    fn change(&self, change: impl FnOnce(&mut LogView) -> Option<LogJob<E>>) -> Result<(), StorageFailure> {
        self.failure.check()?;
        let jobs = self.jobs.lock().expect("no code panics while it holds the log's queue");
        let queue = jobs.as_ref().ok_or_else(closed)?;
        let job = change(&mut lock(&self.view));
        match job {
            Some(job) => queue.submit(job).map_err(|_| closed()),
            None => Ok(()),
        }
    }

    pub(crate) fn lock_view(&self) -> MutexGuard<'_, LogView> {
        lock(&self.view)
    }

    /// Whether a purge waits to be written.
    pub(crate) fn has_pending_purge(&self) -> bool {
        self.lock_view().has_pending_purge()
    }

    /// Waits until few enough entries are on their way to the disk.
    async fn wait_for_room(&self) -> Result<(), StorageFailure> {
        loop {
            let mut round_done = std::pin::pin!(self.round_done.notified());
            round_done.as_mut().enable();
            self.failure.check()?;
            if lock(&self.view).unflushed_bytes() <= self.unflushed_bytes_max {
                return Ok(());
            }
            round_done.await;
        }
    }

    /// Waits until every entry up to `index` is on disk.
    pub(crate) async fn await_flushed(&self, index: u64) -> Result<(), StorageFailure> {
        loop {
            let mut round_done = std::pin::pin!(self.round_done.notified());
            round_done.as_mut().enable();
            self.failure.check()?;
            if lock(&self.view).is_flushed(index) {
                return Ok(());
            }
            round_done.await;
        }
    }

    /// Asks for a round that writes what could wait until now, without waiting for it.
    pub(crate) fn request_sync(&self) -> Result<(), StorageFailure> {
        self.change(|_| Some(LogJob::Sync { done: None }))
    }

    /// Writes what could wait until now.
    pub(crate) async fn sync(&self) -> Result<(), StorageFailure> {
        let (done, written) = oneshot::channel();
        self.change(|_| Some(LogJob::Sync { done: Some(done) }))?;
        written.await.map_err(|_| closed())?
    }

    /// Refuses everything from now on and lets go of the files; the worker ends when it has written what
    /// was queued.
    pub(crate) fn close(&self) {
        *self.jobs.lock().expect("no code panics while it holds the log's queue") = None;
        lock(&self.view).close();
    }
}

fn closed() -> StorageFailure {
    StorageFailure::new("writing the log", "the storage is closed")
}

impl<E: Environment> RaftLogStorage<RaftTypes<E::Runtime>> for LogStore<E> {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<RaftTypes<E::Runtime>>, io::Error> {
        let view = lock(&self.handle.view);
        Ok(LogState { last_purged_log_id: view.purged(), last_log_id: view.last() })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader::new(self.handle.view.clone(), self.handle.batch_bytes_max)
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        if mutant::active(Mutant::VoteNotSaved) {
            lock(&self.handle.view).set_vote(*vote);
            self.handle.voted(vote);
            return Ok(());
        }
        let (done, flushed) = oneshot::channel();
        self.handle.change(|view| {
            view.set_vote(*vote);
            Some(LogJob::Vote { vote: *vote, done })
        })?;
        flushed.await.map_err(|_| closed())??;
        self.handle.voted(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        Ok(self.handle.change(|view| {
            view.set_committed(committed);
            None
        })?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(lock(&self.handle.view).committed())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        mut flushed: IOFlushed<RaftTypes<E::Runtime>>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.handle.wait_for_room().await?;
        if mutant::active(Mutant::AcknowledgeBeforeFlush) {
            std::mem::replace(&mut flushed, IOFlushed::noop()).io_completed(Ok(()));
        }
        Ok(self.handle.change(|view| {
            let (sequence, bytes) = view.append(&entries);
            Some(LogJob::Append { entries, sequence, bytes, flushed })
        })?)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        Ok(self.handle.change(|view| {
            let (sequence, from) = view.truncate_after(last)?;
            Some(LogJob::Truncate { from, sequence })
        })?)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.handle.change(|view| {
            let sequence = view.purge(log_id)?;
            Some(LogJob::Purge { log_id, sequence })
        })?;
        // If no write comes that it could ride along with, the checkpointer will see to it.
        self.handle.signals.changed();
        Ok(())
    }
}
