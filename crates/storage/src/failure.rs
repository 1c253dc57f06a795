//! The first thing that went wrong for good.

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use heed::MdbError;
use tokio::sync::Notify;

use crate::damage_note::DamageNote;

/// Why the storage can no longer be trusted. The node must stop; when it starts again it reads what the
/// disk really holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} failed: {reason}")]
pub struct StorageFailure {
    /// What was being done.
    pub what: &'static str,
    /// What went wrong.
    pub reason: String,
    /// What kind of failure it is.
    pub cause: FailureCause,
}

/// What kind of failure it is, for those who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// The disk failed, or the operating system; or something is not as this build expects it.
    Error,
    /// The disk, or the part of it set aside for the log or the state, is full.
    DiskFull,
    /// A record of the state is damaged. Log and vote are not: the node can be repaired.
    Damage,
    /// The state turned out not to be the leader's. Starting the node again changes nothing about that; log
    /// and vote are not concerned: the node can be repaired.
    Divergence {
        /// The entry of the log at which it was noticed.
        index: u64,
    },
}

impl StorageFailure {
    pub(crate) fn new(what: &'static str, reason: impl ToString) -> Self {
        Self { what, reason: reason.to_string(), cause: FailureCause::Error }
    }

    /// A record of the state is not what was written.
    pub(crate) fn damage(what: &'static str, reason: impl ToString) -> Self {
        let reason = format!(
            "{}. Nothing of the state is served any more; the log and the vote are kept. Stop the node and run \
             `quorate repair` on its data directory, or start it with --repair automatic",
            reason.to_string()
        );
        Self { what, reason, cause: FailureCause::Damage }
    }

    pub(crate) fn io(what: &'static str, error: &io::Error) -> Self {
        let cause = if Self::is_disk_full(error) { FailureCause::DiskFull } else { FailureCause::Error };
        Self { cause, ..Self::new(what, error) }
    }

    /// Whether the error says that the disk is full.
    pub(crate) fn is_disk_full(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(crate) fn lmdb(what: &'static str, error: &heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => Self::io(what, error),
            heed::Error::Mdb(MdbError::MapFull) => {
                let reason = "LMDB's map is full: the disk space set aside for this data is used up";
                Self { cause: FailureCause::DiskFull, ..Self::new(what, reason) }
            }
            heed::Error::Mdb(MdbError::Corrupted | MdbError::PageNotFound) => Self::damage(what, error),
            other => Self::new(what, other),
        }
    }

    /// Whether the state must not be served: it is damaged, or is not the leader's.
    pub fn is_damage(&self) -> bool {
        matches!(self.cause, FailureCause::Damage | FailureCause::Divergence { .. })
    }
}

impl From<StorageFailure> for io::Error {
    fn from(failure: StorageFailure) -> Self {
        let kind = if failure.cause == FailureCause::DiskFull {
            io::ErrorKind::StorageFull
        } else {
            io::ErrorKind::Other
        };
        io::Error::new(kind, failure)
    }
}

/// Where the first failure is kept and announced.
#[derive(Debug)]
pub(crate) struct FailureSignal {
    /// The data directory, in which damage is noted, so that no later start serves it either.
    root: PathBuf,
    first: OnceLock<StorageFailure>,
    reported: Notify,
}

impl FailureSignal {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, first: OnceLock::new(), reported: Notify::new() }
    }

    /// Announces a failure. Only the first one counts: the others follow from it.
    pub(crate) fn report(&self, failure: StorageFailure) {
        tracing::error!(%failure, cause = ?failure.cause, "the storage failed; the node must stop");
        let note = DamageNote::of(&failure);
        if self.first.set(failure).is_err() {
            return;
        }
        if let Some(Err(error)) = note.map(|note| note.write(&self.root)) {
            // It will be found again, as it was found now.
            tracing::error!(%error, "the damage could not be noted in the data directory");
        }
        self.reported.notify_waiters();
    }

    /// The first failure, if there was one.
    pub(crate) fn get(&self) -> Option<StorageFailure> {
        self.first.get().cloned()
    }

    /// The failure, if it is one after which the state must not be served.
    pub(crate) fn damage(&self) -> Option<&StorageFailure> {
        self.first.get().filter(|failure| failure.is_damage())
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
