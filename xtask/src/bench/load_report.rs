//! What the load generator says at its end: one line of JSON on its standard output.
//!
//! The generator is a program of its own, so both programs compile this file.

use serde::{Deserialize, Serialize};

/// What one run of the load generator measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Operations that succeeded within the measured time.
    pub operations: u64,
    /// Operations that failed within the measured time.
    pub errors: u64,
    /// The first failure, in words.
    pub first_error: Option<String>,
    /// Operations that the store refused within the measured time because it had no room for them. They are no
    /// errors.
    pub refusals: u64,
    /// Those of them that did not say when to try again.
    pub abrupt_refusals: u64,
    /// When the measured time began, in milliseconds since the Unix epoch.
    pub started_unix_ms: u64,
    /// The measured time.
    pub seconds: f64,
    /// Operations a second.
    pub rate: f64,
    /// Half of the operations took at most this long.
    pub p50_us: u64,
    /// 99 of 100 operations took at most this long.
    pub p99_us: u64,
    /// 999 of 1,000 operations took at most this long.
    pub p999_us: u64,
    /// The slowest operation.
    pub max_us: u64,
    /// The slowest operation that ended in each second of the measured time.
    pub slowest_us: Vec<u64>,
    /// Processor time that the generator itself used, in seconds.
    pub generator_cpu_seconds: f64,
}
