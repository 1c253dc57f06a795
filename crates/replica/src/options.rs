//! How a replica is set up, and why it may not start.

use std::path::PathBuf;
use std::time::Duration;

use quorate_storage::{OpenError, StorageOptions};

/// How a replica is set up.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// This node's member number.
    pub member: u64,
    /// Its data directory.
    pub data_directory: PathBuf,
    /// `HOST:PORT` to listen on for peers.
    pub peer_listen: String,
    /// `http://HOST:PORT` at which clients reach this node, announced to the others.
    pub client_url: String,
    /// `HOST:PORT` at which peers reach this node, announced to them. If not given, what `initial_cluster` says,
    /// or where the node listens.
    pub peer_address: Option<String>,
    /// Every initial member's number and `HOST:PORT` for peers, this one's included. Empty for a node that
    /// joins.
    pub initial_cluster: Vec<(u64, String)>,
    /// Addresses for peers of members of a cluster that this node joins.
    pub join: Vec<String>,
    /// Whether data of a node that was removed, or that belongs to another cluster than the one to be joined, is
    /// set aside for a new node.
    pub force_new: bool,
    /// Whether a node that joins stays a learner until it is promoted.
    pub stays_learner: bool,
    /// Bytes of writes in flight on this node; beyond it writes are refused.
    pub proposal_bytes_in_flight_max: usize,
    /// The heartbeat interval in milliseconds; election timeouts follow from it.
    pub heartbeat_interval_ms: u64,
    /// By how much the clock of any node may run faster or slower than true time, in millionths: with it this
    /// node answers lease reads under its lease. Without it they cost a ReadIndex round, like linearizable
    /// ones.
    pub clock_drift_max_ppm: Option<u32>,
    /// Whether this node should rather not lead: when it does, it hands over to a voter that does not mind.
    pub avoid_leading: bool,
    /// Who repairs a state that is damaged.
    pub repair: RepairPolicy,
    /// How storage is set up.
    pub storage: StorageOptions,
}

/// The largest bound on the drift of clocks that a node takes: a tenth. Beyond it a lease is not worth having.
pub const CLOCK_DRIFT_PPM_MAX: u32 = 100_000;

/// What is done about a state that is damaged, or is not the leader's. Log and vote are never touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepairPolicy {
    /// The node does not start until somebody asks for the repair.
    #[default]
    Manual,
    /// The node repairs itself when it starts.
    Automatic,
}

impl RepairPolicy {
    /// Every policy.
    pub const ALL: [RepairPolicy; 2] = [RepairPolicy::Manual, RepairPolicy::Automatic];

    /// The policy's name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            RepairPolicy::Manual => "manual",
            RepairPolicy::Automatic => "automatic",
        }
    }

    /// The policy with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

impl ReplicaOptions {
    /// The shortest election timeout.
    ///
    /// openraft's followers wait for the leader's lease (the longest election timeout) to run out, and
    /// then for a random timeout on top. With two and three heartbeats a failed leader is found after
    /// 500 to 600 ms at the default of 100 ms; four heartbeats may be lost before anybody stands for
    /// election.
    pub fn election_timeout_min(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms * 2)
    }

    /// The longest election timeout, and the leader's lease.
    pub fn election_timeout_max(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms * 3)
    }

    /// How long a ReadIndex round may take before it is tried again, perhaps with another leader.
    pub fn read_index_timeout(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms * 5)
    }
}

/// Why a replica could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The peer address cannot be bound.
    #[error("cannot listen on {address} for peers: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The settings do not fit together.
    #[error("{0}")]
    Settings(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// The state is damaged, and what it could be made from is out of reach.
    #[error("the state cannot be repaired: {0}")]
    Repair(String),
    /// A record of the state turned out to be damaged while the log was applied to it. That is noted in the
    /// data directory: the next start repairs it, or says that it has to be repaired.
    #[error("{0}")]
    Damaged(String),
    /// Raft refused to start.
    #[error("raft did not start: {0}")]
    Raft(String),
}
