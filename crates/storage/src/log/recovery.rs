//! Finds out, at the start, what the log is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use quorate_consensus::{GroupId, LogId, NodeId};

use super::contents::Contents;
use super::files::{LogFiles, read_entry};
use super::format::{BLOCK_BYTES, Batch, Change, HEADER_BYTES, HeaderError, SegmentHeader};
use super::segment::{Segment, is_spare_name, prepare, segment_name, segment_number, segment_path};
use super::supply::SegmentSupply;
use super::writer::LogEnd;
use crate::directory::DirectoryLock;
use crate::durable;
use crate::error::OpenError;
use crate::layout::{FORMAT, LOG};
use crate::options::StorageOptions;

/// A log that has been opened.
#[derive(Debug)]
pub(crate) struct OpenedLog {
    pub(crate) files: Arc<LogFiles>,
    pub(crate) supply: Arc<SegmentSupply>,
    pub(crate) end: LogEnd,
    pub(crate) last: Option<LogId>,
}

/// Makes a new, empty log, durably: its first segment, which has a header and no room.
pub(crate) fn create(
    lock: &DirectoryLock,
    node_id: NodeId,
    group: GroupId,
    salt: u64,
) -> Result<(), OpenError> {
    let directory = lock.path().join(LOG);
    let path = segment_path(&directory, group, FIRST_NUMBER);
    let unfinished = directory.join(super::segment::spare_name(group, 0));
    let header = SegmentHeader { node_id, group, salt, segment_bytes: HEADER_BYTES };
    durable::create_directory(&directory)
        .and_then(|()| prepare(&unfinished, &header))
        .and_then(|_| durable::rename(&unfinished, &path))
        .map_err(OpenError::io(&path))
}

/// Whether the log is missing, or is as [`create`] left it, whole or half.
pub(crate) fn is_untouched(root: &Path, group: GroupId) -> Result<bool, OpenError> {
    let directory = root.join(LOG);
    match names(&directory) {
        Ok(names) => Ok(names
            .iter()
            .all(|name| is_spare_name(group, name) || segment_number(group, name) == Some(FIRST_NUMBER))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(OpenError::io(&directory)(error)),
    }
}

/// The number of the segment that a log begins with.
const FIRST_NUMBER: u64 = 1;

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Opens the log.
pub(crate) fn open(
    lock: &Arc<DirectoryLock>,
    node_id: NodeId,
    group: GroupId,
    options: &StorageOptions,
) -> Result<OpenedLog, OpenError> {
    let directory = lock.path().join(LOG);
    let mut recovery = Recovery {
        root: lock.path(),
        directory,
        node_id,
        group,
        header: None,
        contents: Contents::default(),
        end: None,
        last_batch: None,
    };
    let numbers = recovery.sweep()?;
    // Segments go from the oldest on. If power is lost meanwhile the disk may keep an older one and not a
    // younger one; those in front of such a hole were on their way out.
    let hole = numbers.windows(2).rposition(|pair| pair[0] + 1 != pair[1]);
    let (left_over, numbers) = numbers.split_at(hole.map_or(0, |at| at + 1));
    recovery.scan(numbers)?;
    recovery.finish(lock, (left_over, numbers), options)
}

struct Recovery<'a> {
    root: &'a Path,
    directory: PathBuf,
    node_id: NodeId,
    group: GroupId,
    /// The header of the first segment that was read.
    header: Option<SegmentHeader>,
    contents: Contents,
    end: Option<LogEnd>,
    /// The bytes of the last batch and where they are.
    last_batch: Option<(Bytes, u64)>,
}

