//! Whether there is room on the disk.
//!
//! A full disk is met before it happens: below a low-water mark the node refuses proposals, while it can
//! still write what it has already promised and apply deletes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lmdb::Lmdb;

/// The share of an LMDB map that is kept free, if that is less than the reserve.
const MAP_RESERVE_SHARE: u64 = 8;

/// The room that was left when it was last measured. Measuring is a system call; asking is not.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    path: PathBuf,
    reserve_bytes: u64,
    disk_free_bytes: AtomicU64,
    log_map: MapSpace,
    state_map: MapSpace,
}

/// The room in an LMDB map beyond the highest page ever used. Pages that were freed below it are not
/// counted, so this errs towards "no room"; maps are far larger than disks.
#[derive(Debug)]
struct MapSpace {
    free_bytes: AtomicU64,
    reserve_bytes: AtomicU64,
}

impl MapSpace {
    fn unknown() -> Self {
        Self { free_bytes: AtomicU64::new(u64::MAX), reserve_bytes: AtomicU64::new(0) }
    }

    fn measure(&self, lmdb: &Lmdb, reserve_bytes: u64) {
        let (used, size) = (lmdb.used_bytes(), lmdb.map_bytes());
        self.free_bytes.store(size.saturating_sub(used), Ordering::Relaxed);
        self.reserve_bytes.store(reserve_bytes.min(size / MAP_RESERVE_SHARE), Ordering::Relaxed);
    }

    fn has_room(&self) -> bool {
        self.free_bytes.load(Ordering::Relaxed) >= self.reserve_bytes.load(Ordering::Relaxed)
    }
}

impl DiskSpace {
    pub(crate) fn new(path: PathBuf, reserve_bytes: u64) -> Self {
        let disk_free_bytes = AtomicU64::new(u64::MAX);
        let (log_map, state_map) = (MapSpace::unknown(), MapSpace::unknown());
        let space = Self { path, reserve_bytes, disk_free_bytes, log_map, state_map };
        space.measure_disk();
        space
    }

    /// Measures what is left of the disk.
    pub(crate) fn measure_disk(&self) {
        match rustix::fs::statvfs(&self.path) {
            Ok(found) => {
                let free = found.f_bavail.saturating_mul(found.f_frsize);
                self.disk_free_bytes.store(free, Ordering::Relaxed);
            }
            // Not knowing must not stop writes: a full disk is then still met, as a failed flush.
            Err(error) => tracing::warn!(path = %self.path.display(), %error, "free disk space is not known"),
        }
    }

    /// Measures what is left of the log's map.
    pub(crate) fn measure_log(&self, lmdb: &Lmdb) {
        self.log_map.measure(lmdb, self.reserve_bytes);
    }

    /// Measures what is left of the state's map.
    pub(crate) fn measure_state(&self, lmdb: &Lmdb) {
        self.state_map.measure(lmdb, self.reserve_bytes);
    }

    /// Whether proposals may be taken. If there was no room, looks again: somebody may have made some.
    pub(crate) fn has_room(&self) -> bool {
        if self.disk_free_bytes() < self.reserve_bytes {
            self.measure_disk();
        }
        self.disk_free_bytes() >= self.reserve_bytes && self.log_map.has_room() && self.state_map.has_room()
    }

    /// Bytes free on the disk when last measured.
    pub(crate) fn disk_free_bytes(&self) -> u64 {
        self.disk_free_bytes.load(Ordering::Relaxed)
    }
}
