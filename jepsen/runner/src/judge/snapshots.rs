//! What a listing, a stale read or a read of the past must show: the state at its revision, all of it.
//!
//! The writes of the workload say what that is. A write whose outcome is unknown is believed as soon as anybody saw its
//! value, and from then on its revision is known, because no value is written twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use quorate_jepsen::history::Outcome;
use quorate_jepsen::import::ImportedHistory;
use quorate_jepsen::store::{StoreAnswer, StoreCall, StoreHistory};

use super::some;
use crate::history::{Conviction, Snapshot, SnapshotEntry};
use crate::property::Property;
use crate::workload::wrong_sum;

/// A write of a value.
struct Put<'h> {
    key: &'h [u8],
    /// When it was asked for.
    began: u64,
    has_failed: bool,
}

/// All that is known of the changes of keys.
#[derive(Default)]
struct Changes<'h> {
    /// Who wrote a value.
    puts: BTreeMap<&'h [u8], Put<'h>>,
    /// The revision of a value, if anybody was told.
    revisions: BTreeMap<Vec<u8>, u64>,
    /// Of each key, the revisions at which it changed, and whether it existed from then on.
    changes: BTreeMap<Vec<u8>, BTreeMap<u64, bool>>,
    /// When the deletes were asked for of which nobody knows whether they were done.
    unknown_deletes: BTreeMap<&'h [u8], Vec<u64>>,
}

/// Checks all snapshots of a workload against its writes.
pub(super) fn check(snapshots: &[Snapshot], history: &ImportedHistory) -> Vec<Conviction> {
    let ImportedHistory::Store(typed) = history else { return Vec::new() };
    let mut changes = Changes::of(&typed.history);
    for entry in snapshots.iter().flat_map(|snapshot| &snapshot.entries) {
        changes.learn(entry.key.as_bytes(), entry.value.as_bytes(), entry.revision);
    }
    let convict = |snapshot: &Snapshot| {
        let what = changes.contradiction(snapshot)?;
        let Snapshot { node, revision, start, end, .. } = snapshot;
        let (start, end) = (start.escape_debug(), end.escape_debug());
        let what = format!("node {node} showed {start} to {end} at revision {revision}: {what}");
        Some(Conviction { when: snapshot.began, property: Property::StatesOfARevision, what })
    };
    some(snapshots.iter().filter_map(convict).collect())
}

/// Checks that no money was lost or made.
pub(super) fn check_sums(snapshots: &[Snapshot]) -> Vec<Conviction> {
    let convict = |snapshot: &Snapshot| {
        let what = wrong_sum(snapshot)?;
        Some(Conviction { when: snapshot.began, property: Property::MoneyIsKept, what })
    };
    some(snapshots.iter().filter_map(convict).collect())
}

impl<'h> Changes<'h> {
    fn of(history: &'h StoreHistory) -> Self {
        let mut changes = Self::default();
        for operation in history.operations() {
            let key = operation.key.as_slice();
            if let Some(value) = operation.call.value() {
                let has_failed =
                    matches!(operation.outcome, Outcome::Failed | Outcome::Ok(StoreAnswer::Mismatch));
                changes.puts.insert(value, Put { key, began: operation.invoked, has_failed });
            }
            match (&operation.call, operation.answer()) {
                (StoreCall::Get, Some(StoreAnswer::Found { value, revision })) => {
                    changes.learn(key, value, *revision);
                }
                (
                    StoreCall::Put { value } | StoreCall::PutIf { value, .. },
                    Some(StoreAnswer::Written { revision }),
                ) => {
                    changes.learn(key, value, *revision);
                }
                (_, Some(StoreAnswer::Deleted { revision: Some(revision), .. })) => {
                    changes.changes.entry(key.to_vec()).or_default().insert(*revision, false);
                }
                (StoreCall::Delete | StoreCall::DeleteIf { .. }, None)
                    if operation.outcome == Outcome::Unknown =>
                {
                    changes.unknown_deletes.entry(key).or_default().push(operation.invoked);
                }
                _ => {}
            }
        }
        changes
    }

    /// A value of a key was seen or acknowledged with its revision.
    fn learn(&mut self, key: &[u8], value: &[u8], revision: u64) {
        self.revisions.entry(value.to_vec()).or_insert(revision);
        self.changes.entry(key.to_vec()).or_default().insert(revision, true);
    }

    /// What is wrong with a snapshot, if something is.
    fn contradiction(&self, snapshot: &Snapshot) -> Option<String> {
        let keys: Vec<&str> = snapshot.entries.iter().map(|entry| entry.key.as_str()).collect();
        let is_sorted = match snapshot.is_descending {
            false => keys.is_sorted_by(|one, next| one < next),
            true => keys.is_sorted_by(|one, next| one > next),
        };
        if !is_sorted {
            return Some(format!("keys are out of order, or twice there: {}", keys.join(", ")));
        }
        let wrong = snapshot.entries.iter().find_map(|entry| self.wrong_entry(snapshot, entry));
        wrong.or_else(|| self.missing(snapshot, &keys.into_iter().collect()))
    }

