//! Where finished snapshots are kept: the newest one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use quorate_consensus::{LogId, SnapshotFile, SnapshotMeta};

use super::reader::{SnapshotError, SnapshotReader};
use crate::durable;
use crate::error::OpenError;
use crate::layout::{SNAPSHOTS, UNFINISHED_SUFFIX};

const SUFFIX: &str = ".snapshot";

/// A finished snapshot.
#[derive(Clone, Debug)]
pub(crate) struct KeptSnapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) file: SnapshotFile,
    pub(crate) bytes: u64,
    /// It was found to be damaged. It stays until another is in its place: without any, Raft has nothing to
    /// send to those who need what the log no longer holds.
    damaged: bool,
}

impl KeptSnapshot {
    fn new(meta: SnapshotMeta, path: PathBuf, bytes: u64) -> Self {
        Self { meta, file: SnapshotFile::keep(path), bytes, damaged: false }
    }

    /// Whether it makes another one, of this moment, needless.
    pub(crate) fn covers(&self, last_log_id: &Option<LogId>) -> bool {
        match self.damaged {
            false => self.meta.last_log_id >= *last_log_id,
            true => self.meta.last_log_id > *last_log_id,
        }
    }
}

/// The directory of finished snapshots.
#[derive(Debug)]
pub(crate) struct SnapshotShelf {
    path: PathBuf,
    current: Mutex<Option<KeptSnapshot>>,
    /// Large files that are snapshots no longer, and are to be removed slowly.
    retired: Mutex<Vec<PathBuf>>,
}

impl SnapshotShelf {
    /// Finds the newest snapshot in a data directory and removes everything else.
    pub(crate) fn open(root: &Path) -> Result<Self, OpenError> {
        let path = root.join(SNAPSHOTS);
        if !path.is_dir() {
            return Err(OpenError::missing(root, SNAPSHOTS));
        }
        for unfinished in list(&path, UNFINISHED_SUFFIX)? {
            fs::remove_file(&unfinished).map_err(OpenError::io(&unfinished))?;
        }
        let files = list(&path, SUFFIX)?.into_iter();
        let mut found = files.map(|file| inspect(root, file)).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|kept| kept.meta.last_log_id);
        let current = found.pop();
        for older in found {
            fs::remove_file(older.file.path()).map_err(OpenError::io(older.file.path()))?;
        }
        Ok(Self { path, current: Mutex::new(current), retired: Mutex::default() })
    }

    /// The files of the finished snapshots in a data directory.
    pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>, OpenError> {
        list(&root.join(SNAPSHOTS), SUFFIX)
    }

    /// The newest snapshot.
    pub(crate) fn current(&self) -> Option<KeptSnapshot> {
        self.lock().clone()
    }

    /// A name for a snapshot that is not finished.
    pub(crate) fn unfinished_path(&self) -> PathBuf {
        self.path.join(format!("building{UNFINISHED_SUFFIX}"))
    }

    /// Keeps a file that is flushed, instead of what was kept before. If there is a newer one already,
    /// removes the file instead. Gives the newest one. What was kept before is removed when those who are
    /// about to send it have finished.
    pub(crate) fn publish(&self, file: &Path, meta: &SnapshotMeta) -> io::Result<KeptSnapshot> {
        let mut current = self.lock();
        if let Some(newer) = &*current
            && newer.covers(&meta.last_log_id)
        {
            if newer.file.path() != file {
                fs::remove_file(file)?;
            }
            return Ok(newer.clone());
        }
        let path = self.path.join(name(meta));
        durable::rename(file, &path)?;
        let bytes = fs::metadata(&path)?.len();
        let kept = KeptSnapshot::new(meta.clone(), path, bytes);
        let older = current.replace(kept.clone());
        drop(current);
        // One that was damaged may have had the same name.
        if let Some(older) = older.filter(|older| older.file.path() != kept.file.path()) {
            self.retire(older)?;
        }
        Ok(kept)
    }

    /// Removes a snapshot that is on the shelf no longer, or leaves that to whoever still reads it. A large one
    /// only loses its name: see [`SnapshotShelf::take_retired`].
    fn retire(&self, older: KeptSnapshot) -> io::Result<()> {
        older.file.retire();
        if older.bytes > durable::REMOVED_BYTES_MAX && !older.file.is_shared() {
            // A part of it must not be taken for a snapshot after a crash.
            let mut retired = older.file.path().as_os_str().to_owned();
            retired.push(UNFINISHED_SUFFIX);
            let retired = PathBuf::from(retired);
            durable::rename(older.file.path(), &retired)?;
            self.lock_retired().push(retired);
        }
        Ok(())
    }

    /// The large files that have come off the shelf since the last call: for
    /// [`remove_slowly`](super::remove_slowly). The next start removes what is left of them.
    pub(crate) fn take_retired(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lock_retired())
    }

    fn lock_retired(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.retired.lock().expect("no code panics while it holds the list")
    }

    /// This file was found to be damaged: it is to be replaced.
    pub(crate) fn condemn(&self, file: &SnapshotFile) {
        let mut current = self.lock();
        if let Some(kept) = current.as_mut().filter(|kept| kept.file.path() == file.path()) {
            kept.damaged = true;
        }
    }

    /// Keeps a file that arrived from elsewhere and is verified.
    pub(crate) fn adopt(&self, file: &Path, meta: &SnapshotMeta) -> io::Result<()> {
        File::open(file)?.sync_all()?;
        self.publish(file, meta).map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, Option<KeptSnapshot>> {
        self.current.lock().expect("no code panics while it holds the shelf")
    }
}

