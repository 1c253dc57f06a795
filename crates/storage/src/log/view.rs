//! What the log is, in memory.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_consensus::encoding::Encode;
use quorate_consensus::{Entry, LogId, Vote};

use super::byte_marks::ByteMarks;
use super::files::LogFiles;
use crate::failure::StorageFailure;

/// The log as every call sees it. One mutex around it; held for moments, never during disk writes.
///
/// Writes are numbered: each append or truncation takes the next *sequence* and carries it to the worker.
/// What the worker has flushed is known by its sequence, because an index alone does not say which of two
/// entries that had it, one before and one after a truncation, is on disk.
#[derive(Debug)]
pub(crate) struct LogView {
    /// `None` once the storage is closed.
    files: Option<Arc<LogFiles>>,
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// The first index that can be read. A log begins behind its purge bound.
    first: u64,
    last: Option<LogId>,
    /// The newest entries, without a gap, up to `last`. Every entry that is not in here is on disk.
    tail: VecDeque<TailEntry>,
    tail_bytes: u64,
    tail_bytes_max: u64,
    unflushed_bytes: u64,
    next_sequence: u64,
    flushed_sequence: u64,
    /// Committed log IDs that are not on disk, each with the sequence it must not overtake: on disk, a
    /// committed index must never stand above entries that are not those it means.
    committed_pending: VecDeque<(u64, LogId)>,
    purge_pending: Option<(u64, LogId)>,
    marks: ByteMarks,
    flushes: FlushCounters,
}

#[derive(Debug)]
struct TailEntry {
    entry: Entry,
    bytes: u64,
    sequence: u64,
}

/// How flushing goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlushCounters {
    pub(crate) count: u64,
    /// Bytes of entries.
    pub(crate) bytes: u64,
    pub(crate) last: Duration,
    pub(crate) total: Duration,
}

/// Records that are written along with a round.
#[derive(Debug, Default)]
pub(crate) struct LazyRecords {
    pub(crate) committed: Option<LogId>,
    pub(crate) purge: Option<LogId>,
}

impl LogView {
    /// The view of a log that has just been opened and ends with `last`.
    pub(crate) fn new(files: Arc<LogFiles>, last: Option<LogId>, tail_bytes_max: u64) -> Self {
        let contents = files.contents();
        let (vote, committed, purged) = (contents.vote(), contents.committed(), contents.purged());
        let first = purged.map_or(0, |log_id| log_id.index() + 1);
        let mut marks = ByteMarks::default();
        for (index, _, place) in contents.entries_from(first) {
            marks.append(index, place.bytes.into());
        }
        drop(contents);
        debug_assert!(last.is_none_or(|last| last.index() + 1 >= first));
        Self {
            files: Some(files),
            vote,
            committed,
            purged,
            first,
            last,
            tail: VecDeque::new(),
            tail_bytes: 0,
            tail_bytes_max,
            unflushed_bytes: 0,
            next_sequence: 1,
            flushed_sequence: 0,
            committed_pending: VecDeque::new(),
            purge_pending: None,
            marks,
            flushes: FlushCounters::default(),
        }
    }

    pub(crate) fn vote(&self) -> Option<Vote> {
        self.vote
    }

    pub(crate) fn set_vote(&mut self, vote: Vote) {
        self.vote = Some(vote);
    }

    pub(crate) fn committed(&self) -> Option<LogId> {
        self.committed
    }

