//! From a seed to a plan.
//!
//! *Swarm*: each seed switches kinds of faults, operations and settings on and off. A run in which
//! everything happens a little is a run in which nothing happens enough; half of the kinds, chosen
//! anew for each seed, reach combinations that all of them together never would.

use super::derive_changes::{changes, network_of};
use super::derive_clocks::{clocks, put_clock_faults};
use super::derive_gaps::put_gaps;
use super::derive_leases::leases;
use super::derive_store::store_clients;
use super::dice::Dice;
use super::recovery::recovery;
use super::{
    Broken, BrokenHow, ClientPlan, DiskPlan, Fault, NetworkPlan, OperationMix, PLAN_VERSION, Plan,
    PlannedFault, ReplicaPlan, Target, WorkloadPlan,
};
use crate::cluster::ROUTER;

/// The dice of the plan. Clients have the streams above.
const PLAN_STREAM: u64 = 0;
/// The dice of what plans did not say from the beginning: the rest of a seed's plan stays as it was.
const LATER_STREAM: u64 = u64::MAX;
/// The dice of what clients do with more than single keys.
const STORE_STREAM: u64 = u64::MAX - 1;
/// The dice of bits that flip.
const DAMAGE_STREAM: u64 = u64::MAX - 2;
/// The dice of clocks.
const CLOCK_STREAM: u64 = u64::MAX - 3;
/// The dice of changes of members.
const CHANGE_STREAM: u64 = u64::MAX - 4;
/// The dice of leases.
const LEASE_STREAM: u64 = u64::MAX - 5;
/// The dice of routers.
const ROUTER_STREAM: u64 = u64::MAX - 6;
/// The dice of recoveries.
const RECOVERY_STREAM: u64 = u64::MAX - 7;
/// The dice of gaps.
const GAP_STREAM: u64 = u64::MAX - 8;
/// How many seeds of a hundred have clients that go through a router.
const ROUTED_PERCENT: u64 = 15;
/// The least number of operations that a run must see answered.
const OPERATIONS_MIN: u64 = 300;

/// The plan of `seed`.
pub fn derive(seed: u64) -> Plan {
    let mut dice = Dice::new(seed, PLAN_STREAM);
    let members = dice.pick(&[3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 1, 7]);
    let duration_ms = dice.range(30_000..=31_500);
    let mut faults = faults(&mut dice, members, duration_ms);
    let mut later_dice = Dice::new(seed, LATER_STREAM);
    let log_segment_bytes = 1 << later_dice.range(14..=20);
    put_disk_errors(&mut later_dice, members, &mut faults);
    flip_bits(&mut Dice::new(seed, DAMAGE_STREAM), (members, duration_ms), &mut faults);
    let mut clock_dice = Dice::new(seed, CLOCK_STREAM);
    let (spares, changes) = changes(&mut Dice::new(seed, CHANGE_STREAM), members, duration_ms);
    let clocks = clocks(&mut clock_dice, members + spares);
    put_clock_faults(&mut clock_dice, (members, duration_ms), &clocks, &mut faults);
    let network = network_of(&changes, network(&mut dice));
    let disk = disk(&mut dice);
    let replica = replica(&mut dice, log_segment_bytes);
    let mut workload = workload(&mut dice, members, duration_ms);
    put_gaps(&mut Dice::new(seed, GAP_STREAM), members, &workload, &mut faults);
    route(&mut Dice::new(seed, ROUTER_STREAM), &mut workload.clients);
    let mut store_dice = Dice::new(seed, STORE_STREAM);
    workload.store_clients = store_clients(&mut store_dice, members, workload.value_bytes_max);
    let mut broken_for_ever = broken(&mut dice, members);
    let recovery = recovery(&mut Dice::new(seed, RECOVERY_STREAM), members);
    if !changes.is_empty() || recovery.is_some() {
        // Which nodes are a minority in the end is not known, or there is none to spare.
        broken_for_ever.clear();
    }
    let mut plan = Plan {
        version: PLAN_VERSION,
        seed,
        members,
        spares,
        network,
        disk,
        clocks,
        replica,
        workload,
        broken_for_ever,
        faults,
        changes,
        recovery,
    };
    leases(&mut Dice::new(seed, LEASE_STREAM), &mut plan);
    plan
}

fn network(dice: &mut Dice) -> NetworkPlan {
    let latency_min_us = dice.pick(&[200, 500, 1_000]);
    let latency_max_us = latency_min_us + dice.pick(&[300, 3_000, 9_000]);
    NetworkPlan { latency_min_us, latency_max_us }
}

fn disk(dice: &mut Dice) -> DiskPlan {
    let shortest_us = dice.pick(&[100, 300, 1_000]);
    let longest_us = shortest_us + dice.pick(&[500, 5_000, 20_000]);
    let (stall_one_in, stall_ms) = if dice.chance(20) { (200, dice.range(50..=500)) } else { (0, 0) };
    DiskPlan { shortest_us, longest_us, draws: dice.pick(&[1, 3]), stall_one_in, stall_ms }
}

