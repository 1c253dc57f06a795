//! A disk that loses what was not synced, under the real LMDB and the real files.
//!
//! # How it works
//!
//! This crate defines `write`, `pwrite`, `writev`, `pwritev`, `fsync`, `fdatasync`, `msync` and
//! `rename` (and the `…64` names that Rust's std uses). A program that links it calls these instead of
//! the C library's: Rust's std does, and so does LMDB's C code, which is linked statically. Each does
//! what it is asked through the system call itself, so the process sees every byte that it wrote, also
//! through a memory map. Beside that, for files below a directory that was [`enable`]d, a model keeps
//! *what the disk would hold* if power were lost now: of each page that was written and not synced, its
//! content at the last sync.
//!
//! When power is lost, the fate of each such page is drawn from a seed: it reached the disk, it did
//! not, or some of its sectors did. The length of a file that grew, being metadata, is the old one, the
//! new one or something between. A `rename` that no `fsync` of its directory made durable may be
//! undone; those that survive are the first ones, as in a journal.
//!
//! # When power is lost
//!
//! A *directory* loses power, with everything below it: that is one node with its log, its state and
//! its small files. Either at a quiet moment, by [`power_loss`]; or in the middle of an operation:
//! [`arm`] lights a fuse that burns with each intercepted operation below the directory. When it has
//! burnt down, what every file of the directory holds at that instant is frozen, and a callback is
//! told, which kills the simulated node. The code that was interrupted runs on to its next await, and
//! nothing it writes until then counts. [`power_loss`] then writes the frozen image back.
//!
//! A process that is killed without power loss loses nothing: its writes are in the kernel's page
//! cache, and stay unsynced.
//!
//! # Failures
//!
//! [`fail_writes`] is a full disk (`ENOSPC`). [`fail_sync`] fails the next sync (`EIO`) as Linux does:
//! the pages that failed count as clean afterwards, so a second sync succeeds and yet saves nothing.
//!
//! # What is not modelled
//!
//! Creating, removing and truncating files is durable at once; so are writes by other system calls
//! (`copy_file_range`, which `std::fs::copy` and `std::io::copy` use). A write through a memory map
//! cannot be seen, so `msync` ends the process: LMDB's `WRITE_MAP` is not supported. LMDB's `lock.mdb`
//! is not a file of the disk: a machine that boots has none.

mod directory_image;
mod disk;
mod interpose;
mod modelled_file;
mod random;
mod renames;

use std::path::Path;

/// Models the files below `directory`, which exists, for which `models` returns true: it is asked once
/// for each file, by the path of the first write. What the files hold now is on the disk. Other
/// directories that were enabled before stay so.
pub fn enable(directory: &Path, models: impl Fn(&Path) -> bool + Send + 'static) {
    disk::with(|disk| disk.enable(&canonical(directory), Box::new(models)));
}

/// Ends the modelling of an [`enable`]d directory, with everything that is known of its files.
pub fn forget(directory: &Path) {
    disk::with(|disk| disk.forget(&canonical(directory)));
}

/// For [`enable`]: every file is modelled, but for LMDB's table of readers, which is no data.
pub fn all_but_lock_files(path: &Path) -> bool {
    path.file_name() != Some(disk::LOCK_FILE.as_ref())
}

/// Lets power be lost below `directory` in the middle of an operation, after `operations_until_loss`
/// further ones (writes, syncs and renames) have been completed there. `seed` decides what survives.
/// `on_blow` runs at that moment, inside the interrupted operation.
pub fn arm(directory: &Path, seed: u64, operations_until_loss: u64, on_blow: impl FnOnce() + Send + 'static) {
    disk::with(|disk| disk.arm(&canonical(directory), seed, operations_until_loss, Box::new(on_blow)));
}

/// Whether the fuse of an [`arm`]ed directory has burnt down.
pub fn blown(directory: &Path) -> bool {
    disk::with(|disk| disk.blown(&canonical(directory)))
}

/// How many pages below `directory` were written and not synced.
pub fn unsynced(directory: &Path) -> usize {
    disk::with(|disk| disk.unsynced(&canonical(directory)))
}

/// Power is lost below `directory`: now, with what `seed` lets survive, or when its fuse had burnt
/// down. The files are left as the next boot finds them. Returns the number of unsynced pages at the
/// loss.
///
/// # Panics
///
/// If this process has files below `directory` open, among them LMDB environments: the node has to be
/// gone first.
pub fn power_loss(directory: &Path, seed: u64) -> usize {
    let directory = canonical(directory);
    let (image, unsynced) = disk::with(|disk| disk.lose_power(&directory, seed));
    let open = disk::open_below(&directory);
    assert!(open.is_empty(), "power is lost while files are open: {open:?}");
    disk::with(|_| image.write_to(&directory));
    unsynced
}

/// While `fail`, every write to a file below `directory` fails with `ENOSPC`.
pub fn fail_writes(directory: &Path, fail: bool) {
    disk::with(|disk| disk.fail_writes(&canonical(directory), fail));
}

/// Lets the next sync of a file below `directory` fail with `EIO`.
pub fn fail_sync(directory: &Path) {
    disk::with(|disk| disk.fail_sync(&canonical(directory)));
}

/// Takes [`fail_sync`] back, if no sync has failed since.
pub fn spare_sync(directory: &Path) {
    disk::with(|disk| disk.spare_sync(&canonical(directory)));
}

/// How many operations below the [`enable`]d `directory` have failed because of [`fail_writes`] and
/// [`fail_sync`].
pub fn errors(directory: &Path) -> u64 {
    disk::with(|disk| disk.errors(&canonical(directory)))
}

/// How many operations on modelled files have been intercepted in this process. It tells whether the
/// C library's functions are really replaced in this program.
pub fn operations() -> u64 {
    disk::with(|disk| disk.operations())
}

/// The path as the kernel names it. A directory that is gone has no other name than the given one.
fn canonical(directory: &Path) -> std::path::PathBuf {
    directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf())
}
