//! How the storage is doing.

use std::time::Duration;

use quorate_consensus::LogId;

use crate::failure::StorageFailure;
use crate::state::ScrubStatus;

/// The storage of this node in numbers, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageStatus {
    /// The first index that the log holds, or would hold.
    pub log_first_index: u64,
    /// The last entry of the log.
    pub log_last: Option<LogId>,
    /// Bytes of entries in the log, roughly.
    pub log_bytes: u64,
    /// Bytes of entries behind the newest snapshot, roughly.
    pub log_bytes_since_snapshot: u64,
    /// Bytes of entries on their way to the disk.
    pub log_unflushed_bytes: u64,
    /// Rounds of the log that were flushed since the node started.
    pub flush_count: u64,
    /// Bytes of entries in all of them.
    pub flushed_bytes: u64,
    /// How long the last round took.
    pub flush_last: Duration,
    /// How long all rounds took.
    pub flush_total: Duration,
    /// The last entry that was applied.
    pub applied: Option<LogId>,
    /// The last entry that is in a checkpoint.
    pub checkpoint: Option<LogId>,
    /// Memory of what is applied but not in a checkpoint, roughly.
    pub overlay_bytes: u64,
    /// The last entry that the newest snapshot covers.
    pub snapshot: Option<LogId>,
    /// The size of the newest snapshot's file.
    pub snapshot_bytes: u64,
    /// Bytes free on the disk when last measured.
    pub disk_free_bytes: u64,
    /// Whether proposals may be taken: the disk is above its low-water mark.
    pub has_room: bool,
    /// What the search for damaged records has done.
    pub scrub: ScrubStatus,
    /// What went wrong for good, if something did.
    pub failure: Option<StorageFailure>,
}
