//! What the operations on one key tell about the revisions of its unknown writes.
//!
//! The revision that an unknown write *could* have taken is one of these ([`RevisionTaken::Guess`]):
//!
//! - a revision with which some get observed the write's value;
//! - a revision that a conditional write expected, successfully or with unknown outcome, and that no
//!   answer on this key gives to a write. Clients do not guess revisions, but a history may;
//! - an *unseen* revision, one that differs from every number in the history.
//!
//! It is never one that an acknowledged write took. If a get observed the value, and only one operation
//! writes it, it must be an observed one: with any other the get could never be placed. With unique
//! values an unknown write therefore has one possible revision, and the choice costs nothing.
//!
//! Values that no get returned are all alike when the outcome of their write is unknown: they share
//! [`UNREAD`], so that the search sees such writes as interchangeable instead of trying each. They cannot
//! simply be dropped, because a refused condition or a successful delete shows that *something* was there.

use std::collections::{BTreeMap, BTreeSet};

use super::key_action::{KeyAction, RevisionTaken, UNREAD, ValueIndex};
use crate::history::Operation;
use crate::store::{Expected, StoreAnswer, StoreCall};

/// What preparation gathers from all operations on the key.
#[derive(Default)]
pub(super) struct Observations<'a> {
    indexes: BTreeMap<&'a [u8], ValueIndex>,
    /// How many operations may have written the value.
    writers: BTreeMap<ValueIndex, usize>,
    /// The revisions with which gets returned the value.
    seen: BTreeMap<ValueIndex, BTreeSet<u64>>,
    /// The revisions that acknowledged writes took.
    taken: BTreeSet<u64>,
    /// Revisions that a conditional write may have met and that no answer on this key gave to a write.
    guesses: BTreeSet<u64>,
}

impl<'a> Observations<'a> {
    /// Gathers them.
    pub(super) fn gather(operations: &[&'a Operation<StoreCall>]) -> Self {
        let mut all = Self::default();
        for operation in operations {
            if let Some(value) = operation.call.value() {
                let value = all.index(value);
                *all.writers.entry(value).or_default() += 1;
            }
            if let Some(StoreAnswer::Found { value, revision }) = operation.answer() {
                let value = all.index(value);
                all.seen.entry(value).or_default().insert(*revision);
            }
            all.taken.extend(operation.answer().and_then(StoreAnswer::revision_taken));
            if operation.answer() != Some(&StoreAnswer::Mismatch) {
                all.guesses.extend(expected_revision(&operation.call));
            }
        }
        let explained = |revision: &u64| {
            all.taken.contains(revision) || all.seen.values().any(|seen| seen.contains(revision))
        };
        all.guesses = all.guesses.iter().copied().filter(|revision| !explained(revision)).collect();
        all
    }

    fn index(&mut self, value: &'a [u8]) -> ValueIndex {
        let next = self.indexes.len();
        *self.indexes.entry(value).or_insert(next)
    }

    /// The value and the revision of a write whose outcome is unknown.
    fn unknown_write(&self, value: &[u8]) -> (ValueIndex, RevisionTaken) {
        let value = self.indexes[value];
        let free = |revision: &u64| !self.taken.contains(revision);
        let Some(observed) = self.seen.get(&value) else {
            return (
                UNREAD,
                RevisionTaken::Guess { seen: self.guesses.iter().copied().collect(), unseen: true },
            );
        };
        let mut seen: BTreeSet<u64> = observed.iter().copied().filter(free).collect();
        let only_writer = self.writers[&value] == 1;
        if !only_writer {
            seen.extend(&self.guesses);
        }
        (value, RevisionTaken::Guess { seen: seen.into_iter().collect(), unseen: !only_writer })
    }

    /// The distinct values, in the order of their indexes.
    pub(super) fn values(&self) -> Vec<Vec<u8>> {
        let mut values = vec![Vec::new(); self.indexes.len()];
        self.indexes.iter().for_each(|(value, index)| values[*index] = value.to_vec());
        values
    }

    /// The values that some operation writes.
    pub(super) fn written(&self) -> BTreeSet<ValueIndex> {
        self.writers.keys().copied().collect()
    }

    /// The action of one operation.
    pub(super) fn action(&self, operation: &Operation<StoreCall>) -> KeyAction {
        match (&operation.call, operation.answer()) {
            (StoreCall::Get, Some(StoreAnswer::Found { value, revision })) => {
                KeyAction::Saw(self.indexes[value.as_slice()], *revision)
            }
            (StoreCall::Get, Some(_)) => KeyAction::SawAbsent,
            (StoreCall::Get, None) => panic!("a get without its answer reached the model: {operation}"),
            (StoreCall::PutIf { expected: Expected::Absent, .. }, Some(StoreAnswer::Mismatch)) => {
                KeyAction::SawPresent
            }
            (call, Some(StoreAnswer::Mismatch)) => {
                KeyAction::SawOther(expected_revision(call).expect("a mismatch answers a conditional write"))
            }
            (StoreCall::Put { value }, answer) => self.set(None, value, answer),
            (StoreCall::PutIf { expected, value }, answer) => self.set(Some(*expected), value, answer),
            (StoreCall::Delete, Some(StoreAnswer::Deleted { existed: Some(false), .. })) => {
                KeyAction::SawAbsent
            }
            (StoreCall::Delete, answer) => KeyAction::Removed {
                existed: matches!(answer, Some(StoreAnswer::Deleted { existed: Some(true), .. })),
                expected: None,
                revision: answer.and_then(StoreAnswer::revision_taken),
            },
            (StoreCall::DeleteIf { revision }, answer) => KeyAction::Removed {
                existed: true,
                expected: Some(*revision),
                revision: answer.and_then(StoreAnswer::revision_taken),
            },
        }
    }

    fn set(&self, expected: Option<Expected>, value: &[u8], answer: Option<&StoreAnswer>) -> KeyAction {
        let (value, revision) = match answer.and_then(StoreAnswer::revision_taken) {
            Some(revision) => (self.indexes[value], RevisionTaken::Told(revision)),
            None => self.unknown_write(value),
        };
        KeyAction::Set { expected, value, revision }
    }
}

/// The revision that a conditional write expects.
fn expected_revision(call: &StoreCall) -> Option<u64> {
    match call {
        StoreCall::PutIf { expected: Expected::Revision(revision), .. } => Some(*revision),
        StoreCall::DeleteIf { revision } => Some(*revision),
        _ => None,
    }
}
