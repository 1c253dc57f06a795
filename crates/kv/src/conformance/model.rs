//! The state machine as plainly as it can be said: a list of changes, from which all else is worked out
//! anew each time.

mod sessions;
mod sweep;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::command::Command;
use crate::condition::Condition;
use crate::outcome::{Limit, Outcome};
use crate::query::{KeyChange, KeyValue};
use crate::range::KeyRange;
use crate::settings::{Setting, SettingChange, Settings};

use sessions::ModelSession;
pub(super) use transactions::entry;

/// A key and its new value; `None` is a delete.
type Change = (Bytes, Option<Bytes>);

/// Which revision, and which of its changes.
type Place = (usize, usize);

/// The state: what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) time_ms: u64,
    /// The changes of revision 1 first.
    revisions: Vec<Vec<Change>>,
    /// The changes of the write that is being made.
    open: Vec<Change>,
    pub(super) settings: Settings,
    pub(super) compacted: u64,
    swept: Option<Place>,
    /// The changes that sweeps removed.
    removed: BTreeSet<Place>,
    pub(super) sessions: BTreeMap<u64, ModelSession>,
    pub(super) last_session: u64,
    pub(super) marks: u64,
}

impl Model {
    pub(super) fn revision(&self) -> u64 {
        self.revisions.len() as u64
    }

    /// Every change with its place, and at last those that are being made.
    fn changes(&self) -> impl Iterator<Item = (Place, &Change)> {
        let revisions = self.revisions.iter().chain([&self.open]);
        (1..).zip(revisions).flat_map(|(revision, changes)| {
            (0..).zip(changes).map(move |(number, change)| ((revision, number), change))
        })
    }

    /// The key as it was at a revision, whether or not that can still be read.
    pub(super) fn get_at(&self, key: &[u8], revision: u64) -> Option<KeyValue> {
        let mut state: Option<KeyValue> = None;
        for ((changed_at, _), (changed, value)) in self.changes() {
            let mod_revision = changed_at as u64;
            if changed == key && mod_revision <= revision {
                state = value.clone().map(|value| {
                    let before = state.map_or((mod_revision, 0), |it| (it.create_revision, it.version));
                    KeyValue { value, create_revision: before.0, mod_revision, version: before.1 + 1 }
                });
            }
        }
        state
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.get_at(key, u64::MAX)
    }

    /// The keys of a range that existed at a revision, in order.
    pub(super) fn range_at(&self, range: &KeyRange, revision: u64) -> Vec<(Bytes, KeyValue)> {
        let keys = self.keys().into_iter().filter(|key| range.contains(key));
        keys.filter_map(|key| self.get_at(&key, revision).map(|found| (key, found))).collect()
    }

    /// Every key that ever was.
    pub(super) fn keys(&self) -> BTreeSet<Bytes> {
        self.changes().map(|(_, (key, _))| key.clone()).collect()
    }

    /// The changes from a revision on.
    pub(super) fn changes_from(&self, from: u64) -> Vec<KeyChange> {
        let changes = self.changes().filter(|((revision, _), _)| *revision as u64 >= from);
        let changes = changes.map(|((revision, number), (key, _))| KeyChange {
            revision: revision as u64,
            sub_index: number as u32,
            key: key.clone(),
            key_value: self.get_at(key, revision as u64),
        });
        changes.collect()
    }

    /// How many keys there are, and their bytes.
    pub(super) fn totals(&self) -> (u64, u64) {
        let live = self.range_at(&KeyRange::all(), u64::MAX);
        let bytes = live.iter().map(|(key, found)| (key.len() + found.value.len()) as u64);
        (live.len() as u64, bytes.sum())
    }

