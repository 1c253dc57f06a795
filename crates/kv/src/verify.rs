//! Checking a whole state against itself, for oracles, tests and repair tools: every record's checksum,
//! the history against the index and both against the head.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::digest;
use crate::machine::{Machine, MachineError};
use crate::reading::{damaged, decode_history, is_key, read_history, read_index};
use crate::record::head::{self, Head};
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::IndexRecord;
use crate::record::{Position, check_record};
use crate::tables::{Direction, Table, Tables};

/// How much of a table is held in memory at once: records and bytes of them.
const CHUNK_RECORDS_MAX: usize = 1024;
const CHUNK_BYTES_MAX: usize = 1 << 20;

impl Machine {
    /// Reads the whole state and checks it: every record's checksum and form, that history and index agree
    /// in both directions, and that the head counts what there is. The error names the first thing found
    /// to be wrong. Gives the machine that the tables hold.
    pub fn verify<T: Tables>(tables: &T) -> Result<Self, MachineError<T::Error>> {
        let machine = Self::load(tables)?;
        for_each_record(tables, Table::Meta, |key, record| {
            check_record(Table::Meta, key, record).map_err(|cause| damaged(Table::Meta, key, cause))
        })?;
        let written = verify_history(tables, machine.head().revision)?;
        let mut counted = Head { key_count: 0, live_bytes: 0, live: 0, written, ..*machine.head() };
        for_each_record(tables, Table::KeyIndex, |key, record| {
            let index = verify_index_record(tables, key, record)?;
            if let Some(live) = index.live {
                counted.key_count += 1;
                counted.live_bytes += key.len() as u64 + live.value_bytes;
                counted.live = counted.live.wrapping_add(live.element);
            }
            Ok(())
        })?;
        if counted == *machine.head() {
            Ok(machine)
        } else {
            let cause = format!("it says {:x?}, the records say {counted:x?}", machine.head());
            Err(damaged(Table::Meta, &head::KEY, cause))
        }
    }

    /// The digest over the keys that exist now, from the index and the values themselves:
    /// [`Machine::live_digest`] of a sound state.
    pub fn recompute_live_digest<T: Tables>(tables: &T) -> Result<u128, MachineError<T::Error>> {
        let mut sum = 0u128;
        for_each_record(tables, Table::KeyIndex, |key, record| {
            let index = decode_index(key, record)?;
            if index.live.is_some() {
                let bytes = read_history(tables, index.position)?;
                let change = decode_history(index.position, &bytes)?;
                sum = sum.wrapping_add(digest::element(index.position, &change));
            }
            Ok(())
        })?;
        Ok(sum)
    }
}

/// Checks every change against the one before it and against the index. Gives the sum of all elements.
fn verify_history<T: Tables>(tables: &T, newest_revision: u64) -> Result<u128, MachineError<T::Error>> {
    let mut written = 0u128;
    for_each_record(tables, Table::History, |key, bytes| {
        let position = Position::decode(key).map_err(|cause| damaged(Table::History, key, cause))?;
        let record = decode_history(position, bytes)?;
        let wrong = |cause: &str| Err(damaged(Table::History, key, cause));
        if !(1..=newest_revision).contains(&position.revision) {
            return wrong("its revision was never given");
        }
        if !is_key(record.key) {
            return wrong("its key cannot be one");
        }
        let element = digest::element(position, &record);
        written = written.wrapping_add(element);
        if !follows(tables, position, &record)? {
            return wrong("it does not follow from the change before it");
        }
        let Some(index) = read_index(tables, record.key)? else {
            return wrong("the index does not know its key");
        };
        if index.position < position {
            return wrong("it is newer than the index says");
        }
        if index.position == position && index != IndexRecord::of(position, &record, element) {
            return wrong("the index contradicts it");
        }
        Ok(())
    })?;
    Ok(written)
}

/// Whether the change is what a write after the previous change of its key would have made.
fn follows<T: Tables>(
    tables: &T,
    position: Position,
    record: &HistoryRecord<'_>,
) -> Result<bool, MachineError<T::Error>> {
    let bytes = record.previous.map(|previous| read_history(tables, previous)).transpose()?;
    let previous = match (record.previous, &bytes) {
        (Some(position), Some(bytes)) => Some(decode_history(position, bytes)?),
        _ => None,
    };
    if previous.is_some_and(|previous| previous.key != record.key) {
        return Ok(false);
    }
    let before = previous.map(|previous| previous.change);
    let (expected_create_revision, expected_version) = match before {
        Some(Change::Put { create_revision, version, .. }) => (create_revision, version.checked_add(1)),
        Some(Change::Delete) | None => (position.revision, Some(1)),
    };
    Ok(match record.change {
        Change::Put { create_revision, version, .. } => {
            create_revision == expected_create_revision && Some(version) == expected_version
        }
        Change::Delete => matches!(before, Some(Change::Put { .. })),
    })
}

