//! From a seed to reads under leases, and to what is most dangerous for them.
//!
//! A leader may rely on its lease while no follower can have voted for another. It goes wrong, if clocks do more
//! than they may, where a follower has not heard of the leader for long and tries to be elected again and again:
//! then the lease of the last follower ends, and in the same moment there is another leader, of which the old
//! one, being cut off, does not know.

use super::dice::Dice;
use super::{ClockPlan, DiskPlan, Fault, NetworkPlan, Plan, PlannedFault, Target};

/// How often a leader is hunted, in milliseconds.
const PERIOD_MS: u64 = 3_500;
/// For so long clients work each time, from shortly before the leader is cut off.
const BURST_MS: u64 = 800;
/// Of a hundred seeds with leases, in so many leaders are hunted, if there are followers.
const HUNT_PERCENT: u64 = 25;
/// As wrong as clocks may be, so that a lease is relied on for much too long if that is ignored.
const DRIFT_PPM: u64 = 100_000;

/// In some seeds nodes answer under leases, as they are told that clocks keep to their bound.
pub(super) fn hunt_leases(dice: &mut Dice, plan: &mut Plan) {
    if !dice.chance(50) {
        return;
    }
    let is_hunted = dice.chance(HUNT_PERCENT) && plan.members >= 3 && plan.changes.is_empty();
    if is_hunted {
        hunt(plan);
    }
    plan.replica.clock_drift_max_ppm = u32::try_from(plan.clocks.drift_ppm_max).ok();
    let share = if is_hunted { 16 } else { dice.pick(&[4, 12]) };
    plan.workload.clients.iter_mut().for_each(|client| client.mix.get_lease = share);
}

/// Nothing but this goes wrong, and clients ask as often as they can when it does.
fn hunt(plan: &mut Plan) {
    let drift_ppm = DRIFT_PPM as i64;
    plan.clocks.drift_ppm_max = DRIFT_PPM;
    // All as fast as they may be, so that a leader's can be slow.
    plan.clocks.of_members = (1..=plan.members)
        .map(|member| ClockPlan { member, drift_ppm, wall_ahead_ms: 0, uptime_ms: 1_000 * member })
        .collect();
    plan.replica.heartbeat_interval_ms = 150;
    plan.network = NetworkPlan { latency_min_us: 200, latency_max_us: 500 };
    plan.disk = DiskPlan { shortest_us: 100, longest_us: 600, draws: 3, stall_one_in: 0, stall_ms: 0 };
    plan.faults.clear();
    let mut add = |at_ms, duration_ms, fault| plan.faults.push(PlannedFault { at_ms, duration_ms, fault });
    for at_ms in (1..plan.workload.duration_ms / PERIOD_MS).map(|number| number * PERIOD_MS) {
        add(at_ms - 1_000, 2_300, Fault::ClockDrift { target: Target::Leader, drift_ppm: -drift_ppm });
        add(at_ms - 900, 2_000, Fault::OneWay { from: Target::Leader, to: Target::Follower(0) });
        add(at_ms + 100, 1_000, Fault::Isolate { target: Target::Leader });
    }
    let workload = &mut plan.workload;
    (workload.burst_ms, workload.rest_ms) = (BURST_MS, PERIOD_MS - BURST_MS);
    workload.clients.truncate(6);
    for (position, client) in workload.clients.iter_mut().enumerate() {
        client.home = Some(1 + position as u64 % plan.members);
        (client.pause_ms_max, client.mix.put, client.mix.get) = (3, 8, 1);
        (client.patience_ms, client.server_timeout_ms, client.read_back_percent) = (300, 300, 0);
    }
}
