//! What the clients of a run do.

use serde::{Deserialize, Serialize};

use super::store_workload::StoreClientPlan;

/// What all clients do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPlan {
    /// How long clients work while things go wrong, in milliseconds.
    pub duration_ms: u64,
    /// How many operations must have been answered before clients stop.
    pub operations_min: u64,
    /// All clients work together for so many milliseconds...
    pub burst_ms: u64,
    /// ...and then rest together for so many; 0 means that they never rest.
    pub rest_ms: u64,
    /// How many keys there are. Few keys mean many operations on each.
    pub keys: u64,
    /// The longest value, in bytes.
    pub value_bytes_max: u64,
    /// The clients of single keys.
    pub clients: Vec<ClientPlan>,
    /// The clients that do more. Plans from before there were such do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store_clients: Vec<StoreClientPlan>,
}

/// What one client does: one operation after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPlan {
    /// The member that it speaks to, or the router ([`crate::cluster::ROUTER`]); without one, another member for
    /// each operation.
    pub home: Option<u64>,
    /// How long it waits for an answer, in milliseconds.
    pub patience_ms: u64,
    /// The time limit that it asks the server for, in milliseconds.
    pub server_timeout_ms: u64,
    /// The longest pause between two operations, in milliseconds.
    pub pause_ms_max: u64,
    /// After how many of a hundred acknowledged writes it reads the key at once, from any member.
    pub read_back_percent: u64,
    /// Which operations.
    pub mix: OperationMix,
}

/// How often each operation is chosen, in proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationMix {
    /// A linearizable read.
    pub get: u64,
    /// A stale read.
    pub get_stale: u64,
    /// A write.
    pub put: u64,
    /// A write if the key is as the client last saw it.
    pub put_if: u64,
    /// A removal.
    pub delete: u64,
    /// A removal if the key is as the client last saw it.
    pub delete_if: u64,
    /// A linearizable read that the leader may answer under its lease. Plans from before there were leases do
    /// not say.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub get_lease: u64,
}

impl OperationMix {
    /// The weights in the order of the fields.
    pub fn weights(&self) -> [u64; 7] {
        let Self { get, get_stale, put, put_if, delete, delete_if, get_lease } = *self;
        [get, get_stale, put, put_if, delete, delete_if, get_lease]
    }
}