/// A snapshot's file name: term and index of the last entry that it covers.
fn name(meta: &SnapshotMeta) -> String {
    match &meta.last_log_id {
        Some(log_id) => format!("{}-{}{SUFFIX}", *log_id.leader_id, log_id.index()),
        None => format!("empty{SUFFIX}"),
    }
}

/// The files in a directory of which the names end so, in the order of their names.
fn list(path: &Path, suffix: &str) -> Result<Vec<PathBuf>, OpenError> {
    let mut files = Vec::new();
    for file in fs::read_dir(path).map_err(OpenError::io(path))? {
        let file = file.map_err(OpenError::io(path))?.path();
        if file.to_string_lossy().ends_with(suffix) {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn inspect(root: &Path, path: PathBuf) -> Result<KeptSnapshot, OpenError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = format!("{SNAPSHOTS}/{name}");
    match SnapshotReader::inspect(&path) {
        Ok((header, _)) => {
            let bytes = fs::metadata(&path).map_err(OpenError::io(&path))?.len();
            Ok(KeptSnapshot::new(header.meta, path, bytes))
        }
        Err(SnapshotError::Format(super::FormatError::NewerFormat { found })) => {
            Err(OpenError::NewerFormat {
                path: root.to_owned(),
                part,
                found,
                supported: super::format::FORMAT,
            })
        }
        Err(error) => Err(OpenError::damaged(root, &part, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use quorate_consensus::CommittedLeaderId;

    use super::*;

    fn meta(index: u64) -> SnapshotMeta {
        let last_log_id = Some(LogId::new(CommittedLeaderId::new(1), index));
        SnapshotMeta { last_log_id, ..SnapshotMeta::default() }
    }

    fn publish(shelf: &SnapshotShelf, index: u64, bytes: u64) -> KeptSnapshot {
        let path = shelf.unfinished_path();
        File::create(&path).and_then(|file| file.set_len(bytes)).expect("a file with a hole");
        shelf.publish(&path, &meta(index)).expect("publish")
    }

    #[test]
    fn a_large_snapshot_that_is_replaced_waits_for_its_removal() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(folder.path().join(SNAPSHOTS)).expect("create");
        let shelf = SnapshotShelf::open(folder.path()).expect("open");
        let large = durable::REMOVED_BYTES_MAX + 1;
        let small = publish(&shelf, 1, 1).file.path().to_owned();
        let first = publish(&shelf, 2, large).file.path().to_owned();
        assert!(!small.exists());
        let shared = publish(&shelf, 3, large);
        assert!(!first.exists(), "nobody takes it for a snapshot");
        let retired = shelf.take_retired();
        assert!(retired.len() == 1 && retired[0].exists(), "{retired:?}");
        publish(&shelf, 4, large);
        assert!(shelf.take_retired().is_empty(), "somebody may be sending it");
        assert!(shared.file.path().exists());
        let path = shared.file.path().to_owned();
        drop(shared);
        assert!(!path.exists());
        assert!(SnapshotShelf::files(folder.path()).expect("list").len() == 1);
        // What was not removed in time is removed by the next start, which takes the file for another.
        fs::remove_file(shelf.current().expect("there is one").file.path()).expect("it is no real snapshot");
        SnapshotShelf::open(folder.path()).expect("open again");
        assert!(!retired[0].exists());
    }
}
