//! Writes the log to disk, a round at a time.

use std::sync::{Arc, Mutex};

use openraft::storage::IOFlushed;
use quorate_consensus::{Entry, LogId, RaftTypes, Vote};
use quorate_environment::{Environment, Worker};
use tokio::sync::{Notify, oneshot};

use super::format::Records;
use super::view::{LazyRecords, LogView, lock};
use super::writer::LogWriter;
use crate::failure::{FailureSignal, StorageFailure};
use crate::space::DiskSpace;
use crate::state::CheckpointMark;

const FLUSHING: &str = "flushing the log";

/// A write, in the order in which the view took it.
pub(crate) enum LogJob<E: Environment> {
    /// New entries behind the last one.
    Append { entries: Vec<Entry>, sequence: u64, bytes: u64, flushed: IOFlushed<RaftTypes<E::Runtime>> },
    /// A vote, which somebody waits for.
    Vote { vote: Vote, done: oneshot::Sender<Result<(), StorageFailure>> },
    /// The entries from `from` on are gone.
    Truncate { from: u64, sequence: u64 },
    /// The entries up to `log_id` are gone, and the log goes on behind it.
    Purge { log_id: LogId, sequence: u64 },
    /// Writes what could wait until now.
    Sync { done: Option<oneshot::Sender<Result<(), StorageFailure>>> },
}

/// What the worker works with.
pub(crate) struct LogWorker<E: Environment> {
    pub(crate) environment: E,
    pub(crate) writer: LogWriter,
    pub(crate) view: Arc<Mutex<LogView>>,
    pub(crate) checkpoint: Arc<CheckpointMark>,
    pub(crate) failure: Arc<FailureSignal>,
    pub(crate) space: Arc<DiskSpace>,
    /// Told after each round, for those who wait until less is queued.
    pub(crate) round_done: Arc<Notify>,
    /// The newest sequence that was written.
    pub(crate) sequence: u64,
}

impl<E: Environment> Worker for LogWorker<E> {
    type Job = LogJob<E>;

    fn run(&mut self, jobs: Vec<LogJob<E>>) {
        let result = self.failure.check().and_then(|()| {
            let result = self.write_round(&jobs);
            if let Err(failure) = &result {
                self.failure.report(failure.clone());
            }
            result
        });
        for job in jobs {
            job.complete(&result);
        }
        self.round_done.notify_waiters();
        // Last, because nobody waits for it.
        if self.failure.check().is_ok() {
            self.writer.tidy(&self.space, self.environment.now());
        }
    }
}

impl<E: Environment> LogJob<E> {
    /// Tells whoever waits.
    fn complete(self, result: &Result<(), StorageFailure>) {
        match self {
            LogJob::Append { flushed, .. } => flushed.io_completed(result.clone().map_err(Into::into)),
            LogJob::Vote { done, .. } | LogJob::Sync { done: Some(done) } => {
                // Who waited may have gone.
                let _ = done.send(result.clone());
            }
            LogJob::Truncate { .. } | LogJob::Purge { .. } | LogJob::Sync { done: None } => {}
        }
    }

    fn sequence(&self) -> Option<u64> {
        match self {
            LogJob::Append { sequence, .. }
            | LogJob::Truncate { sequence, .. }
            | LogJob::Purge { sequence, .. } => Some(*sequence),
            LogJob::Vote { .. } | LogJob::Sync { .. } => None,
        }
    }
}

impl<E: Environment> LogWorker<E> {
    /// Writes all jobs, and what may ride along: in one batch, or, when more has queued up than fits into a
    /// segment, in several.
    fn write_round(&mut self, jobs: &[LogJob<E>]) -> Result<(), StorageFailure> {
        let _span = tracing::debug_span!("flush_log", jobs = jobs.len()).entered();
        let started = self.environment.now();
        let sequence = jobs.iter().filter_map(LogJob::sequence).max().unwrap_or(self.sequence);
        let checkpoint = self.checkpoint.get();
        let lazy = lock(&self.view).take_lazy_records(sequence, checkpoint);
        let only_syncs = jobs.iter().all(|job| matches!(job, LogJob::Sync { .. }));
        if only_syncs && lazy.committed.is_none() && lazy.purge.is_none() {
            return Ok(());
        }
        let mut round = Round { next_index: self.writer.next_index(), records: Records::default() };
        for job in jobs {
            self.record_job(&mut round, job, checkpoint)?;
        }
        record_lazy(&mut round.records, &lazy);
        self.write(&mut round.records)?;
        self.sequence = sequence;
        let bytes =
            jobs.iter().map(|job| if let LogJob::Append { bytes, .. } = job { *bytes } else { 0 }).sum();
        let took = self.environment.now().saturating_since(started);
        lock(&self.view).flushed(sequence, bytes, took);
        Ok(())
    }

    fn record_job(
        &mut self,
        round: &mut Round,
        job: &LogJob<E>,
        checkpoint: Option<LogId>,
    ) -> Result<(), StorageFailure> {
        match job {
            LogJob::Append { entries, .. } => {
                for entry in entries {
                    let bytes = round.records.bytes.len() + Records::entry_bytes(entry);
                    if bytes > self.writer.records_bytes_max() {
                        self.write(&mut round.records)?;
                    }
                    let index = entry.log_id.index();
                    assert_eq!(index, round.next_index.unwrap_or(index), "the log on disk has no hole");
                    round.records.entry(entry);
                    round.next_index = Some(index + 1);
                }
            }
            LogJob::Vote { vote, .. } => round.records.vote(vote),
            LogJob::Truncate { from, .. } => {
                round.records.truncate(*from);
                round.next_index = Some(*from);
            }
            LogJob::Purge { log_id, sequence } => {
                // A state that stands at `log_id` only in memory would be lost with the log behind it.
                if Some(*log_id) > checkpoint {
                    lock(&self.view).defer_purge(*sequence, *log_id);
                    return Ok(());
                }
                round.records.purge(log_id);
                let behind = log_id.index() + 1;
                round.next_index = Some(round.next_index.map_or(behind, |next| next.max(behind)));
            }
            LogJob::Sync { .. } => {}
        }
        Ok(())
    }

    /// Writes the records gathered so far, if there are any.
    fn write(&mut self, records: &mut Records) -> Result<(), StorageFailure> {
        let records = std::mem::take(records);
        if records.is_empty() {
            return Ok(());
        }
        self.writer.write(records).map_err(|error| StorageFailure::io(FLUSHING, &error))
    }
}

/// A round that is being put together.
struct Round {
    /// The index that the next entry must have, `None` if it may have any.
    next_index: Option<u64>,
    records: Records,
}

fn record_lazy(records: &mut Records, lazy: &LazyRecords) {
    if let Some(committed) = &lazy.committed {
        records.committed(committed);
    }
    if let Some(log_id) = &lazy.purge {
        records.purge(log_id);
    }
}
