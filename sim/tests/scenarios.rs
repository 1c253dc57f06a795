//! What the simulator once found, as plans that go straight for it.
//!
//! Most bugs that were found have a test in the crate that had them. What needs a whole cluster, real
//! files and a loss of power at the right moment is here.
#![cfg(madsim)]

use std::ops::RangeInclusive;
use std::process::Command;

use quorate_sim::oracles::ages::CURRENT_WHEN_ASKED;
use quorate_sim::plan::{
    Change, Fault, Plan, PlannedChange, PlannedFault, RecoveryPlan, Target, derive, hunt_leases,
};
use serde_json::Value;

const SEEDS: RangeInclusive<u64> = 1..=6;

/// Runs the plan that `change` makes of a seed's plan. The report, and what was said besides.
#[track_caller]
fn run(seed: u64, change: impl Fn(&mut Plan)) -> (Value, String) {
    let mut plan = derive(seed);
    plan.faults.clear();
    plan.changes.clear();
    plan.broken_for_ever.clear();
    plan.recovery = None;
    change(&mut plan);
    let machines = plan.machines();
    plan.clocks.of_members.retain(|clock| clock.member <= machines);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plan.json");
    std::fs::write(&path, plan.to_json()).expect("write");
    let program = env!("CARGO_BIN_EXE_quorate-sim");
    let output = Command::new(program).arg("--plan").arg(&path).output().expect("the program can be started");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(2), "seed {seed}: the plan is refused: {stderr}");
    let stdout = String::from_utf8(output.stdout).expect("a report is text");
    let report = serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("a report");
    (report, stderr)
}

/// Runs plans that `change` makes of a few seeds' plans, and demands that they pass.
#[track_caller]
fn check_passes(change: impl Fn(&mut Plan)) {
    for seed in SEEDS {
        let (report, stderr) = run(seed, &change);
        assert_eq!(report["verdict"], "passed", "seed {seed}: {}\n{stderr}", report["evidence"]);
    }
}

/// Applied entries are committed, which a quorum of *other* disks can see to. A node whose state was
/// checkpointed ahead of its own log lost power, and was left with a log that ended before its state:
/// Raft purged it past the newest snapshot, and an assertion ended the node at each start.
#[test]
fn nodes_that_lose_power_together_start_again() {
    check_passes(|plan| {
        plan.replica.checkpoint_interval_ms = 5;
        (plan.disk.shortest_us, plan.disk.longest_us, plan.disk.draws) = (1_000, 20_000, 1);
        plan.replica.snapshot_log_bytes = 8 << 10;
        let all: Vec<Target> = (1..=plan.members).map(Target::Member).collect();
        plan.faults = (0..14)
            .map(|number| {
                let (operations, survival) = (5 * number, plan.seed + number);
                let fault = Fault::PowerLoss { targets: all.clone(), operations, survival };
                PlannedFault { at_ms: 1_500 + number * 2_000, duration_ms: 100, fault }
            })
            .collect();
    });
}

/// While a leader waited for a slow follower's connection to send it a snapshot, a newer snapshot took the
/// file away, and the leader stopped as if its disk had failed.
#[test]
fn snapshots_are_replaced_while_followers_are_away() {
    check_passes(|plan| {
        plan.members = 3;
        plan.workload.value_bytes_max = 4_096;
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        (plan.replica.snapshot_log_bytes, plan.replica.log_keep_bytes) = (8 << 10, 1 << 10);
        plan.faults = (0..9)
            .map(|number| {
                let fault = Fault::Pause { target: Target::Follower(number) };
                PlannedFault { at_ms: 1_500 + number * 3_000, duration_ms: 2_500, fault }
            })
            .collect();
    });
}

/// What a flush has failed to write can still be read, from the memory of the operating system, when the
/// node starts again. Whoever answers for that then, and does not write it again, loses it with the power.
#[test]
fn what_was_not_flushed_is_not_answered_for_when_power_is_lost_later() {
    check_passes(|plan| {
        let all: Vec<Target> = (1..=plan.members).map(Target::Member).collect();
        plan.faults = (0..7)
            .flat_map(|number| {
                let at_ms = 1_500 + number * 4_000;
                let errors = (1..=plan.members).map(move |member| {
                    let fault = Fault::FailedSync { target: Target::Member(member) };
                    PlannedFault { at_ms: at_ms + member * 100, duration_ms: 300, fault }
                });
                let fault = Fault::PowerLoss { targets: all.clone(), operations: number, survival: number };
                errors.chain([PlannedFault { at_ms: at_ms + 2_500, duration_ms: 100, fault }])
            })
            .collect();
    });
}

