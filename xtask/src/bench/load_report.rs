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
    /// Processor time that the generator itself used, in seconds.
    pub generator_cpu_seconds: f64,
}