    fn wrong_entry(&self, snapshot: &Snapshot, entry: &SnapshotEntry) -> Option<String> {
        let SnapshotEntry { key, value, revision } = entry;
        let wrong =
            |what: String| Some(format!("key {key} with value {value:?} of revision {revision}, {what}"));
        if !(&snapshot.start..&snapshot.end).contains(&key) {
            return wrong("which was not asked for".to_owned());
        }
        if *revision > snapshot.revision {
            return wrong("which is newer".to_owned());
        }
        match self.puts.get(value.as_bytes()) {
            None => return wrong("which nobody wrote".to_owned()),
            Some(put) if put.key != key.as_bytes() => {
                return wrong("which was written to another key".to_owned());
            }
            Some(put) if put.has_failed => return wrong("although that write was refused".to_owned()),
            Some(put) if put.began > snapshot.ended => return wrong("before it was written".to_owned()),
            Some(_) => {}
        }
        match self.revisions.get(value.as_bytes()) {
            Some(known) if known != revision => {
                return wrong(format!("but that value was seen with revision {known}"));
            }
            _ => {}
        }
        let changes = self.changes.get(key.as_bytes())?;
        let (later, _) =
            changes.range((Bound::Excluded(revision), Bound::Included(&snapshot.revision))).next()?;
        wrong(format!("although the key changed at revision {later}"))
    }

    /// A key that should have been there, if there is one.
    fn missing(&self, snapshot: &Snapshot, shown: &BTreeSet<&str>) -> Option<String> {
        let (start, end) = (snapshot.start.as_bytes().to_vec(), snapshot.end.as_bytes().to_vec());
        if start >= end {
            return None;
        }
        self.changes.range(start..end).find_map(|(key, changes)| {
            let name = String::from_utf8_lossy(key);
            if shown.contains(name.as_ref()) {
                return None;
            }
            let (revision, exists) = changes.range(..=snapshot.revision).next_back()?;
            let deletes = self.unknown_deletes.get(key.as_slice());
            let may_be_deleted =
                deletes.is_some_and(|began| began.iter().any(|began| *began <= snapshot.ended));
            (*exists && !may_be_deleted)
                .then(|| format!("key {name} is missing, which was written at revision {revision}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key `a` is written at 1, deleted at 2, and written again at 4; key `b` is written at 3.
    fn history() -> StoreHistory {
        let mut history = StoreHistory::new();
        let put = |history: &mut StoreHistory, key: &[u8], value: &[u8], revision| {
            let put = history.invoke(1, key, StoreCall::Put { value: value.to_vec() }, revision * 10);
            history.ok(put, StoreAnswer::Written { revision }, revision * 10 + 5);
        };
        put(&mut history, b"a", b"a1", 1);
        let delete = history.invoke(1, b"a", StoreCall::Delete, 20);
        history.ok(delete, StoreAnswer::Deleted { existed: Some(true), revision: Some(2) }, 25);
        put(&mut history, b"b", b"b3", 3);
        put(&mut history, b"a", b"a4", 4);
        history
    }

    fn entry(key: &str, value: &str, revision: u64) -> SnapshotEntry {
        SnapshotEntry { key: key.to_owned(), value: value.to_owned(), revision }
    }

    fn shown(revision: u64, entries: &[SnapshotEntry]) -> Snapshot {
        Snapshot {
            began: 50,
            ended: 60,
            node: 1,
            revision,
            start: "a".to_owned(),
            end: "c".to_owned(),
            is_descending: false,
            entries: entries.to_vec(),
        }
    }

    fn contradiction(revision: u64, entries: &[SnapshotEntry]) -> Option<String> {
        let history = history();
        let mut changes = Changes::of(&history);
        entries.iter().for_each(|it| changes.learn(it.key.as_bytes(), it.value.as_bytes(), it.revision));
        changes.contradiction(&shown(revision, entries))
    }

    #[test]
    fn the_state_at_a_revision_is_shown() {
        assert_eq!(contradiction(1, &[entry("a", "a1", 1)]), None);
        assert_eq!(contradiction(2, &[]), None);
        assert_eq!(contradiction(3, &[entry("b", "b3", 3)]), None);
        assert_eq!(contradiction(4, &[entry("a", "a4", 4), entry("b", "b3", 3)]), None);
    }

    #[test]
    fn what_does_not_belong_there_is_found() {
        for (revision, entries, why) in [
            (1, vec![], "missing"),
            (2, vec![entry("a", "a1", 1)], "changed at revision 2"),
            (3, vec![entry("a", "a4", 4), entry("b", "b3", 3)], "newer"),
            (4, vec![entry("b", "b3", 3), entry("a", "a4", 4)], "out of order"),
            (4, vec![entry("a", "a4", 4), entry("a", "a4", 4)], "twice"),
            (4, vec![entry("a", "a4", 4)], "b is missing"),
            (4, vec![entry("a", "b3", 3)], "another key"),
            (4, vec![entry("a", "zz", 4), entry("b", "b3", 3)], "nobody wrote"),
            (4, vec![entry("a", "a4", 3), entry("b", "b3", 3)], "seen with revision 4"),
        ] {
            let found = contradiction(revision, &entries).unwrap_or_default();
            assert!(found.contains(why), "{entries:?} at {revision}: {found:?}, not {why}");
        }
    }

    #[test]
    fn an_unknown_delete_may_have_been_done() {
        let mut history = history();
        let delete = history.invoke(2, b"b", StoreCall::Delete, 45);
        history.unknown(delete, 48);
        let changes = Changes::of(&history);
        assert_eq!(changes.contradiction(&shown(5, &[entry("a", "a4", 4)])), None);
        assert_eq!(changes.contradiction(&shown(4, &[entry("a", "a4", 4), entry("b", "b3", 3)])), None);
    }

    #[test]
    fn a_refused_write_is_never_seen() {
        let mut history = history();
        let put = history.invoke(2, b"c", StoreCall::Put { value: b"c5".to_vec() }, 45);
        history.failed(put, 48);
        let changes = Changes::of(&history);
        let mut snapshot = shown(5, &[entry("a", "a4", 4), entry("b", "b3", 3), entry("c", "c5", 5)]);
        snapshot.end = "d".to_owned();
        assert!(changes.contradiction(&snapshot).is_some_and(|what| what.contains("refused")));
    }
}