fn replica(dice: &mut Dice, log_segment_bytes: u64) -> ReplicaPlan {
    const KIB: u64 = 1 << 10;
    let checkpoint_bytes = dice.pick(&[2 * KIB, 32 * KIB, 1024 * KIB]);
    ReplicaPlan {
        heartbeat_interval_ms: dice.pick(&[50, 100, 100, 150]),
        checkpoint_interval_ms: dice.pick(&[5, 30, 100, 400]),
        checkpoint_bytes,
        overlay_bytes_max: checkpoint_bytes * dice.pick(&[2, 8]),
        log_segment_bytes,
        snapshot_log_bytes: dice.pick(&[8 * KIB, 32 * KIB, 128 * KIB, 4096 * KIB]),
        log_keep_bytes: dice.pick(&[KIB, 8 * KIB, 64 * KIB]),
        tail_bytes_max: dice.pick(&[KIB, 32 * KIB, 4096 * KIB]),
        unflushed_bytes_max: dice.pick(&[16 * KIB, 4096 * KIB]),
        read_batch_bytes_max: dice.pick(&[KIB, 16 * KIB, 512 * KIB]),
        clock_drift_max_ppm: None,
    }
}

fn workload(dice: &mut Dice, members: u64, duration_ms: u64) -> WorkloadPlan {
    let keys = dice.pick(&[3, 5, 8, 20]);
    let value_bytes_max = dice.pick(&[16, 16, 256, 4_096]);
    let count = dice.range(3..=8);
    // Each operation costs real time. A seed asks either steadily and not too often, or in bursts in which
    // clients get into each other's way.
    let (burst_ms, rest_ms, pause_ms_max) = if dice.chance(50) {
        (1_000, 0, 2_000 * count / dice.pick(&[18, 32, 64]))
    } else {
        let burst_ms = dice.range(100..=300);
        (burst_ms, burst_ms * count * 2, dice.pick(&[0, 3]))
    };
    let mix = mix(dice);
    // Sticky clients stay with a node that has lost its cluster; others would leave it at once.
    let sticky = dice.chance(60);
    let clients = (0..count).map(|number| client(dice, members, number, sticky, pause_ms_max, mix)).collect();
    WorkloadPlan {
        duration_ms,
        operations_min: OPERATIONS_MIN,
        burst_ms,
        rest_ms,
        keys,
        value_bytes_max,
        clients,
        store_clients: Vec::new(),
    }
}

fn client(
    dice: &mut Dice,
    members: u64,
    number: u64,
    sticky: bool,
    pause_ms_max: u64,
    mix: OperationMix,
) -> ClientPlan {
    let patience_ms = dice.pick(&[300, 1_000, 2_500]);
    // Some give up before the server does, some after.
    let server_timeout_ms = dice.pick(&[patience_ms / 2, patience_ms, patience_ms * 2]);
    let home = sticky.then_some(1 + number % members);
    let read_back_percent = dice.pick(&[0, 20, 60]);
    ClientPlan { home, patience_ms, server_timeout_ms, pause_ms_max, read_back_percent, mix }
}

/// Lets some clients of some seeds go through a router.
fn route(dice: &mut Dice, clients: &mut [ClientPlan]) {
    if !dice.chance(ROUTED_PERCENT) {
        return;
    }
    let first = dice.range(0..=1) as usize;
    for client in clients.iter_mut().skip(first).step_by(2) {
        client.home = Some(ROUTER);
    }
}

fn mix(dice: &mut Dice) -> OperationMix {
    let mut optional = |weights: &[u64]| if dice.chance(60) { dice.pick(weights) } else { 0 };
    let (get_stale, put_if, delete, delete_if) =
        (optional(&[2, 6]), optional(&[3, 10]), optional(&[1, 4]), optional(&[1, 3]));
    let (get, put) = dice.pick(&[(10, 10), (16, 6), (6, 16)]);
    OperationMix { get, get_stale, put, put_if, delete, delete_if, get_lease: 0 }
}

/// Kinds of faults that a seed switches on and off together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Partition,
    OneWay,
    Loss,
    Delay,
    Kill,
    PowerLoss,
    PowerLossOfSeveral,
    Pause,
    Restart,
    SlowDisk,
}

const KINDS: [Kind; 10] = [
    Kind::Partition,
    Kind::OneWay,
    Kind::Loss,
    Kind::Delay,
    Kind::Kill,
    Kind::PowerLoss,
    Kind::PowerLossOfSeveral,
    Kind::Pause,
    Kind::Restart,
    Kind::SlowDisk,
];

fn faults(dice: &mut Dice, members: u64, duration_ms: u64) -> Vec<PlannedFault> {
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| dice.chance(45)).collect();
    if kinds.is_empty() {
        kinds.push(dice.pick(&KINDS));
    }
    let gap_ms_max = dice.pick(&[600, 1_500, 3_000]);
    let overlap_percent = dice.pick(&[0, 30, 60]);
    let mut faults = Vec::new();
    let mut clock_ms = 500;
    loop {
        let at_ms = clock_ms + dice.range(50..=gap_ms_max);
        let duration_ms_wanted = dice.pick(&[100, 400, 1_000, 2_000, 4_000]);
        let fault_duration_ms = dice.range(duration_ms_wanted / 2..=duration_ms_wanted);
        if at_ms + fault_duration_ms + 500 > duration_ms {
            return faults;
        }
        let kind = dice.pick(&kinds);
        let fault = fault(dice, kind, members);
        faults.push(PlannedFault { at_ms, duration_ms: fault_duration_ms, fault });
        clock_ms = if dice.chance(overlap_percent) { at_ms } else { at_ms + fault_duration_ms };
    }
}

