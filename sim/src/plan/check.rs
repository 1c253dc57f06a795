//! Whether a plan can be run. Plans are cut down by hand: what one forgets must not end in a panic of the
//! harness, which would count as a finding against the product.

use std::ops::RangeInclusive;

use quorate_kv::Setting;

use super::{
    ClocksPlan, DiskPlan, Fault, Job, NetworkPlan, OperationMix, PLAN_VERSION, Plan, ReplicaPlan,
    SettingPlan, StoreClientPlan, Target,
};
use crate::cluster::ROUTER;

/// More than this cannot be told apart by the last byte of an address, and proves nothing new.
const MEMBERS_MAX: u64 = 9;
/// Clients with greater numbers look at the nodes when all is healed.
const CLIENTS_MAX: usize = 99;
/// A run has 15 minutes of virtual time, with healing and all.
const DURATION_MS_MAX: u64 = 300_000;
/// The longest time that a node lets a client ask for.
const TIMEOUT_MS_MAX: u64 = 60_000;
/// What a node accepts by default.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// The sizes of the log's files that make sense in a run.
const LOG_SEGMENT_BYTES: RangeInclusive<u64> = 16 << 10..=1 << 20;
/// More keys than these are no work for one client.
const KEYS_MAX: u64 = 1_000;
/// A clock that is wrong by more is of no use to anybody.
const DRIFT_PPM_MAX: u64 = 500_000;
/// A day.
const WALL_AHEAD_MS_MAX: u64 = 24 * 3_600_000;
/// Greater weights, keys and sizes are mistakes.
const NUMBER_MAX: u64 = 1 << 32;

/// Refuses a plan that cannot be run.
pub(super) fn check(plan: &Plan) -> Result<(), String> {
    if plan.version != PLAN_VERSION {
        return Err(format!("the plan has version {}, this program runs {PLAN_VERSION}", plan.version));
    }
    if plan.members == 0 || plan.members > MEMBERS_MAX || plan.spares > MEMBERS_MAX - plan.members {
        let Plan { members, spares, .. } = plan;
        return Err(format!("a cluster of {members} members and {spares} spares cannot be simulated"));
    }
    check_network("the network", &plan.network)?;
    check_disk(&plan.disk)?;
    check_clocks(plan)?;
    check_replica(&plan.replica)?;
    check_workload(plan)?;
    for (position, planned) in plan.faults.iter().enumerate() {
        let of_fault = |reason| format!("fault {position} ({}): {reason}", planned.fault.name());
        at_most("at_ms", planned.at_ms, DURATION_MS_MAX).map_err(of_fault)?;
        at_most("duration_ms", planned.duration_ms, DURATION_MS_MAX).map_err(of_fault)?;
        check_fault(plan, &planned.fault).map_err(of_fault)?;
    }
    check_changes(plan)?;
    check_broken(plan)
}

fn check_changes(plan: &Plan) -> Result<(), String> {
    for (position, planned) in plan.changes.iter().enumerate() {
        let of_change = |reason| format!("change {position} ({}): {reason}", planned.change.name());
        at_most("at_ms", planned.at_ms, DURATION_MS_MAX).map_err(of_change)?;
        at_most("cut_after_ms", planned.cut_after_ms.unwrap_or(0), DURATION_MS_MAX).map_err(of_change)?;
        for target in planned.change.targets() {
            if let Target::Member(member) = target {
                check_machine(plan, member).map_err(of_change)?;
            }
        }
    }
    if !plan.changes.is_empty() && !plan.broken_for_ever.is_empty() {
        return Err("nothing stays broken where members change: it might be a majority".to_owned());
    }
    if plan.recovery.is_some() && !plan.broken_for_ever.is_empty() {
        return Err("nothing stays broken where a majority is lost in the end".to_owned());
    }
    Ok(())
}

