//! Removes old snapshots, a piece at a time.
//!
//! Many file systems tell the disk which blocks are free again, and the disk does hardly anything else until
//! that is done: hundreds of milliseconds for hundreds of megabytes, in which the log's flushes, and with them
//! the writes of clients, have to wait. All nodes make their snapshots at about the same time, too. So there is
//! a pause between two pieces.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_environment::{Environment, Worker};
use tokio::sync::oneshot;

use crate::durable;

/// Between two pieces. A piece keeps the disk busy for a few milliseconds.
const PAUSE: Duration = Duration::from_millis(100);

/// Removes pieces of one file, on request.
struct Remover {
    path: PathBuf,
}

impl Worker for Remover {
    /// Who is told whether there is more to remove.
    type Job = oneshot::Sender<io::Result<bool>>;

    fn run(&mut self, jobs: Vec<Self::Job>) {
        for done in jobs {
            // Who waited may have gone.
            let _ = done.send(durable::remove_piece(&self.path));
        }
    }
}

/// Removes a file that nobody reads any more, and that the next start removes if this comes to no end:
/// because it is `cancelled`, or because it fails.
pub(crate) async fn remove_slowly<E: Environment>(environment: E, path: PathBuf, cancelled: Arc<AtomicBool>) {
    let (remover, _finished) = environment.spawn_worker("removal", Remover { path: path.clone() });
    while !cancelled.load(Ordering::Relaxed) {
        let (done, removed) = oneshot::channel();
        if remover.submit(done).is_err() {
            return;
        }
        match removed.await {
            Ok(Ok(true)) => environment.sleep(PAUSE).await,
            Ok(Err(error)) => {
                tracing::warn!(path = %path.display(), %error, "an old snapshot stays until the next start");
                return;
            }
            // It is gone, or the worker is.
            Ok(Ok(false)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_environment::TokioEnvironment;

    use super::*;

    fn file(folder: &tempfile::TempDir, bytes: u64) -> PathBuf {
        let path = folder.path().join("file");
        std::fs::File::create(&path).and_then(|file| file.set_len(bytes)).expect("a file with a hole");
        path
    }

    #[tokio::test]
    async fn a_file_is_removed_to_its_end() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = file(&folder, 2 * durable::REMOVED_BYTES_MAX + 1);
        remove_slowly(TokioEnvironment::new(), path.clone(), Arc::default()).await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn nothing_is_removed_any_more_when_the_node_stops() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let bytes = 2 * durable::REMOVED_BYTES_MAX;
        let path = file(&folder, bytes);
        remove_slowly(TokioEnvironment::new(), path.clone(), Arc::new(AtomicBool::new(true))).await;
        assert_eq!(std::fs::metadata(&path).expect("it stays").len(), bytes);
    }
}
