//! One key of our store: absent, or a value with the revision of the write that set it.
//!
//! The sequential object is exact about revisions: every write takes a revision larger than all that the
//! key carried before. An acknowledged write says which. An unknown write does not, and this is the only
//! difficulty of the model: a later conditional write compares a number that no answer to the write told.
//! The action of an unknown write therefore carries every revision that it could have taken and that
//! anybody could notice; `key_observations.rs` gathers them. The step chooses one when the write happens,
//! so that all later comparisons are between known numbers, and no write has two revisions.
//!
//! Revisions begin at 1.

use std::collections::BTreeSet;

use super::key_action::{KeyAction, KeyState, Presence, RevisionTaken, ValueIndex};
use super::key_observations::Observations;
use super::{Effect, Model, Timed, revision_order};
use crate::history::{Operation, quoted};
use crate::store::{Expected, StoreCall};

/// The model of one key of our store, initially absent.
#[derive(Debug)]
pub struct RevisionedKey {
    values: Vec<Vec<u8>>,
    written: BTreeSet<ValueIndex>,
}

impl Model for RevisionedKey {
    type Call = StoreCall;
    type Action = KeyAction;
    type State = KeyState;

    fn prepare(operations: &[&Operation<StoreCall>]) -> (Self, Vec<KeyAction>) {
        let all = Observations::gather(operations);
        let actions = operations.iter().map(|operation| all.action(operation)).collect();
        (Self { values: all.values(), written: all.written() }, actions)
    }

    fn initial(&self) -> KeyState {
        KeyState { presence: Presence::Absent, floor: 0 }
    }

    fn step(&self, state: &KeyState, action: &KeyAction, next: &mut Vec<KeyState>) {
        match action {
            KeyAction::SawAbsent if state.presence == Presence::Absent => next.push(*state),
            KeyAction::Saw(value, revision)
                if state.presence == Presence::Present { value: *value, revision: Some(*revision) } =>
            {
                next.push(*state)
            }
            KeyAction::SawPresent if state.presence != Presence::Absent => next.push(*state),
            KeyAction::SawOther(revision) if !state.is_at(*revision) => next.push(*state),
            KeyAction::Set { expected, value, revision } if state.satisfies(*expected) => {
                let value = *value;
                let at = |revision: u64| KeyState {
                    presence: Presence::Present { value, revision: Some(revision) },
                    floor: revision,
                };
                match revision {
                    RevisionTaken::Told(revision) => {
                        next.extend((*revision > state.floor).then(|| at(*revision)))
                    }
                    RevisionTaken::Guess { seen, unseen } => {
                        let later = seen.iter().copied().filter(|revision| *revision > state.floor);
                        next.extend(later.map(at));
                        let presence = Presence::Present { value, revision: None };
                        // It took one all the same, and so the next one is larger.
                        let floor = (state.floor + 1..).find(|revision| !seen.contains(revision));
                        let floor = floor.expect("a history does not mention every revision");
                        next.extend(unseen.then_some(KeyState { presence, floor }));
                    }
                }
            }
            KeyAction::Removed { existed, expected, revision }
                if state.satisfies(expected.map(Expected::Revision))
                    && !(*existed && state.presence == Presence::Absent)
                    && revision.is_none_or(|revision| revision > state.floor) =>
            {
                next.push(KeyState { presence: Presence::Absent, floor: revision.unwrap_or(state.floor) })
            }
            _ => {}
        }
    }

    /// Unconditional writes overwrite: they need a floor below their revision, and a write before them
    /// can only raise the floor.
    fn effect(&self, action: &KeyAction) -> Effect {
        match action {
            KeyAction::SawAbsent | KeyAction::Saw(..) | KeyAction::SawPresent | KeyAction::SawOther(_) => {
                Effect::Observes
            }
            KeyAction::Set { expected: None, .. } | KeyAction::Removed { existed: false, .. } => {
                Effect::Overwrites
            }
            KeyAction::Set { .. } | KeyAction::Removed { .. } => Effect::Depends,
        }
    }

