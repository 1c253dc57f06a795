//! What a node says of how its store is kept: room, history, and work in the background.

use serde::{Deserialize, Serialize};

/// How much of its quota the store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum QuotaState {
    /// There is none.
    Unlimited,
    /// Little enough.
    Good,
    /// So much that it is time to do something.
    Warning,
    /// All of it, or more than it was lowered to: puts are refused.
    Exceeded,
}

impl QuotaState {
    /// Every state.
    pub const ALL: [QuotaState; 4] =
        [QuotaState::Unlimited, QuotaState::Good, QuotaState::Warning, QuotaState::Exceeded];

    /// The state's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            QuotaState::Unlimited => "unlimited",
            QuotaState::Good => "good",
            QuotaState::Warning => "warning",
            QuotaState::Exceeded => "exceeded",
        }
    }
}

/// The quota and what the store takes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotaStatus {
    /// How they compare.
    pub state: QuotaState,
    /// Bytes of all records, the history's included.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub stored_bytes: u64,
    /// The bytes that the store may hold, 0 if there is no limit.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub quota_bytes: u64,
}

/// How much of the past can be read, and how much of the rest is still to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompactionStatus {
    /// The oldest revision that can be read, 0 if all can.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub compacted_revision: u64,
    /// Revisions that compaction gave up and whose records are still there.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub sweep_backlog: u64,
}

/// What the node does besides serving requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackgroundStatus {
    /// Sessions that there are, expired ones included until they are removed.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub session_count: u64,
    /// The number of the newest mark of a digest in the node's state, 0 if there was none.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub digest_mark: u64,
    /// Comparisons of all nodes' digests that this node has led since it started.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub digests_compared: u64,
    /// How often all records on this node's disk were read in search of damage since it started.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub scrub_passes: u64,
    /// Records that were checked in this search.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub scrubbed_records: u64,
    /// Batches of its log that it has flushed since it started.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub log_flushes: u64,
    /// How long the last of them took, in microseconds.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub log_flush_last_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_the_quota_has_its_name_in_json() {
        for state in QuotaState::ALL {
            assert_eq!(serde_json::to_string(&state).expect("serialises"), format!("{:?}", state.name()));
        }
    }
}
