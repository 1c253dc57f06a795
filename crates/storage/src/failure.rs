//! The first thing that went wrong for good.

use std::io;
use std::sync::OnceLock;

use tokio::sync::Notify;

/// Why the storage can no longer be trusted. The node must stop; when it starts again it reads what the
/// disk really holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {reason}")]
pub struct StorageFailure {
    /// What was being done.
    pub what: &'static str,
    /// What went wrong.
    pub reason: String,
    /// Whether it failed because the disk, or the part of it set aside for the log or the state, is full.
    pub disk_full: bool,
    /// Whether nothing failed here, but the state turned out not to be the leader's. Starting the node again
    /// changes nothing about that.
    pub diverged: bool,
}

impl StorageFailure {
    pub(crate) fn new(what: &'static str, reason: impl ToString) -> Self {
        Self { what, reason: reason.to_string(), disk_full: false, diverged: false }
    }

    pub(crate) fn io(what: &'static str, error: &io::Error) -> Self {
        Self { disk_full: Self::is_disk_full(error), ..Self::new(what, error) }
    }

    /// Whether the error says that the disk is full.
    pub(crate) fn is_disk_full(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(crate) fn lmdb(what: &'static str, error: &heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => Self::io(what, error),
            heed::Error::Mdb(heed::MdbError::MapFull) => {
                let reason = "LMDB's map is full: the disk space set aside for this data is used up";
                Self { disk_full: true, ..Self::new(what, reason) }
            }
            other => Self::new(what, other),
        }
    }
}

impl From<StorageFailure> for io::Error {
    fn from(failure: StorageFailure) -> Self {
        let kind = if failure.disk_full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        io::Error::new(kind, failure)
    }
}

/// Where the first failure is kept and announced.
#[derive(Debug, Default)]
pub(crate) struct FailureSignal {
    first: OnceLock<StorageFailure>,
    reported: Notify,
}

impl FailureSignal {
    /// Announces a failure. Only the first one counts: the others follow from it.
    pub(crate) fn report(&self, failure: StorageFailure) {
        tracing::error!(%failure, disk_full = failure.disk_full, "the storage failed; the node must stop");
        if self.first.set(failure).is_ok() {
            self.reported.notify_waiters();
        }
    }

    /// The first failure, if there was one.
    pub(crate) fn get(&self) -> Option<StorageFailure> {
        self.first.get().cloned()
    }

    /// Refuses to go on after a failure.
    pub(crate) fn check(&self) -> Result<(), StorageFailure> {
        self.first.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Waits for the first failure.
    pub(crate) async fn wait(&self) -> StorageFailure {
        loop {
            let reported = self.reported.notified();
            if let Some(failure) = self.get() {
                return failure;
            }
            reported.await;
        }
    }
}
