//! Damage that no checksum tells, as a bug would do it, and what finds it.

use super::*;
use crate::command::Command;
use crate::condition::Condition;
use crate::outcome::Outcome;
use crate::proposal::Proposal;
use crate::record::index::LiveKey;
use crate::record::session::{self, SessionRecord};
use crate::record::session_outcome::{SequenceKey, SessionOutcomeRecord};
use crate::session::SessionRequest;
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
    let change = |create_revision, version| Change::Put { value: b"2", create_revision, version, lease: 0 };
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

/// As [`store`], compacted and swept up to revision 4, with a session that has done one write since.
fn swept_store() -> MemoryTables {
    let mut tables = store();
    let mut machine = Machine::load(&tables).expect("load");
    let key = Bytes::from("c");
    let write = Command::Put { key, value: Bytes::from("6"), condition: Condition::Always };
    let request = SessionRequest { session: 1, sequence: 5, acknowledged_below: 5, fingerprint: 7 };
    let commands = vec![
        Command::Compact { revision: 4 },
        Command::Sweep { records_max: 10 },
        Command::OpenSession { ttl_ms: 1000 },
        write.in_session(request).expect("it is a write"),
    ];
    machine.apply(&mut tables, &Proposal { time_ms: 1, commands }).expect("apply");
    Machine::verify(&tables).expect("sound");
    tables
}

#[track_caller]
fn check_swept(damage: impl FnOnce(&mut MemoryTables), expected: &str) {
    let mut tables = swept_store();
    damage(&mut tables);
    let error = Machine::verify(&tables).expect_err(expected).to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_a_sweep_should_have_removed_is_found() {
    let change = Change::Put { value: b"1", create_revision: 1, version: 1, lease: 0 };
    let first = HistoryRecord { previous: None, change, ..A2 };
    check_swept(|tables| put_change(tables, 1, first), "the sweep left the change before it");
    let delete = HistoryRecord { key: b"b", previous: Some(at(3)), change: Change::Delete };
    let index = IndexRecord { position: at(4), live: None };
    let damage = |tables: &mut MemoryTables| {
        put_change(tables, 4, delete);
        put(tables, Table::KeyIndex, b"b", index.encode(b"b"));
    };
    check_swept(damage, "the sweep left it, a delete");
    let head = |change: fn(Head) -> Head| {
        move |tables: &mut MemoryTables| {
            let head = change(*Machine::load(tables).expect("load").head());
            put(tables, Table::Meta, &head::KEY, head.encode());
        }
    };
    check_swept(head(|head| Head { compacted: 7, ..head }), "out of order");
    check_swept(head(|head| Head { compacted: 3, ..head }), "out of order");
    check_swept(head(|head| Head { removed: 0, ..head }), "it says");
    check_swept(head(|head| Head { stored_bytes: head.stored_bytes + 1, ..head }), "it says");
    check_swept(head(|head| Head { sessions: 0, ..head }), "it says");
    check_swept(head(|head| Head { session_count: 0, ..head }), "it says");
    check_swept(head(|head| Head { last_session: 0, ..head }), "it was never opened");
    check_swept(head(|head| Head { time_ms: 0, ..head }), "its last sign of life is yet to come");
    // Not swept yet, and yet gone.
    let unswept = |head| Head { swept: Position { revision: 0, sub_index: 0 }, ..head };
    check_swept(head(unswept), "it is missing");
}

#[test]
fn sessions_and_outcomes_that_contradict_each_other_are_found() {
    let session = |change: fn(SessionRecord) -> SessionRecord| {
        move |tables: &mut MemoryTables| {
            let Ok(record) = tables.get(Table::Sessions, &session::key(1));
            let record = SessionRecord::decode(1, &record.expect("present")).expect("sound");
            put(tables, Table::Sessions, &session::key(1), change(record).encode(1));
        }
    };
    check_swept(
        session(|it| SessionRecord { outcome_count: 2, ..it }),
        "an outcome that it counts is missing",
    );
    check_swept(session(|it| SessionRecord { outcome_count: 0, ..it }), "its session does not count it");
    let watermark = |it| SessionRecord { acknowledged_below: 6, ..it };
    check_swept(session(watermark), "it is below the watermark");
    check_swept(session(|it| SessionRecord { ttl_ms: 1001, ..it }), "it says");
    let gone = |tables: &mut MemoryTables| {
        let Ok(()) = tables.delete(Table::Sessions, &session::key(1));
    };
    check_swept(gone, "there is no such session");
    let key = SequenceKey { session: 1, sequence: 5 };
    let other =
        SessionOutcomeRecord { fingerprint: 8, outcome: &Outcome::SessionClosed.encode() }.encode(key);
    check_swept(|tables| put(tables, Table::SessionOutcomes, &key.encode(), other), "it says");
    let unknown = SessionOutcomeRecord { fingerprint: 7, outcome: &[1, 99] }.encode(key);
    let damage = |tables: &mut MemoryTables| put(tables, Table::SessionOutcomes, &key.encode(), unknown);
    check_swept(damage, "outcome kind 99 is not known");
}

#[test]
fn what_was_stored_is_counted_if_the_head_is_of_the_first_version() {
    let mut tables = store();
    let machine = Machine::load(&tables).expect("load");
    put(&mut tables, Table::Meta, &head::KEY, head::tests::encode_bare(machine.head()));
    assert_eq!(Machine::load(&tables).expect("load"), machine);
    assert_eq!(Machine::verify(&tables).expect("verify"), machine);
}
