//! What is remembered between calls, to tell when nothing of the journal is of use any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quorate_faults::record::{Record, Renaming};

/// A file, as the system tells files apart.
pub type FileNumber = (u64, u64);

/// A name that is not durable.
#[derive(Debug)]
struct Pending {
    number: u64,
    /// The directories that have to be synced.
    directories: Vec<PathBuf>,
    /// The file that is kept in case that it comes back; 0 for none.
    kept: u64,
}

/// What is remembered.
#[derive(Debug, Default)]
pub struct State {
    /// Whether files are followed that have been seen.
    pub known: BTreeMap<FileNumber, bool>,
    /// The number of the last change of each file that is not durable, by inode.
    changed: BTreeMap<u64, u64>,
    /// Files of which a sync has failed: later ones do not make durable what that one was for.
    failed: BTreeSet<u64>,
    names: Vec<Pending>,
}

impl State {
    /// As an earlier process left it.
    pub fn of(records: &[Record]) -> Self {
        let mut state = Self::default();
        for record in records {
            match record {
                Record::Changed(change) => state.changed(change.inode, change.number),
                Record::SyncFailed { inode, .. } => state.sync_failed(*inode),
                Record::Forgotten { inode } => state.forget(*inode),
                Record::Renamed(renaming) => state.renamed(renaming),
                Record::Synced { .. } | Record::DirectorySynced { .. } => {}
            }
        }
        state
    }

    /// A file is changed.
    pub fn changed(&mut self, inode: u64, number: u64) {
        self.changed.insert(inode, number);
    }

    /// One range of a file is durable, changed last by `number`. Nothing else of it has to be.
    pub fn range_synced(&mut self, inode: u64, number: u64, before_it: Option<u64>) {
        if self.changed.get(&inode) == Some(&number) {
            match before_it {
                Some(earlier) => self.changed.insert(inode, earlier),
                None => self.changed.remove(&inode),
            };
        }
    }

    /// The last change of a file that is not durable.
    pub fn last_change(&self, inode: u64) -> Option<u64> {
        self.changed.get(&inode).copied()
    }

    /// A file is durable, but for changes from `before` on.
    pub fn synced(&mut self, inode: u64, before: u64) {
        if self.changed.get(&inode).is_some_and(|&number| number < before) {
            self.changed.remove(&inode);
        }
    }

    /// A file could not be made durable.
    pub fn sync_failed(&mut self, inode: u64) {
        self.failed.insert(inode);
    }

    /// Of the files of which a sync has failed, only those in these entries matter any more: the others were written
    /// again and synced.
    pub fn retain_failed(&mut self, records: &[Record]) {
        let failed = records.iter().filter_map(|record| match record {
            Record::SyncFailed { inode, .. } => Some(*inode),
            _ => None,
        });
        self.failed = failed.collect();
    }

    /// What was remembered of an inode is of a file that is gone.
    pub fn forget(&mut self, inode: u64) {
        self.changed.remove(&inode);
        self.failed.remove(&inode);
    }

    /// A name is changed.
    pub fn renamed(&mut self, renaming: &Renaming) {
        let directories = renaming.directories().map(Path::to_owned).collect();
        self.names.push(Pending { number: renaming.number, directories, kept: renaming.kept });
    }

    /// A directory is durable, but for changes from `before` on. Gives the files that need no longer be kept.
    pub fn directory_synced(&mut self, path: &Path, before: u64) -> Vec<u64> {
        for name in self.names.iter_mut().filter(|name| name.number < before) {
            name.directories.retain(|directory| directory != path);
        }
        let durable = self.names.extract_if(.., |name| name.directories.is_empty());
        durable.map(|name| name.kept).filter(|&kept| kept != 0).collect()
    }

    /// Whether all is durable.
    pub fn is_clean(&self) -> bool {
        self.changed.is_empty() && self.failed.is_empty() && self.names.is_empty()
    }
}
