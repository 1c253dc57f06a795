//! A snapshot, as Raft and the network handle it: a finished file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A snapshot in a file that is complete and will not change. What is in it is the storage layer's
/// business; the network moves its bytes.
///
/// Clones share the file. A file that was made to be consumed (received from a peer, to be installed),
/// or that a newer snapshot has replaced, is removed when the last clone is dropped: until then somebody
/// may be about to read it.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    remove_on_drop: AtomicBool,
}

impl SnapshotFile {
    /// A snapshot that stays on disk.
    pub fn keep(path: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { path: path.into(), remove_on_drop: AtomicBool::new(false) }) }
    }

    /// A snapshot whose file is removed when the last clone is dropped.
    pub fn temporary(path: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { path: path.into(), remove_on_drop: AtomicBool::new(true) }) }
    }

    /// Nobody will ask for this file any more: whoever has it still may finish with it.
    pub fn retire(&self) {
        self.inner.remove_on_drop.store(true, Ordering::Relaxed);
    }

    /// Whether there are other clones, whose holders may be reading the file.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.remove_on_drop.get_mut() {
            // The storage layer may have moved the file to where it belongs; what it left behind, or
            // what could not be removed, is swept at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
