//! From a seed to short gaps in what a follower hears of its leader.
//!
//! No gap is long enough for anybody to give up on a connection, or on a leader. But what did not get through is
//! tried again after ever longer pauses, connection by connection. So after a gap the answer to a question may overtake
//! entries that had been committed, and acknowledged, while it lasted: a follower's state is behind then, and must
//! not pass for the newest.

use super::dice::Dice;
use super::{Fault, PlannedFault, Target, WorkloadPlan};

/// Of a hundred seeds so many have gaps.
const GAPS_PERCENT: u64 = 25;
const GAPS: u64 = 12;
/// Nothing begins so shortly before the clients end.
const LAST_BEFORE_END_MS: u64 = 1_000;

/// In some seeds there are gaps, most of them while clients work.
pub(super) fn put_gaps(
    dice: &mut Dice,
    members: u64,
    workload: &WorkloadPlan,
    faults: &mut Vec<PlannedFault>,
) {
    if members < 2 || !dice.chance(GAPS_PERCENT) {
        return;
    }
    let period_ms = workload.burst_ms + workload.rest_ms;
    let last_ms = workload.duration_ms - LAST_BEFORE_END_MS;
    for _ in 0..GAPS {
        let duration_ms = dice.range(30..=200);
        let burst_began_ms = dice.range(0..=last_ms / period_ms) * period_ms;
        let at_ms = (burst_began_ms + dice.range(0..=workload.burst_ms)).saturating_sub(duration_ms / 2);
        let fault = Fault::OneWay { from: Target::Leader, to: Target::Follower(dice.range(0..=members)) };
        faults.push(PlannedFault { at_ms: at_ms.min(last_ms), duration_ms, fault });
    }
}