    pub(crate) fn last(&self) -> Option<LogId> {
        self.last
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub(crate) fn flushes(&self) -> FlushCounters {
        self.flushes
    }

    pub(crate) fn unflushed_bytes(&self) -> u64 {
        self.unflushed_bytes
    }

    /// The first index that is in the log, or would be.
    pub(crate) fn first_index(&self) -> u64 {
        self.first
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Takes new entries behind the last one. Gives their sequence and their size.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> (u64, u64) {
        let sequence = self.next_sequence();
        let mut added = 0;
        for entry in entries {
            let index = entry.log_id.index();
            match &self.last {
                Some(last) => assert_eq!(index, last.index() + 1, "entries are appended without a gap"),
                None => self.first = index,
            }
            let bytes = entry.encoded_bytes_hint() as u64;
            self.marks.append(index, bytes);
            self.last = Some(entry.log_id);
            self.tail.push_back(TailEntry { entry: entry.clone(), bytes, sequence });
            added += bytes;
        }
        self.tail_bytes += added;
        self.unflushed_bytes += added;
        (sequence, added)
    }

    /// Drops the entries behind `last`. Gives the sequence and the first index that goes, or `None` if
    /// there is nothing behind it.
    pub(crate) fn truncate_after(&mut self, last: Option<LogId>) -> Option<(u64, u64)> {
        let from = last.map_or(0, |log_id| log_id.index() + 1).max(self.first);
        if self.last.is_none_or(|current| current.index() < from) {
            return None;
        }
        while self.tail.back().is_some_and(|it| it.entry.log_id.index() >= from) {
            self.tail_bytes -= self.tail.pop_back().map_or(0, |it| it.bytes);
        }
        self.last = if from == self.first { self.purged } else { last };
        self.marks.truncate_after(from.checked_sub(1));
        Some((self.next_sequence(), from))
    }

    /// Drops the entries up to and with `log_id`. Gives a sequence if that has to be written at once,
    /// because the log goes on with a gap behind what it held.
    pub(crate) fn purge(&mut self, log_id: LogId) -> Option<u64> {
        if self.purged.is_some_and(|purged| purged >= log_id) {
            return None;
        }
        self.purged = Some(log_id);
        self.first = self.first.max(log_id.index() + 1);
        while self.tail.front().is_some_and(|it| it.entry.log_id.index() <= log_id.index()) {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |it| it.bytes);
        }
        self.marks.purge(log_id.index());
        if self.last.is_some_and(|last| last.index() > log_id.index()) {
            self.purge_pending = Some((self.next_sequence - 1, log_id));
            None
        } else {
            self.last = Some(log_id);
            self.purge_pending = None;
            Some(self.next_sequence())
        }
    }

    /// Notes what is committed, to be written with some later round.
    pub(crate) fn set_committed(&mut self, committed: Option<LogId>) {
        self.committed = committed;
        let Some(committed) = committed else { return };
        let after = self.next_sequence - 1;
        match self.committed_pending.back_mut() {
            Some(newest) if newest.0 == after => newest.1 = committed,
            _ => self.committed_pending.push_back((after, committed)),
        }
    }

    /// Whether a purge waits to be written with the next round.
    pub(crate) fn has_pending_purge(&self) -> bool {
        self.purge_pending.is_some()
    }

    /// What may be written in a round that ends with `sequence`. The log is not purged past `checkpoint`.
    pub(crate) fn take_lazy_records(&mut self, sequence: u64, checkpoint: Option<LogId>) -> LazyRecords {
        let mut records = LazyRecords::default();
        while self.committed_pending.front().is_some_and(|(after, _)| *after <= sequence) {
            records.committed = self.committed_pending.pop_front().map(|(_, log_id)| log_id);
        }
        let due =
            self.purge_pending.filter(|(after, log_id)| *after <= sequence && Some(*log_id) <= checkpoint);
        if let Some((_, log_id)) = due {
            self.purge_pending = None;
            records.purge = Some(log_id);
        }
        records
    }

    /// A purge that could not be written yet. Of several that wait the one that goes furthest stays: it
    /// says what the others say.
    pub(crate) fn defer_purge(&mut self, sequence: u64, log_id: LogId) {
        if self.purge_pending.is_none_or(|(_, pending)| pending < log_id) {
            self.purge_pending = Some((sequence, log_id));
        }
    }

    /// Everything up to `sequence` is on disk; `bytes` of entries among it.
    pub(crate) fn flushed(&mut self, sequence: u64, bytes: u64, took: Duration) {
        self.flushed_sequence = self.flushed_sequence.max(sequence);
        self.unflushed_bytes -= bytes;
        self.flushes.count += 1;
        self.flushes.bytes += bytes;
        self.flushes.last = took;
        self.flushes.total += took;
        while self.tail_bytes > self.tail_bytes_max
            && self.tail.front().is_some_and(|it| it.sequence <= self.flushed_sequence)
        {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |it| it.bytes);
        }
    }