impl Recovery<'_> {
    fn damaged(&self, reason: impl Into<String>) -> OpenError {
        OpenError::damaged(self.root, LOG, reason)
    }

    /// Lists the segments in order, and removes what else is there.
    fn sweep(&self) -> Result<Vec<u64>, OpenError> {
        let directory = &self.directory;
        let io_failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => OpenError::missing(self.root, LOG),
            _ => OpenError::io(directory)(error),
        };
        let names = names(directory).map_err(io_failed)?;
        for name in names.iter().filter(|name| is_spare_name(self.group, name)) {
            self.remove(&directory.join(name))?;
        }
        let mut numbers: Vec<_> = names.iter().filter_map(|name| segment_number(self.group, name)).collect();
        numbers.sort_unstable();
        if numbers.is_empty() {
            return Err(OpenError::missing(self.root, LOG));
        }
        Ok(numbers)
    }

    fn remove(&self, path: &Path) -> Result<(), OpenError> {
        fs::remove_file(path).map_err(OpenError::io(path))
    }

    /// Opens a segment and reads all of it.
    fn read(&mut self, number: u64) -> Result<(File, Bytes), OpenError> {
        let path = segment_path(&self.directory, self.group, number);
        let name = segment_name(self.group, number);
        let read = || -> io::Result<_> {
            Ok((OpenOptions::new().read(true).write(true).open(&path)?, fs::read(&path)?))
        };
        let (file, content) = read().map_err(OpenError::io(&path))?;
        let header = SegmentHeader::parse(&content).map_err(|error| match error {
            HeaderError::Damaged(reason) => self.damaged(format!("{name}: {reason}")),
            HeaderError::NewerFormat(found) => self.newer(found),
        })?;
        if header.node_id != self.node_id {
            let (path, part) = (self.root.to_owned(), LOG.to_owned());
            let (found, expected) = (header.node_id, self.node_id);
            return Err(OpenError::OtherIncarnation { path, part, found, expected });
        }
        if header.segment_bytes != content.len() as u64 {
            return Err(self.damaged(format!("{name} does not have its full length")));
        }
        let first = self.header.get_or_insert_with(|| header.clone());
        if (header.group, header.salt) != (first.group, first.salt) {
            return Err(self.damaged(format!("{name} belongs to another log")));
        }
        Ok((file, Bytes::from(content)))
    }

    fn newer(&self, found: u32) -> OpenError {
        let (path, part) = (self.root.to_owned(), LOG.to_owned());
        OpenError::NewerFormat { path, part, found, supported: FORMAT }
    }

    fn seed(&self) -> u32 {
        self.header.as_ref().map_or(0, SegmentHeader::seed)
    }

    /// Follows the batches until the first that is missing.
    fn scan(&mut self, numbers: &[u64]) -> Result<(), OpenError> {
        for (at, number) in numbers.iter().enumerate() {
            let (file, content) = self.read(*number)?;
            let segment = Arc::new(Segment { number: *number, bytes: content.len() as u64, file });
            if *number == FIRST_NUMBER {
                self.contents.begin(segment.clone());
                self.end = Some(LogEnd { segment, position: HEADER_BYTES, sequence: 1 });
            } else if !self.scan_segment(segment, &content)? {
                if at == 0 {
                    let name = segment_name(self.group, *number);
                    return Err(self.damaged(format!("the first batch of {name} is damaged")));
                }
                break;
            }
        }
        let end = self.end.clone().expect("the first segment has a batch, or is the first of all");
        let mut blocks = 0;
        for number in numbers.iter().filter(|number| **number >= end.segment.number) {
            let (_, content) = self.read(*number)?;
            let from = if *number == end.segment.number { end.position } else { HEADER_BYTES };
            self.refuse_later((*number, &content), from, (end.sequence, blocks))?;
            blocks += (content.len() as u64 - from).div_ceil(BLOCK_BYTES);
        }
        Ok(())
    }

    /// Follows the batches of a segment. Gives `false` if it has none that belongs there.
    fn scan_segment(&mut self, segment: Arc<Segment>, content: &Bytes) -> Result<bool, OpenError> {
        let mut position = HEADER_BYTES;
        let expected = |end: &Option<LogEnd>| match end {
            Some(end) => end.sequence..=end.sequence,
            None => 0..=u64::MAX,
        };
        while let Some(batch) =
            Batch::find(content, position, self.seed(), segment.number, expected(&self.end))
        {
            if batch.format > FORMAT {
                return Err(self.newer(batch.format));
            }
            let opens = batch.start == HEADER_BYTES;
            if opens {
                self.contents.begin(segment.clone());
            }
            self.follow(&batch, opens).map_err(|reason| {
                let name = segment_name(self.group, segment.number);
                self.damaged(format!("the batch {} in {name}: {reason}", batch.sequence))
            })?;
            position = batch.end;
            let bytes = content.slice(batch.start as usize..batch.end as usize);
            self.last_batch = Some((bytes, batch.start));
            self.end = Some(LogEnd { segment: segment.clone(), position, sequence: batch.sequence + 1 });
        }
        Ok(position > HEADER_BYTES)
    }

    /// Follows the records of a batch.
    fn follow(&mut self, batch: &Batch, opens: bool) -> Result<(), String> {
        let changes = batch.changes().map_err(|error| error.to_string())?;
        if opens != matches!(changes.first(), Some(Change::Opening(_))) {
            return Err("a segment's first record, and no other, repeats what came before it".to_owned());
        }
        for change in &changes {
            match change {
                Change::Opening(opening) if self.end.is_some() && opening != self.contents.opening() => {
                    return Err("it contradicts the segment before it".to_owned());
                }
                _ => self.contents.apply(change).map_err(|error| error.to_string())?,
            }
        }
        Ok(())
    }

    /// A batch is only begun when the one before it is on disk. So if there is one behind the end of what
    /// can be read, what should come before it had been acknowledged and is damaged. `blocks` have been
    /// searched before `from`: each may have been a batch.
    fn refuse_later(
        &self,
        (number, content): (u64, &Bytes),
        from: u64,
        (sequence, blocks): (u64, u64),
    ) -> Result<(), OpenError> {
        let mut positions = (from..content.len() as u64).step_by(BLOCK_BYTES as usize).zip(blocks..);
        let later = positions.find_map(|(position, blocks)| {
            // What lies here may be anything that clients ever sent, headers that they made up among it, and
            // must not decide how long a start takes: a checksum may be over all of the segment.
            Batch::find(content, position, self.seed(), number, sequence..=sequence + blocks)
        });
        let Some(later) = later else { return Ok(()) };
        let name = segment_name(self.group, number);
        Err(self.damaged(format!(
            "the batch {sequence} cannot be read, and is followed by the batch {} in {name}",
            later.sequence
        )))
    }

    fn finish(
        self,
        lock: &Arc<DirectoryLock>,
        (left_over, numbers): (&[u64], &[u64]),
        options: &StorageOptions,
    ) -> Result<OpenedLog, OpenError> {
        let end = self.end.clone().expect("the scan found an end");
        let path = segment_path(&self.directory, self.group, end.segment.number);
        let last = self.check_entries()?;
        // A segment behind the end was begun, and its first batch never finished.
        let begun = numbers.iter().filter(|number| **number > end.segment.number);
        for number in left_over.iter().chain(begun) {
            self.remove(&segment_path(&self.directory, self.group, *number))?;
        }
        self.settle(&end)
            .and_then(|()| durable::sync_directory(&self.directory))
            .map_err(OpenError::io(&path))?;
        let bytes = self.contents.older_bytes() + end.segment.bytes;
        let header = self.header.clone().expect("a segment was read");
        let header = SegmentHeader { segment_bytes: options.log_segment_bytes.max(MINIMUM_BYTES), ..header };
        let place = (self.directory.clone(), lock.clone());
        let supply = Arc::new(SegmentSupply::new(place, header, (bytes, options.log_bytes_max)));
        let files = Arc::new(LogFiles::new(self.contents, lock.clone()));
        Ok(OpenedLog { files, supply, end, last })
    }

    /// Makes sure that the last batch is on disk. It was read, but perhaps from the memory of the operating
    /// system: its flush may have been interrupted, or have failed, with the process that wrote it. A page
    /// of which a flush failed counts as written; only writing it again brings it to the disk.
    fn settle(&self, end: &LogEnd) -> io::Result<()> {
        if let Some((bytes, position)) = &self.last_batch {
            end.segment.file.write_all_at(bytes, *position)?;
        }
        end.segment.file.sync_data()
    }

    /// Checks that the log has no hole. Gives its last entry.
    fn check_entries(&self) -> Result<Option<LogId>, OpenError> {
        let purged = self.contents.purged();
        let wanted = purged.map_or(0, |log_id| log_id.index() + 1);
        let first = self.contents.entries_from(0).next().map(|(index, ..)| index);
        if let Some(first) = first.or(self.contents.next_index()).filter(|first| *first > wanted) {
            return Err(self.damaged(format!("the log entries between {wanted} and {first} are missing")));
        }
        let Some((index, segment, place)) = self.contents.last_entry() else { return Ok(purged) };
        let entry = read_entry(index, segment, place).map_err(|error| self.damaged(error.to_string()))?;
        Ok(Some(entry.log_id).max(purged))
    }
}

/// Smaller segments would be nothing but headers.
const MINIMUM_BYTES: u64 = 4 * HEADER_BYTES;
