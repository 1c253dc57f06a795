//! The proof that an order explains a history, checked again by other means than the search.

use std::collections::BTreeSet;

use super::entry::Entry;
use crate::model::Model;

/// Replays `order`, positions of `entries`, and stops the process if it does not explain the history:
/// then the search is wrong and nothing it says can be trusted.
pub(super) fn assert_explains<M: Model>(model: &M, entries: &[Entry<M::Action>], order: &[usize]) {
    let placed: BTreeSet<usize> = order.iter().copied().collect();
    assert_eq!(placed.len(), order.len(), "a witness contains an operation twice");
    for (index, entry) in entries.iter().enumerate() {
        assert!(!entry.is_required() || placed.contains(&index), "a witness lacks an answered operation");
    }
    let mut latest_invocation = 0;
    for index in order {
        let entry = &entries[*index];
        latest_invocation = entry.invoked.max(latest_invocation);
        let in_time = entry.completed.is_none_or(|completed| latest_invocation <= completed);
        assert!(in_time, "a witness places an operation after one that began when it had ended");
    }
    let mut states = BTreeSet::from([model.initial()]);
    for index in order {
        let mut next = Vec::new();
        states.iter().for_each(|state| model.step(state, &entries[*index].action, &mut next));
        states = next.into_iter().collect();
        assert!(!states.is_empty(), "a witness contains an operation that its model refuses");
    }
}
