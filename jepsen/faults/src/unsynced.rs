//! What a loss of power would undo.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::record::{Change, Record, Renaming};

/// What a disk writes whole or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// One change of a sector that is not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorChange {
    number: u64,
    /// Which bytes of the file were changed.
    range: Range<u64>,
    /// What they were; zeros behind the end that the file had.
    old: Vec<u8>,
    /// Whether a sync failed that was to make it durable.
    lost: bool,
}

impl SectorChange {
    /// Where the bytes stand in the file, and what they were.
    pub fn undoing(&self) -> (u64, &[u8]) {
        (self.range.start, &self.old)
    }

    /// The parts of it before and behind a range.
    fn outside(&self, range: &Range<u64>) -> Vec<Self> {
        let Range { start, end } = self.range;
        let parts = [start..end.min(range.start), start.max(range.end)..end];
        let part = |range: Range<u64>| {
            let [from, to] = [range.start, range.end].map(|position| (position - start) as usize);
            Self { old: self.old[from..to].to_vec(), range, ..*self }
        };
        parts.into_iter().filter(|part| part.start < part.end).map(part).collect()
    }
}

/// What is not durable of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsyncedFile {
    /// The lengths before changes of it, the oldest first, with the numbers of the changes.
    lengths: Vec<(u64, u64)>,
    /// By the number of the sector: changes, the oldest first.
    sectors: BTreeMap<u64, Vec<SectorChange>>,
}

impl UnsyncedFile {
    /// The length that is durable, if it has changed since.
    pub fn durable_bytes(&self) -> Option<u64> {
        self.lengths.first().map(|&(_, bytes)| bytes)
    }

    /// Its sectors that were changed, each with the changes in their order.
    pub fn sectors(&self) -> &BTreeMap<u64, Vec<SectorChange>> {
        &self.sectors
    }

    /// Whether all of it is durable.
    pub fn is_clean(&self) -> bool {
        self.lengths.is_empty() && self.sectors.is_empty()
    }

    fn change(&mut self, change: &Change) {
        // A change may have been noted in parts.
        if self.lengths.last().is_none_or(|&(number, _)| number != change.number) {
            self.lengths.push((change.number, change.bytes_before));
        }
        let Range { start, end } = change.range;
        for sector in start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let begin = start.max(sector * SECTOR_BYTES);
            let end = end.min((sector + 1) * SECTOR_BYTES);
            let known = change.old.len() as u64;
            let [from, to] = [begin, end].map(|position| (position - start).min(known) as usize);
            let mut old = change.old[from..to].to_vec();
            old.resize((end - begin) as usize, 0);
            let change = SectorChange { number: change.number, range: begin..end, old, lost: false };
            self.sectors.entry(sector).or_default().push(change);
        }
    }

    fn synced(&mut self, before: u64) {
        self.lengths.retain(|&(number, _)| number >= before);
        self.sectors.retain(|_, changes| {
            // The newest of them decides: if a sync of it had failed, the kernel takes it for clean.
            let newest = changes.iter().rfind(|change| change.number < before);
            if newest.is_some_and(|newest| !newest.lost) {
                changes.retain(|change| change.number >= before);
            }
            !changes.is_empty()
        });
    }

    /// What was just written to a range is durable, and with it that the file reaches so far.
    fn range_synced(&mut self, before: u64, range: &Range<u64>) {
        for (_, bytes) in self.lengths.iter_mut().filter(|(number, _)| *number < before) {
            *bytes = range.end.max(*bytes);
        }
        for changes in self.sectors.values_mut() {
            let cut = |change: SectorChange| match change.number < before {
                true => change.outside(range),
                false => vec![change],
            };
            *changes = std::mem::take(changes).into_iter().flat_map(cut).collect();
        }
        self.sectors.retain(|_, changes| !changes.is_empty());
    }

    fn sync_failed(&mut self, before: u64) {
        let changes = self.sectors.values_mut().flatten();
        changes.filter(|change| change.number < before).for_each(|change| change.lost = true);
    }

    /// What is not durable, by the numbers of the changes; those without a length in one part or more.
    fn changes(&self, inode: u64) -> BTreeMap<u64, Vec<Change>> {
        let none = |&(number, bytes_before)| {
            (number, vec![Change { number, inode, range: 0..0, bytes_before, old: Vec::new() }])
        };
        let mut changes: BTreeMap<u64, Vec<Change>> = self.lengths.iter().map(none).collect();
        for SectorChange { number, range, old, .. } in self.sectors.values().flatten() {
            let parts = changes.entry(*number).or_default();
            let bytes_before = parts.first().map_or(0, |first| first.bytes_before);
            match parts.last_mut() {
                Some(part) if part.range.is_empty() => {
                    part.range = range.clone();
                    part.old.clone_from(old);
                }
                Some(part) if part.range.end == range.start && range.start % SECTOR_BYTES == 0 => {
                    part.range.end = range.end;
                    part.old.extend_from_slice(old);
                }
                _ => parts.push(Change {
                    number: *number,
                    inode,
                    range: range.clone(),
                    bytes_before,
                    old: old.clone(),
                }),
            }
        }
        changes
    }

    /// Entries after which just this is not durable.
    fn records(&self, inode: u64) -> Vec<Record> {
        let mut changes = self.changes(inode);
        let first_length = self.lengths.first().map_or(u64::MAX, |&(number, _)| number);
        let later = changes.split_off(&first_length);
        let mut records = Vec::new();
        if let Some((last, _)) = changes.last_key_value() {
            // A sync of these failed, and the one after it made nothing durable but the length.
            let before = last + 1;
            records.extend(changes.into_values().flatten().map(Record::Changed));
            records.push(Record::SyncFailed { before, inode });
            records.push(Record::Synced { before, inode, range: 0..u64::MAX });
        }
        records.extend(later.into_values().flatten().map(Record::Changed));
        let lost = self.sectors.values().flatten().filter(|change| change.lost).map(|change| change.number);
        if let Some(last) = lost.max().filter(|&last| last >= first_length) {
            records.push(Record::SyncFailed { before: last + 1, inode });
        }
        records
    }
}

