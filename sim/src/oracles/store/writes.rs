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
        if may_be_in_log(operation, &identity, reference)? {
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

/// Whether the request may be in the log, by what its client was told, which has to be as the log says.
fn may_be_in_log(
    operation: &StoreOperation,
    identity: &Identity,
    reference: &Reference,
) -> Result<bool, Violation> {
    match &operation.told {
        Told::Wrote { effect, replayed } => check_told(operation, (effect, *replayed), identity, reference),
        told => Ok(*told == Told::Unknown),
    }
}

/// The same, of a request whose client was told what it did.
fn check_told(
    operation: &StoreOperation,
    (effect, replayed): (&Effect, bool),
    identity: &Identity,
    reference: &Reference,
) -> Result<bool, Violation> {
    let during = |occurrence: &&Occurrence| {
        operation.invoked_ns <= occurrence.applied_ns && occurrence.applied_ns <= operation.ended_ns()
    };
    let in_log: Vec<&Occurrence> = reference.occurrences(identity).iter().filter(during).collect();
    let is_so = match (identity, effect) {
        (Identity::RangeDelete { .. }, Effect::RangeDeleted { .. }) => is_sum(effect, &in_log),
        _ => in_log.iter().any(|found| found.effect == *effect && found.replayed == replayed),
    };
    if is_so {
        return Ok(true);
    }
    // What a node has refused by itself is not in the log. There may be the same request of others, as that
    // to read some keys, or the same of a session once more; whether it is theirs, the counts tell.
    if matches!(effect, Effect::Refused(code) if !Effect::is_decided_by_log(*code)) {
        return Ok(matches!(identity, Identity::InSession { .. }));
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
