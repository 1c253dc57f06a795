//! Writes batches.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use quorate_consensus::LogId;
use quorate_environment::Moment;

use super::files::{LogFiles, read_entry};
use super::format::{
    BATCH_HEADER_BYTES, BLOCK_BYTES, Change, HEADER_BYTES, OPENING_BYTES_MAX, Records, batch_bytes,
    render_batch,
};
use super::segment::Segment;
use super::supply::SupplyHandle;
use crate::space::DiskSpace;

/// A larger buffer is not kept for the next batch.
const BUFFER_KEPT_BYTES: usize = 4 << 20;

/// The one who writes the log. After an error it must not be used again.
#[derive(Debug)]
pub(crate) struct LogWriter {
    files: Arc<LogFiles>,
    supply: SupplyHandle,
    end: LogEnd,
    /// The batch that is written, kept for its memory.
    buffer: Vec<u8>,
}

/// Where the log ends.
#[derive(Clone, Debug)]
pub(crate) struct LogEnd {
    pub(crate) segment: Arc<Segment>,
    /// Where the next batch goes.
    pub(crate) position: u64,
    /// The sequence of the next batch.
    pub(crate) sequence: u64,
}

impl LogWriter {
    pub(crate) fn new(files: Arc<LogFiles>, end: LogEnd, supply: SupplyHandle) -> Self {
        Self { files, supply, end, buffer: Vec::new() }
    }

    /// The index that the next entry must have, `None` if it may have any.
    pub(crate) fn next_index(&self) -> Option<u64> {
        self.files.contents().next_index()
    }

    /// Where the log ends.
    #[cfg(test)]
    pub(crate) fn end(&self) -> &LogEnd {
        &self.end
    }

    /// How many bytes of records fit into one batch of a usual segment, behind its opening record. More are
    /// better written as several: a larger batch needs a file of its own, made while somebody waits.
    pub(crate) fn records_bytes_max(&self) -> usize {
        let others = HEADER_BYTES as usize + BATCH_HEADER_BYTES + OPENING_BYTES_MAX;
        (self.supply.supply.header().segment_bytes as usize).saturating_sub(others)
    }

    /// Writes the records as one batch and flushes it: one write and one barrier.
    pub(crate) fn write(&mut self, records: Records) -> io::Result<()> {
        let fits = self.end.position + batch_bytes(records.bytes.len()) <= self.end.segment.bytes;
        let (segment, position, opening) = if fits {
            (self.end.segment.clone(), self.end.position, None)
        } else {
            let mut opening = Records::default();
            opening.opening(self.files.contents().opening().clone());
            let bytes = HEADER_BYTES + batch_bytes(opening.bytes.len() + records.bytes.len());
            let number = self.end.segment.number + 1;
            let segment = self.supply.supply.take(number, bytes.next_multiple_of(BLOCK_BYTES))?;
            (Arc::new(segment), HEADER_BYTES, Some(opening))
        };
        let seed = self.supply.supply.header().seed();
        let opening_bytes = opening.as_ref().map_or(&[][..], |opening| &opening.bytes);
        let parts = [opening_bytes, &records.bytes];
        render_batch(&mut self.buffer, seed, (segment.number, self.end.sequence), &parts);
        segment.file.write_all_at(&self.buffer, position)?;
        segment.file.sync_data()?;
        let written_bytes = self.buffer.len() as u64;
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        let records_at = position + (BATCH_HEADER_BYTES + opening_bytes.len()) as u64;
        self.end.position = position + written_bytes;
        self.end.sequence += 1;
        // A segment's offsets are below 4 GiB: checked before the lock, which nobody may hold and panic.
        let mut changes = records.changes;
        for change in &mut changes {
            if let Change::Entry { place, .. } = change {
                place.offset += u32::try_from(records_at).expect("a segment is below 4 GiB");
            }
        }
        let mut contents = self.files.contents();
        if opening.is_some() {
            contents.begin(segment.clone());
            self.end.segment = segment;
        }
        let followed = changes.iter().try_for_each(|change| contents.apply(change));
        drop(contents);
        followed.map_err(io::Error::other)
    }

    /// The mutant: the newest entries are gone, though not those known to be committed, so that it does
    /// not show at once. Gives the entry that is now the last.
    pub(crate) fn lose_tail(&mut self, last: Option<LogId>) -> io::Result<Option<LogId>> {
        let (committed, purged) = {
            let contents = self.files.contents();
            (contents.committed(), contents.purged())
        };
        let known = committed.max(purged).map_or(0, |log_id| log_id.index() + 1);
        let from = last.map_or(0, |log_id| log_id.index().saturating_sub(2)).max(known);
        if last.is_none_or(|last| last.index() < from) {
            return Ok(last);
        }
        let mut records = Records::default();
        records.truncate(from);
        self.write(records)?;
        let contents = self.files.contents();
        let Some((index, segment, place)) = contents.last_entry() else { return Ok(purged) };
        let entry = read_entry(index, segment, place).map_err(io::Error::other)?;
        Ok(Some(entry.log_id).max(purged))
    }

    /// What need not be done before somebody is answered: lets go of segments that are no longer needed,
    /// and sees to it that there will be another.
    pub(crate) fn tidy(&mut self, space: &DiskSpace, now: Moment) {
        let dropped = self.files.contents().drop_purged();
        self.supply.retire(dropped);
        if self.supply.supply.is_starved() {
            if space.may_retry_log(now) {
                space.retrying_log(now);
                self.supply.request();
            }
        } else if self.end.position > self.end.segment.bytes / 2 {
            self.supply.request();
        }
        self.measure(space);
    }

    /// Measures what is left of the disk space set aside for the log.
    pub(crate) fn measure(&self, space: &DiskSpace) {
        let supply = &self.supply.supply;
        let left = self.end.segment.bytes.saturating_sub(self.end.position);
        space.measure_log(supply.bytes_used().saturating_sub(left), supply.bytes_max(), supply.is_starved());
    }
}