/// A name that is not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UnsyncedName {
    renaming: Renaming,
    /// The directories that were not synced since.
    directories: Vec<PathBuf>,
}

/// All that is not durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsynced {
    /// By the file's inode.
    files: BTreeMap<u64, UnsyncedFile>,
    /// Names, in the order of the changes.
    names: Vec<UnsyncedName>,
}

impl Unsynced {
    /// What is left after all that is in a journal.
    pub fn of(records: Vec<Record>) -> Self {
        let mut unsynced = Self::default();
        for record in records {
            unsynced.follow(record);
        }
        unsynced
    }

    fn follow(&mut self, record: Record) {
        match record {
            Record::Changed(change) => self.files.entry(change.inode).or_default().change(&change),
            Record::Synced { before, inode, range } => {
                if let Some(file) = self.files.get_mut(&inode) {
                    match range {
                        Range { start: 0, end: u64::MAX } => file.synced(before),
                        range => file.range_synced(before, &range),
                    }
                }
            }
            Record::SyncFailed { before, inode } => {
                if let Some(file) = self.files.get_mut(&inode) {
                    file.sync_failed(before);
                }
            }
            Record::Forgotten { inode } => {
                self.files.remove(&inode);
            }
            Record::Renamed(renaming) => {
                let directories = renaming.directories().map(Path::to_owned).collect();
                self.names.push(UnsyncedName { renaming, directories });
            }
            Record::DirectorySynced { before, path } => self.directory_synced(before, &path),
        }
    }

    fn directory_synced(&mut self, before: u64, path: &Path) {
        for name in self.names.iter_mut().filter(|name| name.renaming.number < before) {
            name.directories.retain(|directory| directory != path);
        }
        self.names.retain(|name| !name.directories.is_empty());
    }

    /// The files of which something is not durable, by their inodes.
    pub fn files(&self) -> &BTreeMap<u64, UnsyncedFile> {
        &self.files
    }

    /// Entries after which just these files are not durable as they are now.
    pub fn file_records(&self) -> impl Iterator<Item = Record> {
        self.files.iter().flat_map(|(&inode, file)| file.records(inode))
    }

    /// The names that are not durable, in the order in which they were changed.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &Renaming> + ExactSizeIterator {
        self.names.iter().map(|name| &name.renaming)
    }

    /// How many sectors are not durable.
    pub fn sectors(&self) -> usize {
        self.files.values().map(|file| file.sectors.len()).sum()
    }
}
