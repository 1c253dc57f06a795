//! What the clients of a run saw.
//!
//! Every workload has a history of its own, recorded as it happens and kept as JSON lines: the verdict is given on
//! exactly the bytes that stand in the file, and `quorate-jepsen check` gives it again. Besides, every request leaves
//! a [`Sample`] for the plots and for the time that the store was away, and every answer that tells a revision of the
//! store leaves what the rules across keys are checked by.

mod file;
mod observation;
mod recorder;
mod sample;

pub use file::HistoryFile;
pub use observation::{Freshness, Revealed, Snapshot, SnapshotEntry};
pub use recorder::{Call, Completion, Operation, Recorder};
pub use sample::{Outcome, Sample};

use serde::Serialize;

use crate::property::Property;
use crate::workload::WorkloadName;

/// The history of one workload.
#[derive(Clone, Debug)]
pub struct WorkloadHistory {
    /// Which one.
    pub workload: WorkloadName,
    /// Its events in the order of time: when, in nanoseconds of the run, and the line of JSON with its line feed.
    pub lines: Vec<(u64, Vec<u8>)>,
    /// What was read of many keys, of the past or of whatever a node had, for the rules that the checker does not
    /// know.
    pub snapshots: Vec<Snapshot>,
}

/// All that the clients of a run saw.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    /// By workload.
    pub workloads: Vec<WorkloadHistory>,
    /// Every request, in the order in which they ended.
    pub samples: Vec<Sample>,
    /// Every revision of the store that an answer told.
    pub revealed: Vec<Revealed>,
    /// What convicts the store without any check, such as an answer that its API does not give.
    pub convictions: Vec<Conviction>,
}

/// What convicts the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conviction {
    /// When it was seen, or when the request began that shows it, in nanoseconds of the run.
    pub when: u64,
    /// What it convicts the store of.
    pub property: Property,
    /// What was seen, and why that cannot be, in a sentence.
    pub what: String,
}
