//! From a seed to what an operator does to the members. Kinds of changes are switched on and off, as faults are.

use super::dice::Dice;
use super::{Change, NetworkPlan, PlannedChange, Target};

/// More machines than these cost too much.
const MACHINES_MAX: u64 = 7;
/// The last change begins so long before the clients end.
const LAST_BEFORE_END_MS: u64 = 5_000;

/// A leader is to be removed so shortly before the end that often nothing else can take leadership off it.
const LAST_REMOVAL_BEFORE_END_MS: u64 = 2_000;

/// A leader writes a change down when it has asked whether it still leads. In the [`SLOW_NETWORK`] it is cut off about
/// then: often when it has the change, and nobody else has.
const CUT_AFTER_MS: u64 = 20;
/// So slow that there is time between a leader's having a change and anybody else's.
const SLOW_NETWORK: NetworkPlan = NetworkPlan { latency_min_us: 5_000, latency_max_us: 15_000 };

/// Kinds of changes that a seed switches on and off together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Join,
    Replace,
    Remove,
    Wipe,
    Move,
    Transfer,
}

const KINDS: [Kind; 6] = [Kind::Join, Kind::Replace, Kind::Remove, Kind::Wipe, Kind::Move, Kind::Transfer];

/// How many machines stand ready to join, and what is done; most seeds have neither.
pub(super) fn changes(dice: &mut Dice, members: u64, duration_ms: u64) -> (u64, Vec<PlannedChange>) {
    if !dice.chance(35) {
        return (0, Vec::new());
    }
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| dice.chance(55)).collect();
    if kinds.is_empty() {
        kinds.push(dice.pick(&KINDS));
    }
    let spares = dice.range(1..=2).min(MACHINES_MAX - members);
    let (cut_percent, struck_percent) = (dice.pick(&[0, 50]), dice.pick(&[0, 50]));
    let mut changes = Vec::new();
    let mut at_ms = dice.range(1_000..=4_000);
    while at_ms + LAST_BEFORE_END_MS < duration_ms && changes.len() < 7 {
        let machines = members + spares;
        let change = match dice.pick(&kinds) {
            Kind::Join => join(dice, machines, struck_percent),
            Kind::Replace => {
                Change::Replace { target: target(dice, members), member: free(dice, members, machines) }
            }
            Kind::Remove => Change::Remove { target: target(dice, members) },
            Kind::Wipe => Change::Wipe { target: target(dice, members) },
            Kind::Move => Change::Move { target: target(dice, members) },
            Kind::Transfer => Change::Transfer { to: dice.chance(50).then(|| target(dice, members)) },
        };
        let cut_after_ms = dice.chance(cut_percent).then(|| CUT_AFTER_MS + dice.range(0..=40) / 2);
        changes.push(PlannedChange { at_ms, change, cut_after_ms });
        // A learner is there to be promoted.
        if matches!(change, Change::Join { learner: true, .. }) && dice.chance(70) {
            at_ms += dice.range(1_000..=3_000);
            let change = Change::Promote { position: dice.range(0..=3) };
            changes.push(PlannedChange { at_ms, change, cut_after_ms: None });
        }
        at_ms += dice.range(500..=6_000);
    }
    if kinds.contains(&Kind::Remove) {
        let change = Change::Remove { target: Target::Leader };
        changes.push(PlannedChange {
            at_ms: duration_ms - LAST_REMOVAL_BEFORE_END_MS,
            change,
            cut_after_ms: None,
        });
    }
    (spares, changes)
}

/// The network of a seed with these changes, which would be `usual` without them.
pub(super) fn network_of(changes: &[PlannedChange], usual: NetworkPlan) -> NetworkPlan {
    if changes.iter().any(|planned| planned.cut_after_ms.is_some()) { SLOW_NETWORK } else { usual }
}

fn join(dice: &mut Dice, machines: u64, struck_percent: u64) -> Change {
    Change::Join {
        member: dice.range(1..=machines),
        learner: dice.chance(35),
        place: dice.chance(40),
        struck: dice.chance(struck_percent),
    }
}

fn free(dice: &mut Dice, members: u64, machines: u64) -> u64 {
    if machines > members { dice.range(members + 1..=machines) } else { dice.range(1..=machines) }
}

fn target(dice: &mut Dice, members: u64) -> Target {
    match dice.range(0..=3) {
        0 | 1 => Target::Leader,
        2 => Target::Follower(dice.range(0..=members)),
        _ => Target::Member(dice.range(1..=members)),
    }
}