fn fault(dice: &mut Dice, kind: Kind, members: u64) -> Fault {
    match kind {
        Kind::Partition if members >= 3 && dice.chance(35) => Fault::Split { side: side(dice, members) },
        Kind::Partition => Fault::Isolate { target: target(dice, members) },
        Kind::OneWay => match dice.range(0..=2) {
            0 => Fault::Mute { target: target(dice, members) },
            1 => Fault::Deafen { target: target(dice, members) },
            _ => Fault::OneWay { from: target(dice, members), to: target(dice, members) },
        },
        Kind::Loss => Fault::Loss { percent: dice.pick(&[3, 15, 40]) },
        Kind::Delay => {
            let latency_min_us = dice.pick(&[5_000, 30_000, 80_000]);
            Fault::Delay { latency_min_us, latency_max_us: latency_min_us * dice.range(2..=4) }
        }
        Kind::Kill => Fault::Kill { target: target(dice, members) },
        Kind::PowerLoss => {
            let target = target(dice, members);
            power_loss(dice, vec![target])
        }
        Kind::PowerLossOfSeveral => {
            let targets = several(dice, members);
            power_loss(dice, targets)
        }
        Kind::Pause => Fault::Pause { target: target(dice, members) },
        Kind::Restart => Fault::Restart { target: target(dice, members) },
        Kind::SlowDisk => {
            let shortest_us = dice.pick(&[2_000, 10_000, 40_000]);
            Fault::SlowDisk { target: target(dice, members), shortest_us, longest_us: shortest_us * 3 }
        }
    }
}

/// In some seeds errors of disks take the place of some faults. The other seeds keep what they have.
fn put_disk_errors(dice: &mut Dice, members: u64, faults: &mut [PlannedFault]) {
    if !dice.chance(25) {
        return;
    }
    let full_percent = dice.pick(&[0, 50, 100]);
    for planned in faults {
        if dice.chance(40) {
            let target = target(dice, members);
            let full = dice.chance(full_percent);
            planned.fault = if full { Fault::DiskFull { target } } else { Fault::FailedSync { target } };
        }
    }
}

/// In some seeds bits of a node's state flip, now and then. Always the same node's: what a majority has lost
/// nobody can bring back.
fn flip_bits(dice: &mut Dice, (members, duration_ms): (u64, u64), faults: &mut Vec<PlannedFault>) {
    if !dice.chance(20) {
        return;
    }
    let target = Target::Member(dice.range(1..=members));
    for _ in 0..dice.range(1..=3) {
        let fault = Fault::FlippedBits { target, bits: dice.range(1..=4), choice: dice.number() };
        let at_ms = dice.range(2_000..=duration_ms - 8_000);
        faults.push(PlannedFault { at_ms, duration_ms: dice.range(100..=1_000), fault });
    }
}

fn power_loss(dice: &mut Dice, targets: Vec<Target>) -> Fault {
    Fault::PowerLoss { targets, operations: dice.range(0..=60), survival: dice.number() }
}

fn target(dice: &mut Dice, members: u64) -> Target {
    match dice.range(0..=3) {
        0 | 1 => Target::Leader,
        2 => Target::Follower(dice.range(0..=members)),
        _ => Target::Member(dice.range(1..=members)),
    }
}

/// The members on the smaller side of a split, or the larger: it is the same.
fn side(dice: &mut Dice, members: u64) -> Vec<u64> {
    let mut all: Vec<u64> = (1..=members).collect();
    dice.shuffle(&mut all);
    all.truncate((members / 2) as usize);
    all.sort_unstable();
    all
}

/// All nodes, or the leader and one more.
fn several(dice: &mut Dice, members: u64) -> Vec<Target> {
    if members < 3 || dice.chance(60) {
        let mut all: Vec<Target> = (1..=members).map(Target::Member).collect();
        dice.shuffle(&mut all);
        return all;
    }
    vec![Target::Leader, Target::Follower(dice.range(0..=members))]
}

fn broken(dice: &mut Dice, members: u64) -> Vec<Broken> {
    let minority = (members - 1) / 2;
    if minority == 0 || !dice.chance(25) {
        return Vec::new();
    }
    let mut all: Vec<u64> = (1..=members).collect();
    dice.shuffle(&mut all);
    all.truncate(dice.range(1..=minority) as usize);
    all.sort_unstable();
    let how = [BrokenHow::Down, BrokenHow::Isolated, BrokenHow::Mute, BrokenHow::Deaf];
    all.into_iter().map(|member| Broken { member, how: dice.pick(&how) }).collect()
}
