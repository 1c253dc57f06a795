//! Plans: what a seed gives can be run, and what was written can be read.
#![cfg(madsim)]

use std::collections::BTreeSet;

use quorate_sim::plan::{
    Broken, BrokenHow, Change, Fault, Job, OperationMix, Plan, PlannedChange, PlannedFault, RecoveryPlan,
    Target, derive,
};

/// A plan from before members, clocks and store clients were planned. It must stay readable: kept failures are
/// such files.
const VERSION_1: &str = include_str!("data/plan-version-1.json");
/// A plan in which all that has come since stands.
const VERSION_1_MEMBERS: &str = include_str!("data/plan-version-1-members.json");

const FAULTS: [&str; 20] = [
    "clock drift",
    "deafen",
    "delay",
    "disk full",
    "failed sync",
    "flipped bits",
    "isolate",
    "isolate leader",
    "kill",
    "kill leader",
    "loss",
    "mute",
    "one way",
    "pause",
    "power loss",
    "power loss of several",
    "restart",
    "slow disk",
    "split",
    "wall clock jump",
];
const JOBS: [&str; 7] = ["bank", "keeper", "lists", "past", "quota", "ranges", "sessions"];
const CHANGES: [&str; 7] = ["join", "move", "promote", "remove", "replace", "transfer", "wipe"];

fn faults(plans: impl IntoIterator<Item = Plan>) -> BTreeSet<&'static str> {
    plans.into_iter().flat_map(|plan| plan.faults).map(|planned| planned.fault.name()).collect()
}

fn jobs(plans: impl IntoIterator<Item = Plan>) -> BTreeSet<&'static str> {
    let clients = plans.into_iter().flat_map(|plan| plan.workload.store_clients);
    let name = |job| match job {
        Job::Lists { .. } => "lists",
        Job::Bank { .. } => "bank",
        Job::Ranges { .. } => "ranges",
        Job::Sessions { .. } => "sessions",
        Job::Past { .. } => "past",
        Job::Keeper { .. } => "keeper",
        Job::Quota { .. } => "quota",
    };
    clients.map(|client| name(client.job)).collect()
}

fn changes(plans: impl IntoIterator<Item = Plan>) -> BTreeSet<&'static str> {
    plans.into_iter().flat_map(|plan| plan.changes).map(|planned| planned.change.name()).collect()
}

#[test]
fn plans_of_version_1_are_read_and_written_unchanged() {
    let plan = Plan::from_json(VERSION_1).expect("is a plan");
    assert_eq!(plan.seed, u64::MAX);
    assert_eq!(plan.faults.len(), 14);
    assert_eq!(plan.faults[7].fault, Fault::Kill { target: Target::Leader });
    assert_eq!(plan.replica.log_segment_bytes, 128 << 10);
    assert_eq!(plan.to_json(), VERSION_1);
}

#[test]
fn plans_of_version_1_with_members_are_read_and_written_unchanged() {
    let plan = Plan::from_json(VERSION_1_MEMBERS).expect("is a plan");
    assert_eq!((plan.members, plan.spares, plan.clocks.of(1).drift_ppm), (3, 2, -20_000));
    assert_eq!(plan.replica.clock_drift_max_ppm, Some(25_000));
    assert_eq!(plan.workload.clients[0].mix.get_lease, 7);
    let transfer = Change::Transfer { to: Some(Target::Member(2)) };
    let planned = PlannedChange { at_ms: 7_000, change: transfer, cut_after_ms: Some(150) };
    assert_eq!(plan.changes[6], planned);
    assert_eq!(plan.recovery, Some(RecoveryPlan { choice: u64::MAX }));
    assert_eq!(plan.to_json(), VERSION_1_MEMBERS);
}

#[test]
fn the_kept_plans_have_everything_that_can_be_planned() {
    let plans = || [VERSION_1, VERSION_1_MEMBERS].map(|text| Plan::from_json(text).expect("is a plan"));
    assert_eq!(faults(plans()), BTreeSet::from(FAULTS));
    assert_eq!(jobs(plans()), BTreeSet::from(JOBS));
    assert_eq!(changes(plans()), BTreeSet::from(CHANGES));
}

#[test]
fn plans_from_before_the_log_varied_its_files_run_as_they_did() {
    let before = VERSION_1.replace("    \"log_segment_bytes\": 131072,\n", "");
    assert_ne!(before, VERSION_1);
    assert_eq!(Plan::from_json(&before).map(|plan| plan.replica.log_segment_bytes), Ok(64 << 10));
}

#[test]
fn what_a_seed_gives_can_be_run_and_survives_a_file() {
    for seed in 0..500 {
        let plan = derive(seed);
        plan.check().unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
        assert_eq!(Plan::from_json(&plan.to_json()).as_ref(), Ok(&plan));
        assert_eq!(derive(seed), plan);
        let last = plan.faults.iter().map(|planned| planned.at_ms + planned.duration_ms).max();
        assert!(last <= Some(plan.workload.duration_ms), "seed {seed}: a fault outlasts the workload");
        assert!(plan.workload.duration_ms >= 30_000 && plan.workload.operations_min >= 300);
    }
}