    /// Tries `second` after each state that `first` can leave, with the floor as low as it can be.
    fn may_enable(&self, first: &KeyAction, second: &KeyAction) -> bool {
        let mut left = Vec::new();
        match first {
            KeyAction::Set { value, revision, .. } => {
                let lowest = KeyState { presence: Presence::Absent, floor: 0 };
                let unconditional =
                    KeyAction::Set { expected: None, value: *value, revision: revision.clone() };
                self.step(&lowest, &unconditional, &mut left);
            }
            KeyAction::Removed { .. } => left.push(self.initial()),
            _ => return true,
        }
        let mut next = Vec::new();
        left.iter().for_each(|state| self.step(state, second, &mut next));
        !next.is_empty()
    }

    /// A write without a condition can replace one that has a condition.
    fn can_replace(&self, action: &KeyAction, other: &KeyAction) -> bool {
        match (action, other) {
            (
                KeyAction::Set { expected: None, value, revision },
                KeyAction::Set { value: other_value, revision: other_revision, .. },
            ) => value == other_value && revision == other_revision,
            (
                KeyAction::Removed { existed: false, expected: None, revision },
                KeyAction::Removed { revision: other_revision, .. },
            ) => revision == other_revision,
            _ => false,
        }
    }

    /// Revisions only grow, so whatever needs one that is in the past comes too late.
    fn is_hopeless(&self, state: &KeyState, action: &KeyAction) -> bool {
        let is_gone = |revision: u64| revision <= state.floor && !state.is_at(revision);
        match action {
            KeyAction::Saw(_, revision) => is_gone(*revision),
            KeyAction::Set { expected, revision, .. } => {
                let is_late = match revision {
                    RevisionTaken::Told(revision) => *revision <= state.floor,
                    RevisionTaken::Guess { seen, unseen } => {
                        !unseen && seen.iter().all(|revision| *revision <= state.floor)
                    }
                };
                is_late || matches!(expected, Some(Expected::Revision(revision)) if is_gone(*revision))
            }
            KeyAction::Removed { expected, revision, .. } => {
                revision.is_some_and(|revision| revision <= state.floor) || expected.is_some_and(is_gone)
            }
            KeyAction::SawAbsent | KeyAction::SawPresent | KeyAction::SawOther(_) => false,
        }
    }

    fn likely_order(&self, operations: &[Timed<'_, KeyAction>]) -> Option<Vec<usize>> {
        revision_order::likely_order(operations)
    }

    fn is_related(&self, action: &KeyAction, other: &KeyAction) -> bool {
        let KeyAction::Set { value: other_value, revision: other_revision, .. } = other else { return false };
        let wrote = |wanted: u64| match other_revision {
            RevisionTaken::Told(revision) => *revision == wanted,
            RevisionTaken::Guess { seen, .. } => seen.contains(&wanted),
        };
        match action {
            KeyAction::Saw(value, revision) => value == other_value || wrote(*revision),
            KeyAction::Set { expected: Some(Expected::Revision(revision)), .. } => wrote(*revision),
            KeyAction::Removed { expected: Some(revision), .. } => wrote(*revision),
            _ => false,
        }
    }

    fn impossibility(&self, action: &KeyAction) -> Option<String> {
        match action {
            KeyAction::Saw(value, _) if !self.written.contains(value) => {
                Some(format!("No operation of this history writes {}.", quoted(&self.values[*value])))
            }
            _ => None,
        }
    }

    fn describe(&self, state: &KeyState) -> String {
        let Presence::Present { value, revision } = state.presence else {
            return match state.floor {
                0 => "absent".to_owned(),
                floor => format!("absent, after revision {floor}"),
            };
        };
        let value = match self.values.get(value) {
            Some(value) => quoted(value),
            None => "a value that no get returned".to_owned(),
        };
        match revision {
            Some(revision) => format!("{value} at revision {revision}"),
            None => format!("{value} at a revision that no answer tells"),
        }
    }
}
