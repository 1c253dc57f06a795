//! From a seed to reads under leases, and to what is most dangerous for them.
//!
//! A leader may rely on its lease while no follower can have voted for another. It goes wrong, if clocks do more
//! than they may, in one way only. A follower has not heard of the leader for long and tries to be elected again
//! and again; its log is as good as that of the others, because nothing was written meanwhile. Then the leader is
//! cut off from the others too. In the moment in which the lease of one of these ends, by a fast clock, there
//! is another leader, and it takes writes, of which the old one knows nothing. By its own slow clock it has a
//! lease still, and clients that reach it read what is not so any more.
//!
//! Nothing of that can happen by itself often enough, so some seeds do nothing else.

use super::dice::Dice;
use super::{ClientPlan, ClockPlan, DiskPlan, Fault, NetworkPlan, OperationMix, Plan, PlannedFault, Target};

/// Of a hundred seeds with leases, in so many leaders are hunted, if there are followers.
const HUNT_PERCENT: u64 = 25;
/// As wrong as clocks may be, so that a lease is relied on for much too long if that is ignored.
const DRIFT_PPM: u64 = 100_000;
/// How often a leader is hunted, in milliseconds.
const PERIOD_MS: u64 = 3_000;
/// For so long clients work each time. They begin when the leader has been cut off, and end when its lease has.
const BURST_MS: u64 = 300;
/// So long before clients begin the leader is cut off from all.
const CUT_OFF_MS: u64 = 250;
/// So long before that a follower does not hear of it any more. Its third attempt to be elected most often falls
/// into the time after the end of the others' leases and before that of the leader's.
const UNHEARD_MS: u64 = 980;
/// So long before that the leader's clock becomes slow.
const SLOW_MS: u64 = 50;
/// So long after clients have begun all is well again.
const HEALED_MS: u64 = 450;
/// Whoever does not reach a leader tries again soon.
const WRITER_PATIENCE_MS: u64 = 25;
const WRITERS: usize = 4;
const READER_PATIENCE_MS: u64 = 300;

/// In some seeds nodes answer under leases, as they are told that clocks keep to their bound.
pub(super) fn leases(dice: &mut Dice, plan: &mut Plan) {
    if !dice.chance(50) {
        return;
    }
    let is_hunted = dice.chance(HUNT_PERCENT) && plan.members >= 3 && plan.changes.is_empty();
    let share = dice.pick(&[4, 12]);
    if is_hunted {
        return hunt_leases(plan);
    }
    plan.replica.clock_drift_max_ppm = u32::try_from(plan.clocks.drift_ppm_max).ok();
    plan.workload.clients.iter_mut().for_each(|client| client.mix.get_lease = share);
}

/// Lets nothing go wrong in a plan of three members or more but what is told above, again and again.
pub fn hunt_leases(plan: &mut Plan) {
    let drift_ppm = DRIFT_PPM as i64;
    plan.clocks.drift_ppm_max = DRIFT_PPM;
    plan.replica.clock_drift_max_ppm = Some(DRIFT_PPM as u32);
    // All as fast as they may be, so that a leader's can be slow.
    plan.clocks.of_members = (1..=plan.members)
        .map(|member| ClockPlan { member, drift_ppm, wall_ahead_ms: 0, uptime_ms: 1_000 * member })
        .collect();
    plan.replica.heartbeat_interval_ms = 150;
    plan.network = NetworkPlan { latency_min_us: 200, latency_max_us: 500 };
    plan.disk = DiskPlan { shortest_us: 100, longest_us: 600, draws: 3, stall_one_in: 0, stall_ms: 0 };
    plan.faults =
        (1..plan.workload.duration_ms / PERIOD_MS).flat_map(|number| faults(number * PERIOD_MS)).collect();
    let workload = &mut plan.workload;
    (workload.burst_ms, workload.rest_ms) = (BURST_MS, PERIOD_MS - BURST_MS);
    workload.store_clients.clear();
    // Whoever waits for an answer to a write that a leader which is cut off cannot give would read nothing.
    let readers = (1..=plan.members).map(|member| {
        let mix = OperationMix { get_lease: 1, ..OperationMix::default() };
        client(Some(member), READER_PATIENCE_MS, mix)
    });
    let mix = OperationMix { put: 1, ..OperationMix::default() };
    let writers = std::iter::repeat_with(|| client(None, WRITER_PATIENCE_MS, mix)).take(WRITERS);
    workload.clients = readers.chain(writers).collect();
}

/// The faults around the moment in which clients begin to work.
fn faults(begin_ms: u64) -> [PlannedFault; 3] {
    let fault = |before_ms: u64, fault| PlannedFault {
        at_ms: begin_ms - before_ms,
        duration_ms: before_ms + HEALED_MS,
        fault,
    };
    let unheard_ms = CUT_OFF_MS + UNHEARD_MS;
    let slow = Fault::ClockDrift { target: Target::Leader, drift_ppm: -(DRIFT_PPM as i64) };
    [
        fault(unheard_ms + SLOW_MS, slow),
        fault(unheard_ms, Fault::OneWay { from: Target::Leader, to: Target::Follower(0) }),
        fault(CUT_OFF_MS, Fault::Isolate { target: Target::Leader }),
    ]
}

fn client(home: Option<u64>, patience_ms: u64, mix: OperationMix) -> ClientPlan {
    ClientPlan {
        home,
        patience_ms,
        server_timeout_ms: patience_ms,
        pause_ms_max: 3,
        read_back_percent: 0,
        mix,
    }
}