#[test]
fn a_few_seeds_see_every_kind_of_fault() {
    assert_eq!(faults((0..50).map(derive)), BTreeSet::from(FAULTS));
}

#[test]
fn a_few_seeds_see_every_kind_of_work() {
    assert_eq!(jobs((0..50).map(derive)), BTreeSet::from(JOBS));
}

#[test]
fn a_few_seeds_see_every_kind_of_change() {
    assert_eq!(changes((0..100).map(derive)), BTreeSet::from(CHANGES));
}

#[test]
fn clocks_and_changes_that_cannot_be_are_refused() {
    let drift = |drift_ppm| Fault::ClockDrift { target: Target::Leader, drift_ppm };
    let fault = |fault| PlannedFault { at_ms: 1, duration_ms: 1, fault };
    check_refused(|plan| plan.faults.push(fault(drift(-1))), "drift_ppm is 1, not between 0 and 0");
    check_refused(|plan| plan.clocks.drift_ppm_max = 1_000_000, "drift_ppm_max is 1000000");
    let change = Change::Remove { target: Target::Member(6) };
    let planned = PlannedChange { at_ms: 1, change, cut_after_ms: None };
    check_refused(|plan| plan.changes.push(planned), "change 0 (remove): there is no member 6");
    check_refused(
        |plan| {
            plan.spares = 1;
            plan.changes.push(planned)
        },
        "nothing stays broken",
    );
    check_refused(|plan| plan.spares = 9, "9 spares");
    check_refused(|plan| plan.recovery = Some(RecoveryPlan { choice: 1 }), "nothing stays broken");
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut Plan), expected: &str) {
    let mut plan = Plan::from_json(VERSION_1).expect("is a plan");
    change(&mut plan);
    let reason = Plan::from_json(&plan.to_json()).expect_err("cannot be run");
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn a_plan_that_cannot_be_run_is_refused() {
    check_refused(|plan| plan.version = 2, "version 2");
    check_refused(|plan| plan.members = 0, "0 members");
    check_refused(|plan| plan.members = 3, "no member 4");
    check_refused(|plan| plan.workload.clients.clear(), "clients");
    check_refused(|plan| plan.workload.clients[0].home = Some(6), "no member 6");
    check_refused(|plan| plan.broken_for_ever.push(plan.broken_for_ever[0]), "member 1 is broken twice");
    check_refused(
        |plan| plan.broken_for_ever.push(Broken { member: 2, how: BrokenHow::Down }),
        "only a minority",
    );
    check_refused(|plan| plan.broken_for_ever[0].member = 9, "no member 9");
    assert!(Plan::from_json(&VERSION_1.replace("at_ms", "at")).is_err(), "an unknown field");
}

#[test]
fn a_fault_that_names_nobody_is_refused() {
    let add = |plan: &mut Plan, fault| plan.faults.push(PlannedFault { at_ms: 1, duration_ms: 1, fault });
    let (nobody, leader) = (Target::Member(6), Target::Leader);
    check_refused(|plan| add(plan, Fault::Kill { target: nobody }), "fault 14 (kill): there is no member 6");
    check_refused(|plan| add(plan, Fault::OneWay { from: leader, to: nobody }), "no member 6");
    check_refused(|plan| add(plan, Fault::Split { side: vec![1, 6] }), "no member 6");
    check_refused(
        |plan| add(plan, Fault::PowerLoss { targets: vec![leader, nobody], operations: 0, survival: 0 }),
        "no member 6",
    );
}

#[test]
fn numbers_from_which_nothing_can_be_drawn_are_refused() {
    check_refused(|plan| plan.workload.clients[1].mix = OperationMix::default(), "client 1: the weights");
    check_refused(|plan| plan.workload.clients[0].mix.get = u64::MAX, "client 0: a weight");
    check_refused(|plan| plan.network.latency_max_us = plan.network.latency_min_us, "no latency between");
    check_refused(|plan| plan.disk.shortest_us = plan.disk.longest_us + 1, "takes no time between");
    let delay = Fault::Delay { latency_min_us: 30_000, latency_max_us: 20_000 };
    check_refused(|plan| plan.faults[0].fault = delay, "fault 0 (delay)");
    check_refused(
        |plan| plan.faults[5].fault = Fault::Loss { percent: 101 },
        "fault 5 (loss): percent is 101",
    );
    check_refused(|plan| plan.faults[1].at_ms = u64::MAX, "fault 1 (split): at_ms");
    check_refused(|plan| plan.workload.duration_ms = 3_600_000, "duration_ms is 3600000");
    check_refused(|plan| plan.workload.clients[0].patience_ms = 0, "client 0: patience_ms is 0");
    check_refused(|plan| plan.replica.heartbeat_interval_ms = 0, "heartbeat_interval_ms is 0");
    check_refused(|plan| plan.replica.log_segment_bytes = 8 << 10, "log_segment_bytes is 8192");
    check_refused(|plan| plan.replica.log_segment_bytes = 48 << 10, "not a power of two");
    check_refused(|plan| plan.replica.read_batch_bytes_max = 0, "read_batch_bytes_max is 0");
}