/// A full disk stops whoever must write, also the one that is started on it, and is forgotten when there is
/// room again.
#[test]
fn disks_fill_up_one_after_the_other() {
    check_passes(|plan| {
        plan.replica.log_segment_bytes = 16 << 10;
        plan.faults = (0..12)
            .map(|number| {
                let fault = Fault::DiskFull { target: Target::Member(1 + number % plan.members) };
                PlannedFault { at_ms: 1_500 + number * 2_000, duration_ms: 1_500, fault }
            })
            .collect();
    });
}

/// What an operator does, one thing after the other.
fn changes(changes: impl IntoIterator<Item = Change>) -> Vec<PlannedChange> {
    let planned = |(at_ms, change)| PlannedChange { at_ms, change, cut_after_ms: None };
    (1..).map(|number| number * 2_000).zip(changes).map(planned).collect()
}

/// The only voter was to be replaced: it leads, and there was nobody to whom it could have handed leadership.
#[test]
fn the_only_voter_is_replaced() {
    check_passes(|plan| {
        (plan.members, plan.spares) = (1, 1);
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        plan.changes = changes([Change::Replace { target: Target::Leader, member: 2 }]);
    });
}

/// Every machine's disk is lost, one after the other.
#[test]
fn every_disk_is_lost_one_after_the_other() {
    check_passes(|plan| {
        plan.members = 3;
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        plan.changes = changes((1..=3).map(|member| Change::Wipe { target: Target::Member(member) }));
    });
}

/// A cluster grows, all who formed it leave, and the addresses of those who stay are other ones.
#[test]
fn a_cluster_outlives_those_who_formed_it() {
    check_passes(|plan| {
        (plan.members, plan.spares) = (3, 3);
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        let join = |member| Change::Join { member, learner: false, place: member == 5, struck: member == 6 };
        let remove = |member| Change::Remove { target: Target::Member(member) };
        let relocate = |member| Change::Move { target: Target::Member(member) };
        plan.changes = changes((4..=6).map(join).chain((1..=3).map(remove)).chain((4..=6).map(relocate)));
    });
}

/// One is replaced while it is down, and comes back when that has been done to the `others`.
#[track_caller]
fn check_learns_late(others: [Change; 2]) {
    check_passes(|plan| {
        (plan.members, plan.spares) = (3, 1);
        plan.workload.duration_ms = 20_000;
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        let fault = Fault::Kill { target: Target::Member(1) };
        plan.faults = vec![PlannedFault { at_ms: 1_500, duration_ms: 18_000, fault }];
        let replace = Change::Replace { target: Target::Member(1), member: 4 };
        plan.changes = changes([replace].into_iter().chain(others));
    });
}

/// A removed node asked only those whom it knew whether it was still a member. One had been replaced, so that
/// a stranger was at its address, and the other had moved: the removed node went on for ever.
#[test]
fn a_removed_node_finds_strangers_where_members_were() {
    check_learns_late([
        Change::Wipe { target: Target::Member(2) },
        Change::Move { target: Target::Member(3) },
    ]);
}

/// No member is where a removed node looks for others: it stops as soon as it has been told of another place.
#[test]
fn a_removed_node_finds_nobody_until_it_is_told_of_members() {
    check_learns_late([
        Change::Move { target: Target::Member(2) },
        Change::Move { target: Target::Member(3) },
    ]);
}

/// Leaders lose their lease as their clocks are as slow as those of the others are fast: it holds while clocks
/// are no more wrong than nodes are told.
#[test]
fn leases_hold_while_clocks_keep_their_bound() {
    check_passes(|plan| {
        plan.members = 3;
        hunt_leases(plan);
    });
}

/// The same with clocks that are wrong by more than nodes are told. Then there is nothing that a lease could
/// rest on; if nobody saw that, nobody would see either that a lease is relied on for too long.
#[test]
fn leases_are_seen_to_break_when_clocks_do_not_keep_their_bound() {
    let mut broken = 0;
    for seed in SEEDS {
        let (report, stderr) = run(seed, |plan| {
            plan.members = 3;
            hunt_leases(plan);
            plan.replica.clock_drift_max_ppm = Some(1_000);
        });
        if report["verdict"] != "passed" {
            assert_eq!(report["property"], CURRENT_WHEN_ASKED, "seed {seed}: {report}\n{stderr}");
            broken += 1;
        }
    }
    assert!(broken > 0, "nobody saw a lease break in {SEEDS:?}");
}

/// A majority is lost, and what is left of it turns up again when there is a new cluster without it.
#[test]
fn a_cluster_is_recovered_from_a_minority() {
    check_passes(|plan| {
        plan.members = 3 + 2 * (plan.seed % 2);
        plan.workload.duration_ms = 5_000;
        plan.workload.operations_min = 50;
        plan.workload.clients.iter_mut().for_each(|client| client.home = None);
        plan.workload.store_clients.iter_mut().for_each(|client| client.home = None);
        plan.recovery = Some(RecoveryPlan { choice: plan.seed });
    });
}
