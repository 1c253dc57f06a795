//! The operations of one key as the search sees them, and which of them it need not see.

use crate::history::{History, OperationIndex, Outcome};
use crate::model::{Effect, Model, Timed};

/// One operation of the key under search.
#[derive(Clone, Debug)]
pub(super) struct Entry<Action> {
    /// Which operation of the history it is.
    pub(super) operation: OperationIndex,
    /// What it means for the state.
    pub(super) action: Action,
    /// How it treats the state.
    pub(super) effect: Effect,
    /// When it began.
    pub(super) invoked: u64,
    /// When it ended; none if its outcome is unknown, so that it may happen later or never.
    pub(super) completed: Option<u64>,
}

impl<Action> Entry<Action> {
    /// Whether the operation must be part of the order.
    pub(super) fn is_required(&self) -> bool {
        self.completed.is_some()
    }

    /// The entry as a model sees it.
    pub(super) fn timed(&self) -> Timed<'_, Action> {
        Timed { action: &self.action, invoked: self.invoked, completed: self.completed }
    }
}

/// The entries of one key, in the order in which they began.
pub(super) fn entries<M: Model>(
    model: &M,
    history: &History<M::Call>,
    operations: &[OperationIndex],
    actions: Vec<M::Action>,
) -> Vec<Entry<M::Action>> {
    let mut entries: Vec<_> = operations
        .iter()
        .zip(actions)
        .map(|(index, action)| {
            let operation = &history.operations()[*index];
            let completed = match operation.outcome {
                Outcome::Ok(_) => Some(operation.completed.expect("an answered operation has ended")),
                Outcome::Failed => panic!("a failed operation reached the search: {operation}"),
                Outcome::Unknown => None,
            };
            let effect = model.effect(&action);
            Entry { operation: *index, action, effect, invoked: operation.invoked, completed }
        })
        .collect();
    entries.sort_by_key(|entry| (entry.invoked, entry.operation));
    entries
}

/// Drops the unknown operations that no order needs.
///
/// Take an order that explains all answers with as few unknown operations as possible, and an unknown
/// operation W in it. W is not the last, or it could be left out. The operation after W does not
/// overwrite, or W could be left out, by the definition of [`Effect::Overwrites`]. So it is one that
/// [`Model::may_enable`] allows directly after W and that does not end before W begins. Where there is
/// none, W is in no such order, and dropping it changes no verdict. Dropping one may make another
/// useless, hence the loop. An unknown operation that only observes is never needed.
pub(super) fn without_useless<M: Model>(
    model: &M,
    mut entries: Vec<Entry<M::Action>>,
) -> Vec<Entry<M::Action>> {
    loop {
        let is_useful = |index: usize| {
            let entry = &entries[index];
            let follows = |(other, follower): (usize, &Entry<M::Action>)| {
                other != index
                    && follower.effect != Effect::Overwrites
                    && follower.completed.is_none_or(|completed| completed >= entry.invoked)
                    && model.may_enable(&entry.action, &follower.action)
            };
            entry.is_required()
                || (entry.effect != Effect::Observes && entries.iter().enumerate().any(follows))
        };
        let useful: Vec<bool> = (0..entries.len()).map(is_useful).collect();
        if useful.iter().all(|useful| *useful) {
            return entries;
        }
        let mut useful = useful.into_iter();
        entries.retain(|_| useful.next() == Some(true));
    }
}
