//! The state of the model: one for the process, as there is one C library.

mod intercepted;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::directory_image::DirectoryImage;
use super::modelled_file::{FileIdentity, ModelledFile};
use super::random::Random;
use super::renames::Renames;

/// LMDB's table of readers and locks. It lives in memory: a machine that boots has none.
pub(super) const LOCK_FILE: &str = "lock.mdb";

static DISK: Mutex<Disk> = Mutex::new(Disk::new());

/// Whether any directory is modelled, to be asked without the lock.
static ENABLED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is inside the model, which itself reads and writes files.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Called when a fuse has burnt down.
pub(super) type OnBlow = Box<dyn FnOnce() + Send>;

/// Which files are modelled.
type Predicate = Box<dyn Fn(&Path) -> bool + Send>;

/// Runs `work` on the state. Operations that `work` itself performs on files are not intercepted.
pub(super) fn with<R>(work: impl FnOnce(&mut Disk) -> R) -> R {
    let _inside = Inside::enter();
    // A check that failed while it held the lock has been reported; the state is still consistent.
    work(&mut DISK.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether an operation of this thread concerns the model.
pub(super) fn intercepts() -> bool {
    ENABLED.load(Ordering::Relaxed) && !INSIDE.get()
}

/// Marks this thread as inside the model.
struct Inside {
    before: bool,
}

impl Inside {
    fn enter() -> Self {
        Self { before: INSIDE.replace(true) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.before);
    }
}

/// The files below `directory` that this process has open.
pub(super) fn open_below(directory: &Path) -> Vec<PathBuf> {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("a process sees its own descriptors");
    descriptors
        .filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok())
        .filter(|path| path.starts_with(directory))
        .collect()
}

/// A descriptor that an operation is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor {
    pub(super) number: i32,
    pub(super) identity: FileIdentity,
    pub(super) is_directory: bool,
}

impl Descriptor {
    /// Where the kernel finds the file, whatever has become of its path.
    fn link(self) -> String {
        format!("/proc/self/fd/{}", self.number)
    }
}

/// The whole state.
pub(super) struct Disk {
    modelled: Vec<(PathBuf, Predicate)>,
    files: BTreeMap<FileIdentity, ModelledFile>,
    renames: Renames,
    fuses: BTreeMap<PathBuf, Fuse>,
    /// Directories whose writes fail.
    full: BTreeSet<PathBuf>,
    /// Directories whose next sync fails.
    sync_fails: BTreeSet<PathBuf>,
    /// How many operations were made to fail, by the directory that was told to let them.
    errors: BTreeMap<PathBuf, u64>,
    operations: u64,
}

/// What lets a directory lose power.
enum Fuse {
    Burning { operations_left: u64, seed: u64, on_blow: OnBlow },
    Blown { image: DirectoryImage, unsynced: usize },
}

/// What the public functions do. The directories are canonical.
impl Disk {
    const fn new() -> Self {
        Self {
            modelled: Vec::new(),
            files: BTreeMap::new(),
            renames: Renames::new(),
            fuses: BTreeMap::new(),
            full: BTreeSet::new(),
            sync_fails: BTreeSet::new(),
            errors: BTreeMap::new(),
            operations: 0,
        }
    }

    pub(super) fn enable(&mut self, directory: &Path, models: Predicate) {
        self.forget(directory);
        self.modelled.push((directory.to_path_buf(), models));
        ENABLED.store(true, Ordering::Relaxed);
    }

    pub(super) fn forget(&mut self, directory: &Path) {
        self.modelled.retain(|(modelled, _)| modelled != directory);
        self.forget_files(directory);
        self.fuses.retain(|armed, _| !armed.starts_with(directory));
        self.full.retain(|full| !full.starts_with(directory));
        self.sync_fails.retain(|failing| !failing.starts_with(directory));
        self.errors.retain(|failed, _| !failed.starts_with(directory));
        ENABLED.store(!self.modelled.is_empty(), Ordering::Relaxed);
    }

    fn forget_files(&mut self, directory: &Path) {
        self.files.retain(|_, file| !file.is_below(directory));
        self.renames.forget(directory);
    }

    pub(super) fn arm(&mut self, directory: &Path, seed: u64, operations_left: u64, on_blow: OnBlow) {
        let fuse = Fuse::Burning { operations_left, seed, on_blow };
        self.fuses.insert(directory.to_path_buf(), fuse);
    }

    pub(super) fn blown(&self, directory: &Path) -> bool {
        matches!(self.fuses.get(directory), Some(Fuse::Blown { .. }))
    }

    pub(super) fn unsynced(&self, directory: &Path) -> usize {
        if let Some(Fuse::Blown { unsynced, .. }) = self.fuses.get(directory) {
            return *unsynced;
        }
        let below = self.files.values().filter(|file| file.is_below(directory));
        below.map(ModelledFile::unsynced_pages).sum()
    }

    /// What is left after a loss of power, and how many pages had not been synced. The files are
    /// forgotten: whatever they hold after this is on the disk.
    pub(super) fn lose_power(&mut self, directory: &Path, seed: u64) -> (DirectoryImage, usize) {
        let outcome = match self.fuses.remove(directory) {
            Some(Fuse::Blown { image, unsynced }) => (image, unsynced),
            _ => (self.image_after_loss(directory, seed), self.unsynced(directory)),
        };
        self.forget_files(directory);
        self.sync_fails.remove(directory);
        outcome
    }

    pub(super) fn fail_writes(&mut self, directory: &Path, fail: bool) {
        if fail {
            self.full.insert(directory.to_path_buf());
        } else {
            self.full.remove(directory);
        }
    }

    pub(super) fn fail_sync(&mut self, directory: &Path) {
        self.sync_fails.insert(directory.to_path_buf());
    }

    pub(super) fn spare_sync(&mut self, directory: &Path) {
        self.sync_fails.remove(directory);
    }

    pub(super) fn errors(&self, directory: &Path) -> u64 {
        self.errors.get(directory).copied().unwrap_or_default()
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// What a loss of power now leaves of everything below `directory`.
    fn image_after_loss(&self, directory: &Path, seed: u64) -> DirectoryImage {
        self.try_image_after_loss(directory, seed)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()))
    }

    fn try_image_after_loss(&self, directory: &Path, seed: u64) -> io::Result<DirectoryImage> {
        let mut random = Random::new(seed);
        let mut image = DirectoryImage::paths_below(directory)?;
        image.files.retain(|path, _| path.file_name() != Some(LOCK_FILE.as_ref()));
        for (path, content) in &mut image.files {
            let identity = FileIdentity::of(&std::fs::metadata(path)?);
            *content = match self.files.get(&identity) {
                Some(file) => file.image_after_loss(&mut random)?,
                None => std::fs::read(path)?,
            };
        }
        self.renames.undo_lost(directory, &mut image, &mut random);
        Ok(image)
    }
}
