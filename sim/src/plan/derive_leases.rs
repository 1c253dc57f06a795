//! From a seed to reads under leases, and to what is most dangerous for them.
//!
//! A leader may rely on its lease while no follower can have voted for another. It goes wrong, if clocks do more
//! than they may, where a follower has not heard of the leader for long and tries to be elected again and again:
//! then the lease of the last follower ends, and in the same moment there is another leader, of which the old
//! one, being cut off, does not know.

use super::dice::Dice;
use super::{ClockPlan, ClocksPlan, Fault, PlannedFault, ReplicaPlan, Target, WorkloadPlan};

/// How often a leader is hunted, in milliseconds.
const PERIOD_MS: u64 = 4_000;
/// For so long clients work each time, from shortly before the leader is cut off.
const BURST_MS: u64 = 700;
/// Of a hundred seeds whose clocks drift, in so many leaders are hunted.
const HUNT_PERCENT: u64 = 20;

/// In some seeds nodes answer under leases, as they are told that clocks keep to their bound.
pub(super) fn hunt_leases(
    dice: &mut Dice,
    clocks: &mut ClocksPlan,
    replica: &mut ReplicaPlan,
    workload: &mut WorkloadPlan,
    faults: &mut Vec<PlannedFault>,
) {
    if !dice.chance(50) {
        return;
    }
    replica.clock_drift_max_ppm = u32::try_from(clocks.drift_ppm_max).ok();
    let share = dice.pick(&[4, 12]);
    workload.clients.iter_mut().for_each(|client| client.mix.get_lease = share);
    if clocks.drift_ppm_max < 50_000 || !dice.chance(HUNT_PERCENT * 2) {
        return;
    }
    hasten(clocks);
    hunt(clocks.drift_ppm_max as i64, workload, faults);
}

/// Nothing but this goes wrong, and clients ask as often as they can when it does.
fn hunt(drift_ppm: i64, workload: &mut WorkloadPlan, faults: &mut Vec<PlannedFault>) {
    faults.clear();
    let mut add = |at_ms, duration_ms, fault| faults.push(PlannedFault { at_ms, duration_ms, fault });
    for at_ms in (1..workload.duration_ms / PERIOD_MS - 1).map(|number| number * PERIOD_MS) {
        add(at_ms - 1_200, 3_000, Fault::ClockDrift { target: Target::Leader, drift_ppm: -drift_ppm });
        add(at_ms - 1_000, 2_500, Fault::OneWay { from: Target::Leader, to: Target::Follower(0) });
        add(at_ms + 100, 1_300, Fault::Isolate { target: Target::Leader });
    }
    (workload.burst_ms, workload.rest_ms) = (BURST_MS, PERIOD_MS - BURST_MS);
    for client in &mut workload.clients {
        (client.pause_ms_max, client.mix.put, client.mix.get_lease, client.mix.get) = (3, 8, 16, 1);
        (client.patience_ms, client.server_timeout_ms, client.read_back_percent) = (300, 300, 0);
    }
}

/// All clocks as fast as they may be, so that a leader's can be slow.
fn hasten(clocks: &mut ClocksPlan) {
    let drift_ppm = clocks.drift_ppm_max as i64;
    clocks.of_members.iter_mut().for_each(|clock| *clock = ClockPlan { drift_ppm, ..*clock });
}
