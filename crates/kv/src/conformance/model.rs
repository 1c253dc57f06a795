//! The state machine as plainly as it can be said: a list of changes, from which all else is worked out
//! anew each time. And random commands for it.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use crate::command::Command;
use crate::condition::Condition;
use crate::outcome::{Limit, Outcome};
use crate::query::KeyValue;

/// The longest value of a new store.
pub(super) const VALUE_BYTES_MAX: usize = 1 << 20;

/// The state: what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) time_ms: u64,
    /// The change with revision 1 first. `None` is a delete.
    changes: Vec<(Bytes, Option<Bytes>)>,
}

impl Model {
    pub(super) fn revision(&self) -> u64 {
        self.changes.len() as u64
    }

    /// The key as it was at a revision.
    pub(super) fn get_at(&self, key: &[u8], revision: u64) -> Option<KeyValue> {
        let mut state: Option<KeyValue> = None;
        for (mod_revision, (changed, value)) in (1..=revision).zip(&self.changes) {
            if changed == key {
                state = value.clone().map(|value| {
                    let before = state.map_or((mod_revision, 0), |it| (it.create_revision, it.version));
                    KeyValue { value, create_revision: before.0, mod_revision, version: before.1 + 1 }
                });
            }
        }
        state
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.get_at(key, self.revision())
    }

    /// Every key that ever was.
    pub(super) fn keys(&self) -> BTreeSet<Bytes> {
        self.changes.iter().map(|(key, _)| key.clone()).collect()
    }

    /// How many keys there are, and their bytes.
    pub(super) fn totals(&self) -> (u64, u64) {
        let live = self.keys().into_iter().filter_map(|key| Some((key.len(), self.get(&key)?.value.len())));
        live.fold((0, 0), |(keys, bytes), (key, value)| (keys + 1, bytes + (key + value) as u64))
    }

    pub(super) fn apply(&mut self, command: &Command) -> Outcome {
        let (key, value, condition) = match command {
            Command::Put { key, value, condition } => (key, Some(value), condition),
            Command::Delete { key, condition } => (key, None, condition),
            _ => unreachable!("the steps make no others"),
        };
        if key.is_empty() || key.len() > 1024 {
            return Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum: 1024 };
        }
        if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            return Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum: VALUE_BYTES_MAX as u64 };
        }
        let current = self.get(key).map(|found| found.mod_revision);
        let applies = match *condition {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Exists => current.is_some(),
            Condition::RevisionIs(wanted) => current == Some(wanted),
        };
        if !applies {
            return Outcome::ConditionFailed { current };
        }
        if value.is_none() && current.is_none() {
            return Outcome::NotFound { revision: self.revision() };
        }
        self.changes.push((key.clone(), value.cloned()));
        let revision = self.revision();
        match self.get(key) {
            Some(KeyValue { create_revision, version, .. }) => {
                Outcome::Put { revision, create_revision, version }
            }
            None => Outcome::Deleted { revision },
        }
    }
}

/// A command before it is known which revisions there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    key: usize,
    /// Which value to put, or to delete.
    value: Option<usize>,
    condition: Wish,
}

/// A condition before it is known which revisions there are.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Plain(Condition),
    /// The key's newest revision, or one that is off by a few.
    RevisionMinus(u64),
}

/// Proposals: a time each, and steps.
pub(super) fn any_batches() -> impl Strategy<Value = Vec<(u64, Vec<Step>)>> {
    prop::collection::vec((0..20u64, prop::collection::vec(any_step(), 0..6)), 0..12)
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let wish = prop_oneof![
        6 => Just(Wish::Plain(Condition::Always)),
        2 => Just(Wish::Plain(Condition::Absent)),
        2 => Just(Wish::Plain(Condition::Exists)),
        3 => (0..2u64).prop_map(Wish::RevisionMinus),
        1 => (0..30u64).prop_map(|revision| Wish::Plain(Condition::RevisionIs(revision))),
    ];
    let key = prop_oneof![20 => 0..5usize, 1 => 5..7usize];
    let value = prop_oneof![3 => Just(None), 9 => (0..4usize).prop_map(Some), 1 => Just(Some(4))];
    (key, value, wish).prop_map(|(key, value, condition)| Step { key, value, condition })
}

impl Step {
    /// The command, in this state.
    pub(super) fn command(&self, model: &Model) -> Command {
        static LONG: [u8; VALUE_BYTES_MAX + 1] = [b'v'; VALUE_BYTES_MAX + 1];
        // The last two are no keys, the last one of the values is too long.
        let keys: [&[u8]; 7] = [b"a", b"a\0", b"ab", b"\xff", &LONG[..1024], b"", &LONG[..1025]];
        let values: [&[u8]; 5] = [b"", b"1", b"two", &LONG[..300], &LONG];
        let key = Bytes::from_static(keys[self.key]);
        let condition = match self.condition {
            Wish::Plain(condition) => condition,
            Wish::RevisionMinus(less) => {
                let newest = model.get(&key).map_or(model.revision(), |found| found.mod_revision);
                Condition::RevisionIs(newest.saturating_sub(less))
            }
        };
        match self.value {
            Some(value) => Command::Put { key, value: Bytes::from_static(values[value]), condition },
            None => Command::Delete { key, condition },
        }
    }
}
