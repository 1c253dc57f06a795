//! Plans: everything that a run does, as plain data.
//!
//! A seed gives a plan ([`derive`](self::derive::derive)), and a plan with its seed gives a run. The
//! plan is what is kept of a failure, because it survives changes of the derivation and can be cut down
//! by hand: remove faults, clients or seconds, and run it again.
//!
//! Randomness in here comes from a generator of our own ([`dice`]), not from the simulated world's, so
//! that how the world draws its numbers does not change what is planned.

pub mod changes;
mod check;
pub mod clocks;
pub mod derive;
mod derive_changes;
mod derive_clocks;
mod derive_gaps;
mod derive_leases;
mod derive_store;
pub mod dice;
pub mod faults;
pub mod recovery;
pub mod store_workload;
pub mod workload;

use serde::{Deserialize, Serialize};

pub use changes::{Change, PlannedChange};
pub use clocks::{ClockPlan, ClocksPlan};
pub use derive::derive;
pub use derive_leases::hunt_leases;
pub use faults::{Fault, PlannedFault, Target};
pub use recovery::{RecoveryPlan, VOTERS_MIN};
pub use store_workload::{Job, SettingPlan, StoreClientPlan};
pub use workload::{ClientPlan, OperationMix, WorkloadPlan};

/// The version of the plan's form. A plan of another version is refused.
pub const PLAN_VERSION: u32 = 1;

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The form of the plan: [`PLAN_VERSION`].
    pub version: u32,
    /// The seed of everything that the plan leaves open: the order of tasks, latencies, entropy.
    pub seed: u64,
    /// How many nodes form the cluster. They are members 1 to this.
    pub members: u64,
    /// How many more machines stand ready to join it, with the numbers above. Plans from before there were such
    /// do not say.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spares: u64,
    /// How the network is when nothing is wrong with it.
    pub network: NetworkPlan,
    /// How the disks are when nothing is wrong with them.
    pub disk: DiskPlan,
    /// How the clocks are. Plans from before they differed do not say.
    #[serde(default, skip_serializing_if = "ClocksPlan::is_exact")]
    pub clocks: ClocksPlan,
    /// How the replicas are set up.
    pub replica: ReplicaPlan,
    /// What the clients do.
    pub workload: WorkloadPlan,
    /// What goes wrong, and when.
    pub faults: Vec<PlannedFault>,
    /// What an operator does to the members, one after the other. Plans from before there were such do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PlannedChange>,
    /// What stays broken when the rest is healed: a minority.
    pub broken_for_ever: Vec<Broken>,
    /// Whether in the end a majority is lost, and how. Plans from before there was such do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryPlan>,
}

/// The latency of a message, drawn evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPlan {
    /// The least, in microseconds.
    pub latency_min_us: u64,
    /// The greatest, in microseconds.
    pub latency_max_us: u64,
}

/// How long a round of a disk takes: see [`crate::environment::DiskLatency`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskPlan {
    /// The least time, in microseconds.
    pub shortest_us: u64,
    /// The greatest time, in microseconds.
    pub longest_us: u64,
    /// How many even draws the time is the least of.
    pub draws: u32,
    /// One round in so many stalls; 0 means none.
    pub stall_one_in: u32,
    /// How long a stall takes, in milliseconds.
    pub stall_ms: u64,
}

/// How the replicas are set up. Small numbers, so that what is rare in production happens often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaPlan {
    /// The heartbeat interval, in milliseconds.
    pub heartbeat_interval_ms: u64,
    /// How long applied writes wait in memory before a checkpoint, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// How many bytes of applied writes bring a checkpoint forward.
    pub checkpoint_bytes: u64,
    /// How many bytes of applied writes may wait for a checkpoint.
    pub overlay_bytes_max: u64,
    /// How large one file of the log is, in bytes: a power of two. Plans from before this was varied do not
    /// say.
    #[serde(default = "log_segment_bytes_unsaid")]
    pub log_segment_bytes: u64,
    /// How many bytes of log make a snapshot due.
    pub snapshot_log_bytes: u64,
    /// How many bytes of log stay behind a snapshot.
    pub log_keep_bytes: u64,
    /// How many bytes of recent entries stay in memory.
    pub tail_bytes_max: u64,
    /// How many bytes of entries may wait for the disk.
    pub unflushed_bytes_max: u64,
    /// How many bytes of entries are read, and sent, at once.
    pub read_batch_bytes_max: u64,
    /// What nodes are told of how wrong clocks may be, in millionths; they answer under leases then. Absent: no
    /// leases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_drift_max_ppm: Option<u32>,
}

/// What plans that do not name the size of the log's files ran with.
fn log_segment_bytes_unsaid() -> u64 {
    64 << 10
}

/// A node that stays broken for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broken {
    /// Which member.
    pub member: u64,
    /// In which way.
    pub how: BrokenHow,
}

/// The way in which a node stays broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenHow {
    /// It does not run.
    Down,
    /// It runs and reaches no other node.
    Isolated,
    /// It hears the other nodes, which do not hear it.
    Mute,
    /// It is heard by the other nodes and does not hear them.
    Deaf,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Plan {
    /// The number of machines for nodes. They are numbered from 1 on, as the members that run on them are.
    pub fn machines(&self) -> u64 {
        self.members + self.spares
    }

    /// Refuses a plan that cannot be run.
    pub fn check(&self) -> Result<(), String> {
        check::check(self)
    }

    /// The plan as text, as it is kept in a file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and names can be written as JSON");
        text.push('\n');
        text
    }

    /// A plan from a file.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| format!("this is not a plan: {error}"))?;
        plan.check()?;
        Ok(plan)
    }
}
