//! The proof that an order explains a history, checked again by other means than the search.

use super::entry::Entry;
use crate::model::Model;

/// Replays `order`, positions of `entries`, and stops the process if it does not explain the history:
/// then the search is wrong and nothing it says can be trusted.
pub(super) fn assert_explains<M: Model>(model: &M, entries: &[Entry<M::Action>], order: &[usize]) {
    if let Err(fault) = explains(model, entries, order) {
        panic!("a witness {fault}");
    }
}

/// Replays `order`, positions of `entries`, and says why it does not explain the history.
pub(super) fn explains<M: Model>(
    model: &M,
    entries: &[Entry<M::Action>],
    order: &[usize],
) -> Result<(), &'static str> {
    let mut is_placed = vec![false; entries.len()];
    for index in order {
        if std::mem::replace(&mut is_placed[*index], true) {
            return Err("contains an operation twice");
        }
    }
    if entries.iter().zip(is_placed).any(|(entry, is_placed)| entry.is_required() && !is_placed) {
        return Err("lacks an answered operation");
    }
    let mut latest_invocation = 0;
    for index in order {
        let entry = &entries[*index];
        latest_invocation = entry.invoked.max(latest_invocation);
        if entry.completed.is_some_and(|completed| completed < latest_invocation) {
            return Err("places an operation after one that began when it had ended");
        }
    }
    let mut states = vec![model.initial()];
    let mut next = Vec::new();
    for index in order {
        states.drain(..).for_each(|state| model.step(&state, &entries[*index].action, &mut next));
        if next.len() > 1 {
            next.sort_unstable();
            next.dedup();
        }
        std::mem::swap(&mut states, &mut next);
        if states.is_empty() {
            return Err("contains an operation that its model refuses");
        }
    }
    Ok(())
}
