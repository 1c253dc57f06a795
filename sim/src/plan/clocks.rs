//! The clocks of the machines.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The clocks of a run. A plan that does not say has clocks that all show true time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClocksPlan {
    /// The bound that every clock keeps, also one that drifts by a fault: in a million seconds it goes wrong
    /// by no more than so many.
    pub drift_ppm_max: u64,
    /// The clock of each member when nothing is wrong. Those that are not named show true time.
    pub of_members: Vec<ClockPlan>,
}

/// The clock of one member's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockPlan {
    /// Whose.
    pub member: u64,
    /// By how many millionths it is fast; slow if less than 0.
    pub drift_ppm: i64,
    /// By how many milliseconds the wall clock is ahead; behind if less than 0.
    pub wall_ahead_ms: i64,
    /// How long the machine has been up when the run begins, in milliseconds.
    pub uptime_ms: u64,
}

impl ClocksPlan {
    /// Whether all clocks show true time.
    pub fn is_exact(&self) -> bool {
        *self == Self::default()
    }

    /// The clock of a member.
    pub fn of(&self, member: u64) -> ClockPlan {
        let exact = ClockPlan { member, drift_ppm: 0, wall_ahead_ms: 0, uptime_ms: 0 };
        self.of_members.iter().find(|clock| clock.member == member).copied().unwrap_or(exact)
    }

    /// The most true time that can pass while some clock of the run goes on by `shown`.
    pub fn longest(&self, shown: Duration) -> Duration {
        const MILLION: u64 = 1_000_000;
        let nanos = shown.as_nanos() * u128::from(MILLION) / u128::from(MILLION - self.drift_ppm_max);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
