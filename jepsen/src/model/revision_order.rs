//! The order that revisions tell.
//!
//! Answers name revisions, and revisions grow. So the writes of a key and the gets that found them are in
//! order once they are sorted by revision. What names no revision, namely that the key was absent or that a
//! condition did not hold, goes to the first instant of its interval at which it is true. Unknown writes that
//! nobody noticed are left out. If the result explains everything, there is nothing to search; that is for
//! the checker to find out, who trusts no revision.

use super::Timed;
use super::key_action::{KeyAction, RevisionTaken};

/// The likely order of the operations on one key, as positions among them; none if one of them must be
/// placed and tells too little.
pub(super) fn likely_order(operations: &[Timed<'_, KeyAction>]) -> Option<Vec<usize>> {
    // By revision, the write first.
    let mut told: Vec<(u64, bool, u64, usize)> = Vec::new();
    let mut floating: Vec<usize> = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        match operation.action {
            KeyAction::Saw(_, revision) => told.push((*revision, true, operation.invoked, index)),
            KeyAction::SawAbsent | KeyAction::SawPresent | KeyAction::SawOther(_) => floating.push(index),
            action => match revision_of(action) {
                Some(revision) => told.push((revision, false, operation.invoked, index)),
                None if operation.completed.is_none() => {}
                None => return None,
            },
        }
    }
    told.sort_unstable();
    let mut instants = Vec::with_capacity(told.len());
    let mut states = vec![None];
    let mut latest = 0;
    for (revision, _, invoked, index) in &told {
        latest = latest.max(*invoked);
        instants.push(latest);
        let is_gone = matches!(operations[*index].action, KeyAction::Removed { .. });
        states.push((!is_gone).then_some(*revision));
    }
    let mut placed: Vec<(usize, u64, usize)> = Vec::new();
    for index in floating {
        let operation = &operations[index];
        let begin = instants.partition_point(|instant| *instant < operation.invoked);
        let last = operation.completed.unwrap_or(u64::MAX);
        let end = instants.partition_point(|instant| *instant <= last);
        let gap = (begin..=end).find(|gap| is_true(operation.action, states[*gap]))?;
        placed.push((gap, operation.invoked, index));
    }
    placed.sort_unstable();
    let mut placed = placed.into_iter().peekable();
    let mut order = Vec::with_capacity(operations.len());
    for gap in 0..=told.len() {
        while let Some((_, _, index)) = placed.next_if(|(wanted, _, _)| *wanted == gap) {
            order.push(index);
        }
        order.extend(told.get(gap).map(|(_, _, _, index)| index));
    }
    Some(order)
}

/// The revision that a write took, if there is no choice.
fn revision_of(action: &KeyAction) -> Option<u64> {
    match action {
        KeyAction::Set { revision: RevisionTaken::Told(revision), .. } => Some(*revision),
        KeyAction::Set { revision: RevisionTaken::Guess { seen, unseen: false }, .. } => match seen[..] {
            [revision] => Some(revision),
            _ => None,
        },
        KeyAction::Removed { revision, .. } => *revision,
        _ => None,
    }
}

/// Whether an observation is true of a key that is absent, or present at a revision.
fn is_true(action: &KeyAction, state: Option<u64>) -> bool {
    match action {
        KeyAction::SawAbsent => state.is_none(),
        KeyAction::SawPresent => state.is_some(),
        KeyAction::SawOther(revision) => state != Some(*revision),
        _ => false,
    }
}
