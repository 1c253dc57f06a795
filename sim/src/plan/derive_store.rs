//! From a seed to what clients do with the whole store. Kinds of work are switched on and off, as faults
//! are.

use quorate_kv::Setting;

use super::dice::Dice;
use super::store_workload::{Job, SettingPlan, StoreClientPlan};

/// The steps in which clients of transactions act together, if they do.
const STEPS_MS: [u64; 3] = [0, 100, 250];

/// The clients of a seed; there may be none.
pub(super) fn store_clients(dice: &mut Dice, members: u64, value_bytes_max: u64) -> Vec<StoreClientPlan> {
    let mut jobs = Vec::new();
    if dice.chance(45) {
        let (keys, step_ms) = (dice.range(1..=4), dice.pick(&STEPS_MS));
        jobs.extend((0..dice.range(2..=3)).map(|_| Job::Lists { keys, step_ms }));
    }
    if dice.chance(40) {
        let (accounts, step_ms) = (dice.range(2..=6), dice.pick(&STEPS_MS));
        jobs.extend((0..dice.range(2..=3)).map(|_| Job::Bank { accounts, step_ms }));
    }
    if dice.chance(45) {
        let (keys, page_keys_max) = (dice.pick(&[8, 20, 40]), dice.range(1..=7));
        jobs.extend((0..dice.range(1..=2)).map(|_| Job::Ranges { keys, page_keys_max }));
    }
    if dice.chance(55) {
        let (keys, ttl_ms) = (dice.range(1..=6), dice.pick(&[1_000, 2_000, 60_000]));
        let twice_percent = dice.pick(&[0, 20, 60]);
        jobs.extend((0..dice.range(1..=3)).map(|_| Job::Sessions { keys, ttl_ms, twice_percent }));
    }
    if dice.chance(45) {
        jobs.push(Job::Past { old_percent: dice.pick(&[20, 60]) });
    }
    if dice.chance(50) {
        jobs.push(keeper(dice, value_bytes_max));
    }
    if value_bytes_max <= 256 && dice.chance(40) {
        jobs.push(Job::Quota { bytes: dice.pick(&[48 << 10, 96 << 10]), value_bytes: 6 << 10 });
    }
    jobs.into_iter().map(|job| client(dice, members, job)).collect()
}

fn keeper(dice: &mut Dice, value_bytes_max: u64) -> Job {
    let possible: [(Setting, &[u64]); 8] = [
        (Setting::ValueBytesMax, &[value_bytes_max / 2 + 20, 1 << 20]),
        (Setting::TransactionOperationsMax, &[2, 128]),
        (Setting::DeleteRangeKeysMax, &[2, 1_000]),
        (Setting::SessionsMax, &[1, 10_000]),
        (Setting::SessionOutcomesMax, &[2, 256]),
        (Setting::CompactionRevisions, &[0, 40, 200]),
        (Setting::CompactionAgeMs, &[0, 1_500]),
        (Setting::DigestIntervalMs, &[0, 700, 10_000]),
    ];
    let mut settings = Vec::new();
    for (setting, values) in possible {
        if dice.chance(50) {
            let name = setting.description().name.to_owned();
            settings.push(SettingPlan { name, values: values.to_vec() });
        }
    }
    let compact_percent = if settings.is_empty() { 100 } else { dice.pick(&[0, 30, 70]) };
    Job::Keeper { compact_percent, settings }
}

fn client(dice: &mut Dice, members: u64, job: Job) -> StoreClientPlan {
    let patience_ms = dice.pick(&[400, 1_000, 2_500]);
    let server_timeout_ms = dice.pick(&[patience_ms / 2, patience_ms, patience_ms * 2]);
    let home = dice.chance(40).then(|| dice.range(1..=members));
    let pause_ms_max = match job {
        Job::Keeper { .. } => 2_500,
        Job::Lists { .. } | Job::Bank { .. } => dice.pick(&[300, 900, 1_800]),
        _ => dice.pick(&[700, 1_500, 2_400]),
    };
    StoreClientPlan { home, patience_ms, server_timeout_ms, pause_ms_max, job }
}
