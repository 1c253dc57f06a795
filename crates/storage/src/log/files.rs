//! The log's files, for those who read.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_consensus::Entry;

use super::contents::Contents;
use super::format::Place;
use super::segment::Segment;
use crate::directory::DirectoryLock;
use crate::record::{self, RecordError};

/// Entries that lie close together are read together, so many bytes at once.
const READ_BYTES_MAX: u64 = 1 << 20;
/// As close as that.
const GAP_BYTES_MAX: u64 = 4 << 10;

/// The log on disk.
#[derive(Debug)]
pub(crate) struct LogFiles {
    contents: Mutex<Contents>,
    _lock: Arc<DirectoryLock>,
}

/// Why the log on disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the log entry {index} is damaged: {error}")]
    Entry { index: u64, error: RecordError },
    #[error("the log entries between {from} and {to} are missing")]
    Hole { from: u64, to: u64 },
}

/// Where some entries are. Whoever holds this can read them, even if they are removed meanwhile.
#[derive(Debug)]
pub(crate) struct Located(Vec<Stretch>);

/// Entries that are read together.
#[derive(Debug)]
struct Stretch {
    segment: Arc<Segment>,
    start: u64,
    end: u64,
    entries: Vec<(u64, Place)>,
}

impl LogFiles {
    pub(crate) fn new(contents: Contents, lock: Arc<DirectoryLock>) -> Self {
        Self { contents: Mutex::new(contents), _lock: lock }
    }

    /// What is on disk. Locked for moments, never while the disk works.
    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no code panics while it holds the log's contents")
    }

    /// Finds the entries from `start` up to `end`, not with it, until `bytes_max` are exceeded. All of them
    /// must be there.
    pub(crate) fn locate(&self, (start, end): (u64, u64), bytes_max: u64) -> Result<Located, LogReadError> {
        let contents = self.contents();
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut next, mut bytes) = (start, 0);
        for (index, segment, place) in contents.entries_from(start).take_while(|(index, ..)| *index < end) {
            if index != next {
                return Err(LogReadError::Hole { from: next, to: index });
            }
            bytes += u64::from(place.bytes);
            if bytes > bytes_max && index > start {
                return Ok(Located(stretches));
            }
            let (place_start, place_end) =
                (u64::from(place.offset), u64::from(place.offset) + u64::from(place.bytes));
            match stretches.last_mut() {
                Some(last)
                    if Arc::ptr_eq(&last.segment, segment)
                        && place_start - last.end <= GAP_BYTES_MAX
                        && place_end - last.start <= READ_BYTES_MAX =>
                {
                    last.end = place_end;
                    last.entries.push((index, place));
                }
                _ => stretches.push(Stretch {
                    segment: segment.clone(),
                    start: place_start,
                    end: place_end,
                    entries: vec![(index, place)],
                }),
            }
            next += 1;
        }
        if next < end {
            return Err(LogReadError::Hole { from: next, to: end });
        }
        Ok(Located(stretches))
    }
}

impl Located {
    /// Reads the entries and checks each.
    pub(crate) fn read(&self, entries: &mut Vec<Entry>) -> Result<(), LogReadError> {
        let mut buffer = Vec::new();
        for stretch in &self.0 {
            buffer.resize((stretch.end - stretch.start) as usize, 0);
            stretch.segment.file.read_exact_at(&mut buffer, stretch.start)?;
            for (index, place) in &stretch.entries {
                let start = (u64::from(place.offset) - stretch.start) as usize;
                entries.push(decode_entry(*index, &buffer[start..start + place.bytes as usize])?);
            }
        }
        Ok(())
    }
}

/// Reads one entry.
pub(crate) fn read_entry(index: u64, segment: &Segment, place: Place) -> Result<Entry, LogReadError> {
    let mut sealed = vec![0; place.bytes as usize];
    segment.file.read_exact_at(&mut sealed, u64::from(place.offset))?;
    decode_entry(index, &sealed)
}

fn decode_entry(index: u64, sealed: &[u8]) -> Result<Entry, LogReadError> {
    let entry: Entry = record::unseal(sealed).map_err(|error| LogReadError::Entry { index, error })?;
    if entry.log_id.index() == index {
        Ok(entry)
    } else {
        Err(LogReadError::Entry { index, error: RecordError::Misplaced })
    }
}
