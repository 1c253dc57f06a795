//! Up to where the state is safe on disk.

use std::sync::Mutex;

use quorate_consensus::LogId;

/// The log ID of the newest checkpoint. What the log holds up to it may be purged.
#[derive(Debug, Default)]
pub(crate) struct CheckpointMark {
    log_id: Mutex<Option<LogId>>,
}

impl CheckpointMark {
    pub(crate) fn get(&self) -> Option<LogId> {
        *self.lock()
    }

    /// The state up to `log_id` is on disk.
    pub(crate) fn set(&self, log_id: Option<LogId>) {
        let mut current = self.lock();
        assert!(*current <= log_id, "checkpoints only go forward");
        *current = log_id;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<LogId>> {
        self.log_id.lock().expect("no code panics while it holds the mark")
    }
}