fn check_workload(plan: &Plan) -> Result<(), String> {
    let workload = &plan.workload;
    if workload.clients.is_empty() || workload.keys == 0 || workload.burst_ms == 0 {
        return Err("a run needs clients and keys, and time for clients to work".to_owned());
    }
    if workload.clients.len() + workload.store_clients.len() > CLIENTS_MAX {
        return Err(format!("there are more than {CLIENTS_MAX} clients"));
    }
    at_most("duration_ms", workload.duration_ms, DURATION_MS_MAX)?;
    at_most("burst_ms", workload.burst_ms, DURATION_MS_MAX)?;
    at_most("rest_ms", workload.rest_ms, DURATION_MS_MAX)?;
    at_most("keys", workload.keys, NUMBER_MAX)?;
    // A value begins with its name, which is longer than the shortest limits.
    at_most("value_bytes_max", workload.value_bytes_max, VALUE_BYTES_MAX)?;
    for (position, client) in workload.clients.iter().enumerate() {
        let of_client = |reason| format!("client {position}: {reason}");
        if let Some(home) = client.home.filter(|home| *home != ROUTER) {
            check_machine(plan, home).map_err(of_client)?;
        }
        between("patience_ms", client.patience_ms, 1, TIMEOUT_MS_MAX).map_err(of_client)?;
        between("server_timeout_ms", client.server_timeout_ms, 1, TIMEOUT_MS_MAX).map_err(of_client)?;
        at_most("pause_ms_max", client.pause_ms_max, DURATION_MS_MAX).map_err(of_client)?;
        at_most("read_back_percent", client.read_back_percent, 100).map_err(of_client)?;
        check_mix(&client.mix).map_err(of_client)?;
    }
    for (position, client) in workload.store_clients.iter().enumerate() {
        check_store_client(plan, client)
            .map_err(|reason| format!("client {position} of the whole store: {reason}"))?;
    }
    Ok(())
}

fn check_store_client(plan: &Plan, client: &StoreClientPlan) -> Result<(), String> {
    if let Some(home) = client.home {
        check_machine(plan, home)?;
    }
    between("patience_ms", client.patience_ms, 1, TIMEOUT_MS_MAX)?;
    between("server_timeout_ms", client.server_timeout_ms, 1, TIMEOUT_MS_MAX)?;
    at_most("pause_ms_max", client.pause_ms_max, DURATION_MS_MAX)?;
    match &client.job {
        Job::Lists { keys, step_ms } => {
            at_most("step_ms", *step_ms, DURATION_MS_MAX)?;
            between("keys", *keys, 1, KEYS_MAX)
        }
        Job::Bank { accounts, step_ms } => {
            at_most("step_ms", *step_ms, DURATION_MS_MAX)?;
            between("accounts", *accounts, 2, KEYS_MAX)
        }
        Job::Ranges { keys, page_keys_max } => {
            between("page_keys_max", *page_keys_max, 1, KEYS_MAX)?;
            between("keys", *keys, 1, KEYS_MAX)
        }
        Job::Sessions { keys, ttl_ms, twice_percent } => {
            between("ttl_ms", *ttl_ms, 1, TIMEOUT_MS_MAX)?;
            at_most("twice_percent", *twice_percent, 100)?;
            between("keys", *keys, 1, KEYS_MAX)
        }
        Job::Past { old_percent } => at_most("old_percent", *old_percent, 100),
        Job::Keeper { compact_percent, settings } => {
            at_most("compact_percent", *compact_percent, 100)?;
            settings.iter().try_for_each(check_setting)
        }
        Job::Quota { bytes, value_bytes } => {
            between("bytes", *bytes, 1, NUMBER_MAX)?;
            between("value_bytes", *value_bytes, 1, VALUE_BYTES_MAX)
        }
    }
}

fn check_setting(plan: &SettingPlan) -> Result<(), String> {
    let setting =
        Setting::from_name(&plan.name).ok_or_else(|| format!("there is no setting {}", plan.name))?;
    if plan.values.is_empty() || !plan.values.iter().all(|value| setting.allows(*value)) {
        return Err(format!("the setting {} cannot be {:?}", plan.name, plan.values));
    }
    Ok(())
}

fn check_mix(mix: &OperationMix) -> Result<(), String> {
    let weights = mix.weights();
    for weight in weights {
        at_most("a weight of the mix", weight, NUMBER_MAX)?;
    }
    if weights.iter().sum::<u64>() == 0 {
        return Err("the weights of the mix are all 0, so there is nothing to do".to_owned());
    }
    Ok(())
}

fn check_network(what: &str, network: &NetworkPlan) -> Result<(), String> {
    let NetworkPlan { latency_min_us, latency_max_us } = *network;
    at_most("latency_max_us", latency_max_us, DURATION_MS_MAX * 1_000)?;
    // A latency is drawn from a range that does not contain its end.
    if latency_min_us >= latency_max_us {
        return Err(format!("{what} has no latency between {latency_min_us} and {latency_max_us} us"));
    }
    Ok(())
}

fn check_disk(disk: &DiskPlan) -> Result<(), String> {
    check_disk_times(disk.shortest_us, disk.longest_us)?;
    between("the disk's draws", disk.draws.into(), 1, 1_000)?;
    at_most("stall_ms", disk.stall_ms, DURATION_MS_MAX)
}

fn check_disk_times(shortest_us: u64, longest_us: u64) -> Result<(), String> {
    at_most("longest_us", longest_us, DURATION_MS_MAX * 1_000)?;
    if shortest_us > longest_us {
        return Err(format!("a disk takes no time between {shortest_us} and {longest_us} us"));
    }
    Ok(())
}

