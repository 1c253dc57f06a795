//! Writes: what a client is told is what the log has, at a moment between the request and the answer; and
//! the log has no request more often than clients sent it.

use std::collections::BTreeMap;

use super::effect::Effect;
use super::operation::{Asked, StoreOperation, Told};
use super::reference::{Identity, Occurrence, Reference};
use super::{EXACTLY_ONCE, WRITES_ARE_AS_TOLD};
use crate::oracles::{Judgement, Violation, seconds};

/// Judges all writes.
pub(super) fn check(operations: &[StoreOperation], reference: &Reference) -> Judgement {
    let mut sent: BTreeMap<Identity, u64> = BTreeMap::new();
    for operation in operations {
        let Some(identity) = identity(&operation.asked) else { continue };
        check_told(operation, &identity, reference)?;
        if may_be_in_log(&operation.told) {
            *sent.entry(identity).or_default() += 1;
        }
    }
    check_counts(&sent, reference)?;
    check_values(reference)
}

/// How a write is recognised in the log.
fn identity(asked: &Asked) -> Option<Identity> {
    match asked {
        Asked::Write { session: Some((key, _)), .. } => {
            Some(Identity::InSession { session: key.session, sequence: key.sequence })
        }
        Asked::Write { command, session: None } => Some(Identity::of(command)),
        Asked::Get { .. } | Asked::Range { .. } | Asked::Changes { .. } => None,
    }
}

fn may_be_in_log(told: &Told) -> bool {
    matches!(told, Told::Wrote { .. } | Told::Unknown)
}

fn check_told(operation: &StoreOperation, identity: &Identity, reference: &Reference) -> Judgement {
    let Told::Wrote { effect, replayed } = &operation.told else { return Ok(()) };
    let during = |occurrence: &&Occurrence| {
        operation.invoked_ns <= occurrence.applied_ns && occurrence.applied_ns <= operation.ended_ns()
    };
    let in_log: Vec<&Occurrence> = reference.occurrences(identity).iter().filter(during).collect();
    let is_so = match (identity, effect) {
        (Identity::RangeDelete { .. }, Effect::RangeDeleted { .. }) => is_sum(effect, &in_log),
        _ => in_log.iter().any(|found| found.effect == *effect && found.replayed == *replayed),
    };
    // What a node may refuse by itself need not be in the log.
    let needs_no_log = matches!(effect, Effect::Refused(code) if !Effect::is_decided_by_log(*code));
    let is_repeated = matches!(identity, Identity::InSession { .. });
    if is_so || (needs_no_log && (in_log.is_empty() || is_repeated)) {
        return Ok(());
    }
    let all = reference.occurrences(identity);
    let mut has = String::new();
    for found in &all[all.len().saturating_sub(4)..] {
        let again = if found.replayed { ", replayed" } else { "" };
        let at = seconds(found.applied_ns);
        has.push_str(&format!("; entry {} of {at} says {}{again}", found.index, found.effect));
    }
    let (asked, told) = (&operation.asked, &operation.told);
    let (invoked, ended) = (seconds(operation.invoked_ns), seconds(operation.ended_ns()));
    let evidence = format!(
        "c{} asked n{} from {invoked} to {ended}: {asked}; it was told {told}; the log has it {} times{has}",
        operation.client,
        operation.member,
        all.len(),
    );
    Err(Violation::new(WRITES_ARE_AS_TOLD, evidence))
}

/// A delete of a range without a session is done in pieces, and told as one.
fn is_sum(told: &Effect, pieces: &[&Occurrence]) -> bool {
    let Effect::RangeDeleted { revision, deleted, more: None } = told else { return false };
    let (mut sum, mut last) = (0, None);
    for piece in pieces {
        let Effect::RangeDeleted { revision, deleted, .. } = &piece.effect else { return false };
        sum += deleted;
        last = Some(revision);
    }
    sum == *deleted && last == Some(revision)
}

/// Nothing is in the log that was not sent, or was refused before it came there, or more often than it was
/// sent. Nodes, too, compact; and a range delete is done in pieces.
fn check_counts(sent: &BTreeMap<Identity, u64>, reference: &Reference) -> Judgement {
    for (identity, found) in reference.all_occurrences() {
        let is_of_clients = !found.iter().any(|found| matches!(found.effect, Effect::Compacted { .. }))
            && !matches!(identity, Identity::RangeDelete { .. });
        let times = sent.get(identity).copied().unwrap_or(0);
        if is_of_clients && found.len() as u64 > times {
            let evidence = format!(
                "{identity:?} was sent {times} times without being refused, but is in the log {} times, first at {}: {}",
                found.len(),
                found[0].index,
                found[0].effect
            );
            return Err(Violation::new(EXACTLY_ONCE, evidence));
        }
    }
    Ok(())
}

/// No client writes a value to a key twice.
fn check_values(reference: &Reference) -> Judgement {
    let mut written: BTreeMap<(&[u8], &[u8]), u64> = BTreeMap::new();
    for change in reference.all_changes() {
        let Some(found) = &change.key_value else { continue };
        if let Some(before) = written.insert((&change.key, &found.value), change.revision) {
            let shown = &found.value[..found.value.len().min(40)];
            let evidence = format!(
                "{} was given the value \"{}\" at revision {before} and again at {}",
                change.key.escape_ascii(),
                shown.escape_ascii(),
                change.revision
            );
            return Err(Violation::new(EXACTLY_ONCE, evidence));
        }
    }
    Ok(())
}
