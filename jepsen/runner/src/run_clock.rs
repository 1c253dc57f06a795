//! The clock of a run.

use std::time::{Duration, Instant};

/// Nanoseconds since a run began. Operations and faults are told by the same one, so that they can be laid over each
/// other.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    began: Instant,
}

impl RunClock {
    /// A run begins now.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Nanoseconds since it began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).expect("no run takes centuries")
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
