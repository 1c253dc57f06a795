//! Sets of partial orders, kept free of those that others make superfluous.

use std::collections::BTreeMap;

use super::slots::Slots;

/// A record of the search: an operation that was placed, and the record of the one placed before it.
pub(super) type PathIndex = usize;

/// One way in which the operations so far may have happened.
#[derive(Clone, Debug)]
pub(super) struct Arrangement<State> {
    /// The state that it leaves.
    pub(super) state: State,
    /// The open operations with an answer that it contains.
    pub(super) placed: Slots,
    /// The unknown operations that it contains.
    pub(super) spent: Slots,
    /// The last operation that it contains.
    pub(super) last: Option<PathIndex>,
}

type Member = (Slots, Option<PathIndex>);

/// A set of arrangements of which none dominates another.
///
/// Of two arrangements with the same state and the same answered operations, one that has spent a subset
/// of the other's unknown operations can do all that the other can: what it has not spent it may use
/// later or never. The other is superfluous. This is what keeps unknown operations from doubling the
/// search each.
#[derive(Clone, Debug)]
pub(super) struct Frontier<State> {
    /// By state and answered operations: the unknown operations of each arrangement, and its path.
    groups: BTreeMap<(State, Slots), Vec<Member>>,
}

impl<State: Clone + Ord> Frontier<State> {
    /// An empty set.
    pub(super) fn new() -> Self {
        Self { groups: BTreeMap::new() }
    }

    /// Adds an arrangement unless another dominates it; removes those that it dominates. Returns whether
    /// it was added, and the number of comparisons.
    pub(super) fn insert(&mut self, arrangement: Arrangement<State>) -> (bool, u64) {
        let Arrangement { state, placed, spent, last } = arrangement;
        let group = self.groups.entry((state, placed)).or_default();
        let comparisons = group.len() as u64;
        if group.iter().any(|(other, _)| other.is_subset(&spent)) {
            return (false, comparisons);
        }
        group.retain(|(other, _)| !spent.is_subset(other));
        group.push((spent, last));
        (true, comparisons)
    }

    /// Whether the set is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The arrangements, in an order that depends on nothing but the history.
    pub(super) fn into_arrangements(self) -> impl Iterator<Item = Arrangement<State>> {
        self.groups.into_iter().flat_map(|((state, placed), members)| {
            members.into_iter().map(move |(spent, last)| Arrangement {
                state: state.clone(),
                placed: placed.clone(),
                spent,
                last,
            })
        })
    }
}
