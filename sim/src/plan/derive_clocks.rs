//! From a seed to the clocks of its machines, and to what becomes of them.

use super::dice::Dice;
use super::{ClockPlan, ClocksPlan, Fault, PlannedFault, Target};

/// The clocks of a seed; some have clocks that all show true time.
pub(super) fn clocks(dice: &mut Dice, members: u64) -> ClocksPlan {
    if dice.chance(30) {
        return ClocksPlan::default();
    }
    let drift_ppm_max = dice.pick(&[200, 5_000, 50_000, 100_000]);
    let of_members = (1..=members).map(|member| ClockPlan {
        member,
        drift_ppm: drift(dice, drift_ppm_max),
        wall_ahead_ms: signed(dice, &[0, 20, 1_000]),
        uptime_ms: dice.range(0..=100_000_000),
    });
    ClocksPlan { of_members: of_members.collect(), drift_ppm_max }
}

/// In some seeds clocks drift in another way for a while, within the bound, or somebody sets them.
pub(super) fn put_clock_faults(
    dice: &mut Dice,
    (members, duration_ms): (u64, u64),
    clocks: &ClocksPlan,
    faults: &mut Vec<PlannedFault>,
) {
    if clocks.is_exact() {
        return;
    }
    let (drifts, jumps) = (dice.chance(60), dice.chance(50));
    for _ in 0..dice.range(2..=6) {
        let fault_duration_ms = dice.range(500..=6_000);
        let at_ms = dice.range(500..=duration_ms - fault_duration_ms - 500);
        let target = if dice.chance(50) { Target::Leader } else { Target::Member(dice.range(1..=members)) };
        let fault = if drifts && (!jumps || dice.chance(50)) {
            Fault::ClockDrift { target, drift_ppm: extreme_drift(dice, clocks.drift_ppm_max) }
        } else if jumps {
            Fault::WallClockJump { target, by_ms: signed(dice, &[300, 2_000, 20_000, 3_600_000]) }
        } else {
            continue;
        };
        faults.push(PlannedFault { at_ms, duration_ms: fault_duration_ms, fault });
    }
}

/// Any drift within the bound, or as much as it allows.
fn drift(dice: &mut Dice, drift_ppm_max: u64) -> i64 {
    if dice.chance(50) {
        extreme_drift(dice, drift_ppm_max)
    } else {
        sign(dice) * dice.range(0..=drift_ppm_max) as i64
    }
}

fn extreme_drift(dice: &mut Dice, drift_ppm_max: u64) -> i64 {
    sign(dice) * drift_ppm_max as i64
}

fn signed(dice: &mut Dice, choices: &[u64]) -> i64 {
    sign(dice) * dice.pick(choices) as i64
}

fn sign(dice: &mut Dice) -> i64 {
    if dice.chance(50) { 1 } else { -1 }
}
