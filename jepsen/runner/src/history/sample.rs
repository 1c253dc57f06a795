//! Requests as the plots need them.

use serde::Serialize;

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered. That a condition did not hold is an answer.
    Ok,
    /// It certainly had no effect.
    Failed,
    /// It may have had one, or may have it yet.
    Unknown,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was sent, in nanoseconds of the run.
    pub began: u64,
    /// When its answer was there, or it was given up.
    pub ended: u64,
    /// The node that was asked.
    pub node: u8,
    /// Whether it could have changed something.
    pub is_write: bool,
    /// How it ended.
    pub outcome: Outcome,
}
