//! A segment: one file of the log.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quorate_consensus::GroupId;

use super::format::{HEADER_BYTES, SegmentHeader};
use crate::layout::UNFINISHED_SUFFIX;

const SUFFIX: &str = ".segment";
/// How much of a new segment is written between two flushes: not so much that the flushes of the log
/// itself would have to wait behind it.
const PREPARED_AT_ONCE_BYTES: u64 = 1 << 20;

/// A segment that is a part of the log. The file stays readable for whoever holds it, though its name may
/// be gone.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) file: File,
}

/// The name of the segment with that number.
pub(crate) fn segment_name(group: GroupId, number: u64) -> String {
    // Of one length, so that the order of names is the order of numbers.
    format!("g{group}-{number:020}{SUFFIX}")
}

/// The number of a segment, if it is one.
pub(crate) fn segment_number(group: GroupId, name: &str) -> Option<u64> {
    name.strip_prefix(&format!("g{group}-"))?.strip_suffix(SUFFIX)?.parse().ok()
}

/// The name of a file that is no segment: not yet, or no longer.
pub(crate) fn spare_name(group: GroupId, number: u64) -> String {
    format!("g{group}-spare-{number}{UNFINISHED_SUFFIX}")
}

/// Whether the name is one of a spare.
pub(crate) fn is_spare_name(group: GroupId, name: &str) -> bool {
    name.starts_with(&format!("g{group}-spare-")) && name.ends_with(UNFINISHED_SUFFIX)
}

/// Makes a file ready to become a segment, durably: with its header, and with all of its blocks written.
/// Blocks that are only reserved would have to be marked as written later, and every flush of the log would
/// have to write that down, too.
pub(crate) fn prepare(path: &Path, header: &SegmentHeader) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    file.write_all_at(&header.render(), 0)?;
    let zeros = vec![0; PREPARED_AT_ONCE_BYTES.min(header.segment_bytes) as usize];
    let mut position = HEADER_BYTES;
    while position < header.segment_bytes {
        let count = (header.segment_bytes - position).min(zeros.len() as u64);
        file.write_all_at(&zeros[..count as usize], position)?;
        file.sync_data()?;
        position += count;
    }
    file.sync_all()?;
    Ok(file)
}

/// The path of a segment in the directory of the log.
pub(crate) fn segment_path(directory: &Path, group: GroupId, number: u64) -> PathBuf {
    directory.join(segment_name(group, number))
}