fn check_clocks(plan: &Plan) -> Result<(), String> {
    let clocks = &plan.clocks;
    at_most("drift_ppm_max", clocks.drift_ppm_max, DRIFT_PPM_MAX)?;
    for clock in &clocks.of_members {
        check_machine(plan, clock.member)?;
        check_drift(clocks, clock.drift_ppm)?;
        at_most("wall_ahead_ms", clock.wall_ahead_ms.unsigned_abs(), WALL_AHEAD_MS_MAX)?;
        at_most("uptime_ms", clock.uptime_ms, NUMBER_MAX)?;
    }
    Ok(())
}

fn check_drift(clocks: &ClocksPlan, drift_ppm: i64) -> Result<(), String> {
    at_most("drift_ppm", drift_ppm.unsigned_abs(), clocks.drift_ppm_max)
}

fn check_replica(replica: &ReplicaPlan) -> Result<(), String> {
    between("heartbeat_interval_ms", replica.heartbeat_interval_ms, 10, 10_000)?;
    between("checkpoint_interval_ms", replica.checkpoint_interval_ms, 1, DURATION_MS_MAX)?;
    let sizes = [
        ("checkpoint_bytes", replica.checkpoint_bytes),
        ("overlay_bytes_max", replica.overlay_bytes_max),
        ("snapshot_log_bytes", replica.snapshot_log_bytes),
        ("tail_bytes_max", replica.tail_bytes_max),
        ("unflushed_bytes_max", replica.unflushed_bytes_max),
        ("read_batch_bytes_max", replica.read_batch_bytes_max),
    ];
    for (name, bytes) in sizes {
        between(name, bytes, 1, NUMBER_MAX)?;
    }
    let segment_bytes = replica.log_segment_bytes;
    between("log_segment_bytes", segment_bytes, *LOG_SEGMENT_BYTES.start(), *LOG_SEGMENT_BYTES.end())?;
    if !segment_bytes.is_power_of_two() {
        return Err(format!("log_segment_bytes is {segment_bytes}, not a power of two"));
    }
    at_most("clock_drift_max_ppm", replica.clock_drift_max_ppm.unwrap_or(0).into(), DRIFT_PPM_MAX)?;
    at_most("log_keep_bytes", replica.log_keep_bytes, NUMBER_MAX)
}

fn check_fault(plan: &Plan, fault: &Fault) -> Result<(), String> {
    for target in fault.targets() {
        if let Target::Member(member) = target {
            check_machine(plan, member)?;
        }
    }
    match fault {
        Fault::Split { side } => side.iter().try_for_each(|member| check_machine(plan, *member)),
        Fault::Loss { percent } => at_most("percent", *percent, 100),
        Fault::Delay { latency_min_us, latency_max_us } => {
            let delay = NetworkPlan { latency_min_us: *latency_min_us, latency_max_us: *latency_max_us };
            check_network("the delayed network", &delay)
        }
        Fault::SlowDisk { shortest_us, longest_us, .. } => check_disk_times(*shortest_us, *longest_us),
        Fault::ClockDrift { drift_ppm, .. } => check_drift(&plan.clocks, *drift_ppm),
        Fault::WallClockJump { by_ms, .. } => at_most("by_ms", by_ms.unsigned_abs(), WALL_AHEAD_MS_MAX),
        _ => Ok(()),
    }
}

fn check_broken(plan: &Plan) -> Result<(), String> {
    for (position, broken) in plan.broken_for_ever.iter().enumerate() {
        check_member(plan, broken.member)?;
        if plan.broken_for_ever[..position].iter().any(|earlier| earlier.member == broken.member) {
            return Err(format!("member {} is broken twice", broken.member));
        }
    }
    if plan.broken_for_ever.len() as u64 > (plan.members - 1) / 2 {
        return Err("only a minority may stay broken".to_owned());
    }
    Ok(())
}

fn check_member(plan: &Plan, member: u64) -> Result<(), String> {
    if (1..=plan.members).contains(&member) { Ok(()) } else { Err(format!("there is no member {member}")) }
}

fn check_machine(plan: &Plan, member: u64) -> Result<(), String> {
    if (1..=plan.machines()).contains(&member) { Ok(()) } else { Err(format!("there is no member {member}")) }
}

fn at_most(name: &str, number: u64, most: u64) -> Result<(), String> {
    between(name, number, 0, most)
}

fn between(name: &str, number: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&number) {
        Ok(())
    } else {
        Err(format!("{name} is {number}, not between {least} and {most}"))
    }
}