    pub(super) fn apply(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Put { key, value, condition } => self.put_if(key, value, *condition),
            Command::Delete { key, condition } => self.delete_if(key, *condition),
            Command::DeleteRange { range, keys_max } => self.delete_range(range, *keys_max),
            Command::Transaction(transaction) => self.transact(transaction),
            Command::Compact { revision } if *revision > self.revision() => {
                Outcome::FutureRevision { newest: self.revision() }
            }
            Command::Compact { revision } => {
                self.compacted = self.compacted.max(*revision);
                Outcome::Compacted { oldest: self.compacted }
            }
            Command::Sweep { records_max } => self.sweep(*records_max),
            Command::ChangeSettings { changes } => self.change_settings(changes),
            Command::MarkDigest => {
                self.marks += 1;
                Outcome::DigestMarked { mark: self.marks, digest: 0 }
            }
            Command::CheckDigest { .. } => Outcome::DigestChecked { known: false },
            Command::OpenSession { .. }
            | Command::KeepSession { .. }
            | Command::CloseSession { .. }
            | Command::InSession(_) => self.apply_to_sessions(command),
        }
    }

    /// Ends the write that is being made: it takes a revision if it changed something.
    fn commit(&mut self) -> u64 {
        let changes = std::mem::take(&mut self.open);
        if !changes.is_empty() {
            self.revisions.push(changes);
        }
        self.revision()
    }

    fn put_if(&mut self, key: &Bytes, value: &Bytes, condition: Condition) -> Outcome {
        if let Err(refusal) = self.check_sizes(key, value) {
            return refusal;
        }
        let current = self.get(key).map(|found| found.mod_revision);
        if !holds(condition, current) {
            return Outcome::ConditionFailed { current };
        }
        if let Err(refusal) = self.put(key, value) {
            return refusal;
        }
        let revision = self.commit();
        let KeyValue { create_revision, version, .. } = self.get(key).expect("it was put");
        Outcome::Put { revision, create_revision, version }
    }

    fn delete_if(&mut self, key: &Bytes, condition: Condition) -> Outcome {
        if let Err(refusal) = self.check_sizes(key, &Bytes::new()) {
            return refusal;
        }
        let current = self.get(key).map(|found| found.mod_revision);
        if !holds(condition, current) {
            return Outcome::ConditionFailed { current };
        }
        if current.is_none() {
            return Outcome::NotFound { revision: self.revision() };
        }
        self.open.push((key.clone(), None));
        Outcome::Deleted { revision: self.commit() }
    }

    fn delete_range(&mut self, range: &KeyRange, keys_max: u64) -> Outcome {
        let keys_max = keys_max.clamp(1, self.settings.get(Setting::DeleteRangeKeysMax));
        let keys: Vec<Bytes> = self.range_at(range, u64::MAX).into_iter().map(|(key, _)| key).collect();
        let deleted = (keys.len() as u64).min(keys_max);
        self.open.extend(keys.iter().take(deleted as usize).map(|key| (key.clone(), None)));
        // It stops at the next key that is known, be it that of a delete.
        let last = deleted.checked_sub(1).map(|last| keys[last as usize].clone());
        let known = self.indexed_keys().into_iter();
        let next =
            known.filter(|key| range.contains(key)).find(|key| last.as_ref().is_none_or(|last| key > last));
        let next = next.filter(|_| deleted == keys_max);
        Outcome::RangeDeleted { revision: self.commit(), deleted, next }
    }

    fn change_settings(&mut self, changes: &[SettingChange]) -> Outcome {
        for SettingChange { setting, value } in changes {
            if !setting.allows(*value) {
                return Outcome::SettingOutOfBounds { setting: *setting, value: *value };
            }
        }
        for SettingChange { setting, value } in changes {
            self.settings = self.settings.with(*setting, *value);
        }
        Outcome::SettingsChanged
    }

    /// Adds a put to the write that is being made, if nothing forbids it.
    fn put(&mut self, key: &Bytes, value: &Bytes) -> Result<(), Outcome> {
        self.check_sizes(key, value)?;
        let quota = self.settings.get(Setting::QuotaBytes);
        self.open.push((key.clone(), Some(value.clone())));
        if quota != 0 && self.stored_bytes() > quota {
            self.open.pop();
            return Err(Outcome::LimitExceeded { limit: Limit::Quota, maximum: quota });
        }
        Ok(())
    }

    fn check_sizes(&self, key: &Bytes, value: &Bytes) -> Result<(), Outcome> {
        if key.is_empty() || key.len() > 1024 {
            return Err(Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum: 1024 });
        }
        let maximum = self.settings.get(Setting::ValueBytesMax);
        if value.len() as u64 > maximum {
            return Err(Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum });
        }
        Ok(())
    }
}

fn holds(condition: Condition, current: Option<u64>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => current.is_none(),
        Condition::Exists => current.is_some(),
        Condition::RevisionIs(wanted) => current == Some(wanted),
    }
}