    /// Whether every entry up to `index` is on disk.
    pub(crate) fn is_flushed(&self, index: u64) -> bool {
        let first_unflushed = self.tail.iter().find(|it| it.sequence > self.flushed_sequence);
        first_unflushed.is_none_or(|it| it.entry.log_id.index() > index)
    }

    /// Bytes of the entries behind `index`, roughly.
    pub(crate) fn bytes_after(&self, index: Option<u64>) -> u64 {
        self.marks.bytes_after(index)
    }

    /// The greatest index with at least `bytes` of entries behind it, roughly.
    pub(crate) fn index_before_last(&self, bytes: u64) -> Option<u64> {
        self.marks.index_before_last(bytes)
    }

    /// The files, unless the storage is closed.
    fn files(&self) -> Result<Arc<LogFiles>, StorageFailure> {
        self.files.clone().ok_or_else(|| StorageFailure::new("using the log", "the storage is closed"))
    }

    /// Lets go of the files.
    pub(crate) fn close(&mut self) {
        self.files = None;
    }

    /// The part of `range` that the log has.
    fn clamp(&self, range: &impl RangeBounds<u64>) -> (u64, u64) {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        (start.max(self.first), end.min(self.last.map_or(0, |last| last.index() + 1)))
    }

    /// The first index in the tail, or the one behind the last.
    fn tail_start(&self) -> u64 {
        let behind_last = || self.last.map_or(0, |last| last.index() + 1);
        self.tail.front().map_or_else(behind_last, |it| it.entry.log_id.index())
    }

    /// Copies the entries `start..end` of the tail until `bytes_max` are exceeded; at least one.
    fn read_tail(&self, (start, end): (u64, u64), bytes_max: u64, entries: &mut Vec<Entry>) {
        let offset = (start - self.tail_start()) as usize;
        let mut bytes = 0;
        for it in self.tail.iter().skip(offset).take(end.saturating_sub(start) as usize) {
            bytes += it.bytes;
            if bytes > bytes_max && it.entry.log_id.index() > start {
                return;
            }
            entries.push(it.entry.clone());
        }
    }
}

/// Reads entries of `range`, all at one moment. Stops early once `bytes_max` are exceeded, if that is
/// given; at least one entry is read if there is one.
pub(crate) fn read_entries(
    view: &Mutex<LogView>,
    range: &impl RangeBounds<u64>,
    bytes_max: Option<u64>,
) -> Result<Vec<Entry>, StorageFailure> {
    let mut entries = Vec::new();
    let view = lock(view);
    let files = view.files()?;
    let (start, end) = view.clamp(range);
    if start >= end {
        return Ok(entries);
    }
    let tail_start = view.tail_start();
    if start >= tail_start {
        view.read_tail((start, end), bytes_max.unwrap_or(u64::MAX), &mut entries);
        return Ok(entries);
    }
    let failed = |error| StorageFailure::new("reading the log", error);
    // Found under the lock: what leaves the tail after this moment is on disk in what we see, and what is
    // removed after this moment can still be read.
    let on_disk = (start, end.min(tail_start));
    let located = files.locate(on_disk, bytes_max.unwrap_or(u64::MAX)).map_err(failed)?;
    let mut from_tail = Vec::new();
    if bytes_max.is_none() && end > tail_start {
        view.read_tail((tail_start, end), u64::MAX, &mut from_tail);
    }
    drop(view);
    located.read(&mut entries).map_err(failed)?;
    entries.extend(from_tail);
    Ok(entries)
}

