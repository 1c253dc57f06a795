//! What can be set about storage.

use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A snapshot of so many bytes is written less often.
const LARGE_SNAPSHOT_BYTES: u64 = 64 * MIB;

/// Limits and intervals of one node's storage. Local: none of them changes what the state machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// How much disk space all files of the log together may take.
    pub log_bytes_max: u64,
    /// How large one file of the log is. A write that is larger than this gets a file of its own.
    pub log_segment_bytes: u64,
    /// How large the state's LMDB file may become. Address space, not disk space.
    pub state_map_bytes: u64,
    /// How long applied writes wait in memory at most before they are checkpointed. What is lost of them in
    /// a crash is applied again from the log.
    pub checkpoint_interval: Duration,
    /// How many bytes of applied writes bring a checkpoint forward, at the latest. Each small write may take
    /// a page of memory more while it is written.
    pub checkpoint_bytes: u64,
    /// How many bytes of applied writes may wait for the next checkpoint before applying pauses.
    pub overlay_bytes_max: u64,
    /// How many bytes of log make a new snapshot due, at the latest; as many as the newest one has, if it is large.
    pub snapshot_log_bytes: u64,
    /// How many bytes of log stay behind the newest snapshot, so that a node that was away for a moment
    /// catches up from the log.
    pub log_keep_bytes: u64,
    /// The disk's low-water mark: with less than this free there is no room for proposals.
    pub reserve_bytes: u64,
    /// How many bytes of recent entries stay in memory, so that applying and replicating need not read
    /// them from disk.
    pub tail_bytes_max: u64,
    /// How many bytes of entries may wait for the disk before appending pauses.
    pub unflushed_bytes_max: u64,
    /// How many bytes of entries a reader takes at once. A single larger entry is still read.
    pub read_batch_bytes_max: u64,
    /// How many bytes of records are read in a second, in the background, to find damage before somebody
    /// needs them. 0 for never.
    pub scrub_bytes_per_second: u64,
    /// How long the scrub rests when it has read everything.
    pub scrub_pause: Duration,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            log_bytes_max: 256 * GIB,
            log_segment_bytes: 16 * MIB,
            state_map_bytes: 1024 * GIB,
            checkpoint_interval: Duration::from_secs(2),
            checkpoint_bytes: 12 * MIB,
            overlay_bytes_max: 64 * MIB,
            snapshot_log_bytes: 256 * MIB,
            log_keep_bytes: 64 * MIB,
            reserve_bytes: 256 * MIB,
            tail_bytes_max: 8 * MIB,
            unflushed_bytes_max: 64 * MIB,
            read_batch_bytes_max: 512 * KIB,
            scrub_bytes_per_second: 4 * MIB,
            scrub_pause: Duration::from_secs(3600),
        }
    }
}

impl StorageOptions {
    /// By how many bytes the log has to grow until a new snapshot is due, if `log_bytes` of it are behind the newest
    /// one, which has `newest_bytes`, and `percent` of the usual log are enough. `None` while it is too short for any.
    ///
    /// A snapshot holds the whole state. Behind a large one the log is left to grow as long, so that snapshots cost the
    /// disk no more than twice what the log itself does; but they need not wait for that.
    pub(crate) fn log_until_snapshot(&self, log_bytes: u64, newest_bytes: u64, percent: u64) -> Option<u64> {
        let share = |bytes: u64| bytes.saturating_mul(percent) / 100;
        let is_large = newest_bytes >= LARGE_SNAPSHOT_BYTES;
        let usual =
            if is_large { self.snapshot_log_bytes.max(newest_bytes) } else { self.snapshot_log_bytes };
        (log_bytes >= share(self.snapshot_log_bytes)).then(|| share(usual).saturating_sub(log_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_makes_snapshots_rare() {
        let options = StorageOptions { snapshot_log_bytes: 100, ..StorageOptions::default() };
        assert_eq!(options.log_until_snapshot(99, 0, 100), None);
        assert_eq!(options.log_until_snapshot(100, 0, 100), Some(0));
        assert_eq!(options.log_until_snapshot(50, 0, 50), Some(0));
        assert_eq!(options.log_until_snapshot(100, LARGE_SNAPSHOT_BYTES - 1, 100), Some(0));
        assert_eq!(options.log_until_snapshot(99, LARGE_SNAPSHOT_BYTES, 100), None);
        assert_eq!(
            options.log_until_snapshot(100, LARGE_SNAPSHOT_BYTES, 100),
            Some(LARGE_SNAPSHOT_BYTES - 100)
        );
        assert_eq!(options.log_until_snapshot(LARGE_SNAPSHOT_BYTES, LARGE_SNAPSHOT_BYTES, 75), Some(0));
        let options =
            StorageOptions { snapshot_log_bytes: 4 * LARGE_SNAPSHOT_BYTES, ..StorageOptions::default() };
        assert_eq!(options.log_until_snapshot(3 * LARGE_SNAPSHOT_BYTES, 2 * LARGE_SNAPSHOT_BYTES, 100), None);
    }
}