/// Checks an index record against the change that it points at.
fn verify_index_record<T: Tables>(
    tables: &T,
    key: &[u8],
    record: &[u8],
) -> Result<IndexRecord, MachineError<T::Error>> {
    let index = decode_index(key, record)?;
    let bytes = read_history(tables, index.position)?;
    let change = decode_history(index.position, &bytes)?;
    let expected = IndexRecord::of(index.position, &change, digest::element(index.position, &change));
    if change.key == key && index == expected {
        Ok(index)
    } else {
        Err(damaged(Table::KeyIndex, key, "it contradicts the history"))
    }
}

fn decode_index<E>(key: &[u8], record: &[u8]) -> Result<IndexRecord, MachineError<E>> {
    IndexRecord::decode(key, record).map_err(|cause| damaged(Table::KeyIndex, key, cause))
}

/// Visits all records of a table in order, a chunk at a time, so that `visit` may read the tables again.
fn for_each_record<T: Tables>(
    tables: &T,
    table: Table,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), MachineError<T::Error>>,
) -> Result<(), MachineError<T::Error>> {
    let mut after: Option<Bytes> = None;
    loop {
        let mut chunk = Vec::new();
        let mut chunk_bytes = 0;
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        tables.scan(table, from, Bound::Unbounded, Direction::Ascending, &mut |key, record| {
            chunk_bytes += key.len() + record.len();
            chunk.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(record)));
            match chunk.len() < CHUNK_RECORDS_MAX && chunk_bytes < CHUNK_BYTES_MAX {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        for (key, record) in &chunk {
            visit(key, record)?;
        }
        let Some((last, _)) = chunk.pop() else { return Ok(()) };
        after = Some(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::condition::Condition;
    use crate::proposal::Proposal;
    use crate::record::index::LiveKey;
    use crate::tables::{MemoryTables, TablesMut};

    fn put(tables: &mut MemoryTables, table: Table, key: &[u8], record: Bytes) {
        let Ok(()) = tables.put(table, Bytes::copy_from_slice(key), record);
    }

    /// 1: a=1, 2: a=2, 3: b=3, 4: b deleted, 5: c=5.
    fn store() -> MemoryTables {
        let mut tables = MemoryTables::default();
        let mut machine = Machine::load(&tables).expect("empty");
        let condition = Condition::Always;
        let command = |(key, value): (&'static str, &'static str)| match value {
            "" => Command::Delete { key: Bytes::from(key), condition },
            value => Command::Put { key: Bytes::from(key), value: Bytes::from(value), condition },
        };
        let commands = [("a", "1"), ("a", "2"), ("b", "3"), ("b", ""), ("c", "5")].map(command).into();
        machine.apply(&mut tables, &Proposal { time_ms: 1, commands }).expect("apply");
        Machine::verify(&tables).expect("sound");
        tables
    }

    fn at(revision: u64) -> Position {
        Position { revision, sub_index: 0 }
    }

    fn put_change(tables: &mut MemoryTables, revision: u64, record: HistoryRecord<'_>) {
        put(tables, Table::History, &at(revision).encode(), record.encode(at(revision)));
    }

    fn index(tables: &MemoryTables, key: &[u8]) -> IndexRecord {
        read_index(tables, key).expect("readable").expect("present")
    }

    /// Does damage that no checksum tells, as a bug would, and expects it to be found.
    #[track_caller]
    fn check(damage: impl FnOnce(&mut MemoryTables), expected: &str) {
        let mut tables = store();
        damage(&mut tables);
        let error = Machine::verify(&tables).expect_err(expected).to_string();
        assert!(error.ends_with(expected), "{error}");
    }

    const A2: HistoryRecord<'static> = HistoryRecord {
        key: b"a",
        previous: Some(Position { revision: 1, sub_index: 0 }),
        change: Change::Put { value: b"2", create_revision: 1, version: 2, lease: 0 },
    };

    #[test]
    fn a_change_that_does_not_follow_from_the_one_before_is_found() {
        let change =
            |create_revision, version| Change::Put { value: b"2", create_revision, version, lease: 0 };
        let previous = Some(at(1));
        let wrong = [
            HistoryRecord { change: change(1, 3), ..A2 },
            HistoryRecord { change: change(2, 2), ..A2 },
            HistoryRecord { previous: None, ..A2 },
            HistoryRecord { previous: None, change: Change::Delete, ..A2 },
            HistoryRecord { key: b"b", previous, change: Change::Delete },
        ];
        for record in wrong {
            let damage = |tables: &mut MemoryTables| put_change(tables, 2, record);
            check(damage, "it does not follow from the change before it");
        }
    }

    #[test]
    fn a_change_of_what_cannot_be_or_never_was_is_found() {
        let change = Change::Put { value: b"", create_revision: 3, version: 1, lease: 0 };
        let record = HistoryRecord { key: b"", previous: None, change };
        check(|tables| put_change(tables, 3, record), "its key cannot be one");
        let record = HistoryRecord { key: b"z", ..record };
        check(|tables| put_change(tables, 3, record), "the index does not know its key");
        check(|tables| put_change(tables, 6, record), "its revision was never given");
        let record = HistoryRecord { previous: Some(at(3)), change: Change::Delete, ..A2 };
        check(|tables| put_change(tables, 4, record), "it does not follow from the change before it");
    }

    #[test]
    fn another_value_is_found_whatever_the_index_says() {
        let change = Change::Put { value: b"?", create_revision: 1, version: 1, lease: 0 };
        let record = HistoryRecord { previous: None, change, ..A2 };
        // An old version: only the sum over everything written tells.
        let mut tables = store();
        put_change(&mut tables, 1, record);
        let error = Machine::verify(&tables).expect_err("another value").to_string();
        assert!(error.contains("meta \"\\x01\": it says"), "{error}");
    }

    #[test]
    fn an_index_that_contradicts_the_history_is_found() {
        let lie = |index: IndexRecord| {
            move |tables: &mut MemoryTables| {
                put(tables, Table::KeyIndex, b"a", index.encode(b"a"));
            }
        };
        let tables = store();
        let (sound, other) = (index(&tables, b"a"), index(&tables, b"c"));
        let change = Change::Put { value: b"1", create_revision: 1, version: 1, lease: 0 };
        let first = HistoryRecord { previous: None, change, ..A2 };
        let old = IndexRecord::of(at(1), &first, digest::element(at(1), &first));
        check(lie(old), "it is newer than the index says");
        check(lie(IndexRecord { live: None, ..sound }), "the index contradicts it");
        let live = sound.live.map(|live| LiveKey { element: live.element ^ 1, ..live });
        check(lie(IndexRecord { live, ..sound }), "the index contradicts it");
        check(lie(other), "it contradicts the history");
        check(lie(IndexRecord { position: at(9), ..sound }), "it is missing");
        let damage = |tables: &mut MemoryTables| {
            put(tables, Table::KeyIndex, b"z", index(tables, b"c").encode(b"z"));
        };
        check(damage, "it contradicts the history");
    }

    #[test]
    fn a_head_that_counts_wrongly_is_found() {
        let tables = store();
        let head = *Machine::load(&tables).expect("load").head();
        let wrong = [
            Head { key_count: 3, ..head },
            Head { live_bytes: 5, ..head },
            Head { live: head.live + 1, ..head },
            Head { written: head.written ^ 1, ..head },
        ];
        for head in wrong {
            let mut tables = tables.clone();
            put(&mut tables, Table::Meta, &head::KEY, head.encode());
            let error = Machine::verify(&tables).expect_err("the head is wrong").to_string();
            assert!(error.contains("it says"), "{error}");
        }
    }

    #[test]
    fn a_newer_cluster_version_is_named_as_such() {
        let mut tables = MemoryTables::default();
        put(&mut tables, Table::Meta, &head::KEY, Head { cluster_version: 2, ..Head::EMPTY }.encode());
        let error = Machine::load(&tables).expect_err("newer");
        assert!(matches!(error, MachineError::ClusterVersion { found: 2, newest: 1 }), "{error}");
    }

    #[test]
    fn a_read_serves_nothing_that_the_index_contradicts() {
        let mut tables = store();
        let other = index(&tables, b"c");
        put(&mut tables, Table::KeyIndex, b"a", other.encode(b"a"));
        let sound = index(&tables, b"c");
        let live = sound.live.map(|live| LiveKey { version: 7, ..live });
        put(&mut tables, Table::KeyIndex, b"c", IndexRecord { live, ..sound }.encode(b"c"));
        for key in [b"a", b"c"] {
            let found = Machine::get(&tables, key);
            assert!(matches!(found, Err(MachineError::Damaged(_))), "{found:?}");
        }
        let found = Machine::get_at(&tables, b"a", 5);
        assert!(matches!(found, Err(MachineError::Damaged(_))), "{found:?}");
    }

    #[test]
    fn tables_of_many_chunks_are_read_to_their_end() {
        let mut tables = MemoryTables::default();
        let expected: Vec<_> = (0..2 * CHUNK_RECORDS_MAX as u32).map(|number| number.to_be_bytes()).collect();
        for (number, key) in expected.iter().enumerate() {
            // Some chunks end by their bytes, the others by their number of records.
            let record_bytes = if number < 4 { CHUNK_BYTES_MAX / 2 } else { 1 };
            put(&mut tables, Table::History, key, Bytes::from(vec![0; record_bytes]));
        }
        let mut found = Vec::new();
        for_each_record(&tables, Table::History, |key, _| {
            found.push(<[u8; 4]>::try_from(key).expect("four bytes"));
            Ok(())
        })
        .expect("read");
        assert_eq!(found, expected);
    }
}