/// Locks the view.
pub(crate) fn lock(view: &Mutex<LogView>) -> std::sync::MutexGuard<'_, LogView> {
    view.lock().expect("no code panics while it holds the log's view")
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use quorate_consensus::CommittedLeaderId;
    use tempfile::TempDir;

    use super::super::contents::Contents;
    use super::*;
    use crate::directory::DirectoryLock;

    fn log_id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term), index)
    }

    fn entries(term: u64, indexes: std::ops::Range<u64>) -> Vec<Entry> {
        indexes.map(|index| Entry { log_id: log_id(term, index), payload: EntryPayload::Blank }).collect()
    }

    /// An empty log that keeps nothing in memory which is on disk.
    fn empty_view() -> (TempDir, LogView) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let lock = Arc::new(DirectoryLock::acquire(folder.path()).expect("lock"));
        let files = LogFiles::new(Contents::default(), lock);
        (folder, LogView::new(Arc::new(files), None, 0))
    }

    fn tail_indexes(view: &LogView) -> Vec<u64> {
        view.tail.iter().map(|it| it.entry.log_id.index()).collect()
    }

    #[test]
    fn an_entry_stays_in_memory_until_its_own_write_is_flushed() {
        let (_folder, mut view) = empty_view();
        let (first, first_bytes) = view.append(&entries(1, 0..3));
        let (truncation, _) = view.truncate_after(Some(log_id(1, 0))).expect("there is something behind it");
        let (second, second_bytes) = view.append(&entries(2, 1..3));
        view.flushed(first, first_bytes, Duration::ZERO);
        assert_eq!(tail_indexes(&view), [1, 2], "other entries with these indexes are on disk");
        assert!(view.is_flushed(0) && !view.is_flushed(1));
        view.flushed(truncation, 0, Duration::ZERO);
        assert_eq!(tail_indexes(&view), [1, 2]);
        view.flushed(second, second_bytes, Duration::ZERO);
        assert_eq!(tail_indexes(&view), [0; 0]);
        assert!(view.is_flushed(2));
        assert_eq!(view.unflushed_bytes(), 0);
    }

    /// Regression: the second was dropped because the first waited already, and a restarted node had entries
    /// again that had been purged.
    #[test]
    fn of_two_purges_that_wait_for_the_checkpoint_the_further_one_is_written() {
        let (_folder, mut view) = empty_view();
        view.append(&entries(1, 0..2));
        let first = view.purge(log_id(1, 1)).expect("it purges everything");
        view.append(&entries(1, 2..3));
        let second = view.purge(log_id(1, 2)).expect("it purges everything");
        view.defer_purge(first, log_id(1, 1));
        view.defer_purge(second, log_id(1, 2));
        view.defer_purge(first, log_id(1, 1));
        let records = view.take_lazy_records(second, Some(log_id(1, 2)));
        assert_eq!(records.purge, Some(log_id(1, 2)));
    }

    #[test]
    fn a_committed_index_waits_for_the_round_of_its_entries() {
        let (_folder, mut view) = empty_view();
        let (first, _) = view.append(&entries(1, 0..1));
        view.set_committed(Some(log_id(1, 0)));
        let (second, _) = view.append(&entries(1, 1..2));
        view.set_committed(Some(log_id(1, 1)));
        assert_eq!(view.take_lazy_records(first - 1, None).committed, None);
        assert_eq!(view.take_lazy_records(first, None).committed, Some(log_id(1, 0)));
        assert_eq!(view.take_lazy_records(first, None).committed, None);
        assert_eq!(view.take_lazy_records(second, None).committed, Some(log_id(1, 1)));
    }

    #[test]
    fn a_purge_waits_for_the_checkpoint_and_for_the_round_of_its_entries() {
        let (_folder, mut view) = empty_view();
        let (sequence, _) = view.append(&entries(1, 0..10));
        assert_eq!(view.purge(log_id(1, 4)), None);
        assert_eq!(view.take_lazy_records(sequence, Some(log_id(1, 3))).purge, None);
        assert_eq!(view.take_lazy_records(sequence - 1, Some(log_id(1, 4))).purge, None);
        assert_eq!(view.take_lazy_records(sequence, Some(log_id(1, 4))).purge, Some(log_id(1, 4)));
        assert!(!view.has_pending_purge());
    }
}
