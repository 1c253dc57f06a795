//! Whether there is room on the disk.
//!
//! A full disk is met before it happens: below a low-water mark the node refuses proposals, while it can
//! still write what it has already promised and apply deletes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use quorate_environment::Moment;

use crate::lmdb::Lmdb;

/// The share of what is set aside for log or state that is kept free, if that is less than the reserve.
const RESERVE_SHARE: u64 = 8;

/// Deletes are taken until only one of this many parts of the reserve is left: they too are written to log
/// and history before they make room, and what has been promised must still fit.
const DELETES_RESERVE_PARTS: u64 = 2;
/// How often the log looks whether somebody has made room for its next file.
const LOG_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// The room that was left when it was last measured. Measuring is a system call; asking is not.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    path: PathBuf,
    reserve_bytes: u64,
    disk_free_bytes: AtomicU64,
    log: PartSpace,
    log_starved: AtomicBool,
    /// When the log may try again to make its next file, after there was no room.
    log_retry: Mutex<Moment>,
    state: PartSpace,
}

/// The room in what is set aside for a part: the files of the log, or an LMDB map beyond the highest page
/// ever used. Pages that were freed below it are not counted, so this errs towards "no room"; maps are far
/// larger than disks.
#[derive(Debug)]
struct PartSpace {
    free_bytes: AtomicU64,
    reserve_bytes: AtomicU64,
}

impl PartSpace {
    fn unknown() -> Self {
        Self { free_bytes: AtomicU64::new(u64::MAX), reserve_bytes: AtomicU64::new(0) }
    }

    fn measure(&self, (used, size): (u64, u64), reserve_bytes: u64) {
        self.free_bytes.store(size.saturating_sub(used), Ordering::Relaxed);
        self.reserve_bytes.store(reserve_bytes.min(size / RESERVE_SHARE), Ordering::Relaxed);
    }

    fn has_room(&self, reserve_parts: u64) -> bool {
        let mark = self.reserve_bytes.load(Ordering::Relaxed) / reserve_parts;
        self.free_bytes.load(Ordering::Relaxed) >= mark
    }
}

impl DiskSpace {
    pub(crate) fn new(path: PathBuf, reserve_bytes: u64) -> Self {
        let disk_free_bytes = AtomicU64::new(u64::MAX);
        let (log, state) = (PartSpace::unknown(), PartSpace::unknown());
        let (log_starved, log_retry) = (AtomicBool::new(false), Mutex::default());
        let space = Self { path, reserve_bytes, disk_free_bytes, log, log_starved, log_retry, state };
        space.measure_disk();
        space
    }

    /// Measures what is left of the disk.
    pub(crate) fn measure_disk(&self) {
        match disk_free_bytes(&self.path) {
            Ok(free) => self.disk_free_bytes.store(free, Ordering::Relaxed),
            // Not knowing must not stop writes: a full disk is then still met, as a failed flush.
            Err(error) => tracing::warn!(path = %self.path.display(), %error, "free disk space is not known"),
        }
    }

    /// Notes what is left of the disk space set aside for the log, and whether its next file could not be
    /// made.
    pub(crate) fn measure_log(&self, used_bytes: u64, bytes_max: u64, starved: bool) {
        self.log.measure((used_bytes, bytes_max), self.reserve_bytes);
        self.log_starved.store(starved, Ordering::Relaxed);
    }

    /// Whether the log's next file could not be made for want of room.
    pub(crate) fn is_log_starved(&self) -> bool {
        self.log_starved.load(Ordering::Relaxed)
    }

    /// Whether the log may try again to make the file that there was no room for. Trying costs the disk
    /// work, and many may ask for it.
    pub(crate) fn may_retry_log(&self, now: Moment) -> bool {
        now >= *self.lock_log_retry()
    }

    /// The log tries again now, and not for a while.
    pub(crate) fn retrying_log(&self, now: Moment) {
        *self.lock_log_retry() = now + LOG_RETRY_INTERVAL;
    }

    fn lock_log_retry(&self) -> MutexGuard<'_, Moment> {
        self.log_retry.lock().expect("no code panics while it holds the moment")
    }

    /// Measures what is left of the state's map.
    pub(crate) fn measure_state(&self, lmdb: &Lmdb) {
        self.state.measure((lmdb.used_bytes(), lmdb.map_bytes()), self.reserve_bytes);
    }

    /// Whether proposals may be taken. If there was no room, looks again: somebody may have made some.
    pub(crate) fn has_room(&self) -> bool {
        self.has_part_of_reserve(1)
    }

    /// Whether proposals may be taken that store no values.
    pub(crate) fn has_room_for_deletes(&self) -> bool {
        self.has_part_of_reserve(DELETES_RESERVE_PARTS)
    }

    fn has_part_of_reserve(&self, reserve_parts: u64) -> bool {
        let mark = self.reserve_bytes / reserve_parts;
        if self.disk_free_bytes() < mark {
            self.measure_disk();
        }
        self.disk_free_bytes() >= mark
            && !self.is_log_starved()
            && self.log.has_room(reserve_parts)
            && self.state.has_room(reserve_parts)
    }

    /// So many bytes and the reserve.
    pub(crate) fn with_reserve(&self, bytes: u64) -> u64 {
        bytes.saturating_add(self.reserve_bytes)
    }

    /// Bytes free on the disk, measured now.
    pub(crate) fn disk_free_bytes_now(&self) -> u64 {
        self.measure_disk();
        self.disk_free_bytes()
    }

    /// Bytes free on the disk when last measured.
    pub(crate) fn disk_free_bytes(&self) -> u64 {
        self.disk_free_bytes.load(Ordering::Relaxed)
    }
}

/// Bytes that are free on the disk with this directory, for those who are not its administrator.
pub(crate) fn disk_free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_are_taken_until_half_of_the_reserve_is_used_up() {
        let space = DiskSpace::new(std::env::temp_dir(), 100);
        let rooms = [650, 740, 760].map(|used_bytes| {
            space.measure_log(used_bytes, 800, false);
            (space.has_room(), space.has_room_for_deletes())
        });
        assert_eq!(rooms, [(true, true), (false, true), (false, false)]);
        space.measure_log(0, 800, true);
        assert!(!space.has_room_for_deletes(), "a log that cannot go on takes nothing");
    }
}
