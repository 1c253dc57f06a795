//! The journal: entries one after the other, and which of them are still of use.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::record::Record;
use crate::unsynced::Unsynced;

/// Bytes that are no journal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the journal is not one, at byte {at}: {what}")]
pub struct NoJournal {
    /// Where.
    pub at: usize,
    /// What stands there.
    pub what: &'static str,
}

/// All whole entries, and how many bytes they take. What follows is a part of one that its process did not live to
/// write, so that the change it speaks of was never made.
///
/// # Errors
///
/// If something else follows.
pub fn decode(bytes: &[u8]) -> Result<(Vec<Record>, usize), NoJournal> {
    let mut records = Vec::new();
    let mut rest = bytes;
    loop {
        let at = bytes.len() - rest.len();
        match Record::decode(rest).map_err(|what| NoJournal { at, what })? {
            Some((record, following)) => {
                records.push(record);
                rest = following;
            }
            None => return Ok((records, at)),
        }
    }
}

/// The bytes of entries.
pub fn encode(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::encode).collect()
}

/// Leaves out what has become durable, so that the journal does not grow for ever. Of a file of which a sync has failed,
/// what was not written again since stays.
pub fn compact(records: Vec<Record>) -> Vec<Record> {
    let is_of_names = |record: &Record| matches!(record, Record::Renamed(_) | Record::DirectorySynced { .. });
    let (names, files): (Vec<_>, Vec<_>) = records.into_iter().partition(is_of_names);
    let mut kept = compact_names(names);
    kept.extend(Unsynced::of(files).file_records());
    kept
}

fn compact_names(records: Vec<Record>) -> Vec<Record> {
    let mut durable: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for record in &records {
        if let Record::DirectorySynced { before, path } = record {
            let place = durable.entry(path.clone()).or_default();
            *place = (*place).max(*before);
        }
    }
    let mut kept: Vec<Record> = Vec::new();
    for record in records {
        let stays = match &record {
            Record::Renamed(renaming) => {
                let synced = |path| durable.get(path).is_some_and(|&before| renaming.number < before);
                !renaming.directories().all(synced)
            }
            Record::DirectorySynced { before, .. } => kept
                .iter()
                .any(|record| matches!(record, Record::Renamed(renaming) if renaming.number < *before)),
            _ => true,
        };
        if stays {
            kept.push(record);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::{collection, option};

    use super::*;
    use crate::record::{Change, Renaming};

    fn change(number: u64, inode: u64) -> Record {
        Record::Changed(Change { number, inode, range: 0..4, bytes_before: 4, old: vec![number as u8; 4] })
    }

    fn made(number: u64, path: &str) -> Record {
        Record::Renamed(Renaming { number, inode: 0, from: None, to: Some(path.into()), kept: 0 })
    }

    #[test]
    fn the_part_of_an_entry_at_the_end_counts_for_nothing() {
        let records = vec![change(1, 7), made(2, "/d/a")];
        let mut bytes = encode(&records);
        let whole = bytes.len();
        bytes.extend_from_slice(&change(3, 7).encode()[..20]);
        assert_eq!(decode(&bytes), Ok((records, whole)));
    }

    #[test]
    fn what_is_durable_is_left_out() {
        let synced = Record::Synced { before: 3, inode: 7, range: 0..u64::MAX };
        let directory = Record::DirectorySynced { before: 5, path: "/d".into() };
        let left = [made(5, "/d/b"), change(3, 7), change(4, 8)];
        let mut records = vec![change(1, 7), made(2, "/d/a"), synced, directory];
        records.extend(left.clone());
        assert_eq!(compact(records), left);
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let number = || 1..20_u64;
        let inode = || 1..4_u64;
        let path = || (0..4_u8).prop_map(|name| format!("/{}/{name}", name % 2).into());
        prop_oneof![
            4 => (inode(), 0..900_u64, 1..900_u64).prop_map(|(inode, start, count)| {
                let change = Change {
                    number: 0, inode, range: start..start + count, bytes_before: start, old: Vec::new()
                };
                Record::Changed(change)
            }),
            2 => (number(), inode()).prop_map(|(before, inode)| {
                Record::Synced { before, inode, range: 0..u64::MAX }
            }),
            1 => (number(), inode()).prop_map(|(before, inode)| {
                Record::Synced { before, inode, range: 100..700 }
            }),
            1 => (number(), inode()).prop_map(|(before, inode)| Record::SyncFailed { before, inode }),
            1 => inode().prop_map(|inode| Record::Forgotten { inode }),
            3 => (option::of(path()), path()).prop_map(|(from, to)| {
                Record::Renamed(Renaming { number: 0, inode: 1, from, to: Some(to), kept: 0 })
            }),
            1 => (number(), 0..2_u8).prop_map(|(before, name)| {
                Record::DirectorySynced { before, path: format!("/{name}").into() }
            }),
        ]
    }

    /// Numbers changes in their order; no sync is for what comes later.
    fn number(mut records: Vec<Record>) -> Vec<Record> {
        let mut last = 0;
        for record in &mut records {
            match record {
                Record::Changed(Change { number, .. }) | Record::Renamed(Renaming { number, .. }) => {
                    last += 1;
                    *number = last;
                }
                Record::Synced { before, .. }
                | Record::SyncFailed { before, .. }
                | Record::DirectorySynced { before, .. } => *before = (*before).min(last + 1),
                Record::Forgotten { .. } => {}
            }
        }
        records
    }

    proptest! {
        #[test]
        fn compacting_changes_nothing_that_is_not_durable(records in collection::vec(any_record(), 0..30)) {
            let records = number(records);
            let files = |unsynced: &Unsynced| -> Vec<_> {
                let files = unsynced.files().iter().filter(|(_, file)| !file.is_clean());
                files.map(|(inode, file)| (*inode, file.clone())).collect()
            };
            let before = Unsynced::of(records.clone());
            let after = Unsynced::of(compact(records));
            prop_assert_eq!(files(&before), files(&after));
            prop_assert!(before.names().eq(after.names()));
        }
    }

    #[test]
    fn a_failed_sync_is_not_forgotten() {
        let synced = Record::Synced { before: 3, inode: 7, range: 0..u64::MAX };
        let records = vec![change(1, 7), Record::SyncFailed { before: 2, inode: 7 }, synced];
        let before = Unsynced::of(records.clone());
        assert_eq!(before.sectors(), 1);
        assert_eq!(Unsynced::of(compact(records)), before);
    }

    #[test]
    fn what_was_written_again_after_a_failed_sync_is_left_out() {
        let written = |number, start| {
            let range = start..start + 4;
            Record::Changed(Change { number, inode: 7, range, bytes_before: 900, old: vec![1; 4] })
        };
        let failed = Record::SyncFailed { before: 3, inode: 7 };
        let synced = |before| Record::Synced { before, inode: 7, range: 0..u64::MAX };
        let mut records = vec![written(1, 0), written(2, 600), failed, written(3, 0), synced(4)];
        let compacted = compact(records.clone());
        let lost = |record: &Record| matches!(record, Record::Changed(change) if change.number == 2);
        assert_eq!(compacted.iter().filter(|record| matches!(record, Record::Changed(_))).count(), 1);
        assert!(compacted.iter().any(lost), "{compacted:?}");
        records.extend([written(4, 600), synced(5)]);
        assert_eq!(compact(records), []);
    }
}
