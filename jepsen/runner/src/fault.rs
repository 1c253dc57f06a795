//! What was done to a cluster.
//!
//! Whether a fault was really there decides what a run has proved. So each action says of itself how it went: it is
//! *installed* if its effect was seen, *skipped* if it could not be tried (no root, a tool is missing, the cluster would
//! have lost its majority for good), and *indeterminate* if it was tried and nobody can tell.

use serde::Serialize;

/// How an action went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum FaultState {
    /// It was done, and its effect was seen.
    Installed,
    /// It was not tried.
    Skipped {
        /// Why not.
        why: String,
    },
    /// It was tried, and nobody knows what came of it.
    Indeterminate {
        /// What happened.
        why: String,
    },
}

/// One action of a nemesis, from its beginning until it was healed.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// The nemesis, as it is called on the command line.
    pub nemesis: &'static str,
    /// What it did, for people: `leader 3 is cut off`.
    pub action: String,
    /// The nodes that it was done to.
    pub nodes: Vec<u8>,
    /// When it was begun, in nanoseconds of the run.
    pub began: u64,
    /// When it was healed: from then on the cluster has to recover. None for what ends by itself at once.
    pub healed: Option<u64>,
    /// How it went.
    pub state: FaultState,
}
