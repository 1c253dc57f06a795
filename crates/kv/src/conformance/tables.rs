//! The checks of the tables.

use proptest::prelude::*;

use super::*;
use crate::command::Command;
use crate::tables::MemoryTables;

const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// Scans the implementation and the memory tables, and compares.
#[track_caller]
fn compare_scans(
    found: &impl Tables,
    expected: &MemoryTables,
    table: Table,
    bounds: (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
    limit: usize,
) {
    let found = scan(found, table, bounds, direction, limit);
    let expected = scan(expected, table, bounds, direction, limit);
    assert_eq!(found, expected, "{table:?} between {bounds:?}, {direction:?}, at most {limit}");
}

/// Two tables that hold the same.
fn filled<T: TablesMut>(make: &impl Fn() -> T, table: Table, keys: &[&'static [u8]]) -> (T, MemoryTables) {
    let (mut tables, mut memory) = (make(), MemoryTables::default());
    for key in keys {
        let (key, value) = (Bytes::from_static(key), Bytes::from(key.repeat(2)));
        tables.put(table, key.clone(), value.clone()).expect("put");
        let Ok(()) = memory.put(table, key, value);
    }
    (tables, memory)
}

pub(super) fn scans_between_any_bounds_agree<T: TablesMut>(make: &impl Fn() -> T) {
    // Bounds on, between, before and behind keys, of which some begin as others do.
    let keys: [&[u8]; 5] = [b"\0", b"a", b"a\0", b"ab", b"\xff\xff"];
    let others: [&[u8]; 6] = [b"", b"\0\0", b"a\0\0", b"aa", b"b", b"\xff\xff\xff"];
    let points = keys.iter().chain(&others).copied();
    let bounds: Vec<_> = points
        .flat_map(|point| [Bound::Included(point), Bound::Excluded(point)])
        .chain([Bound::Unbounded])
        .collect();
    let (tables, memory) = filled(make, Table::KeyIndex, &keys);
    for from in &bounds {
        for to in &bounds {
            // Said without a scan, because the memory tables have to be right, too.
            let mut between: Vec<_> = keys.into_iter().filter(|key| is_between(key, *from, *to)).collect();
            for direction in DIRECTIONS {
                compare_scans(&tables, &memory, Table::KeyIndex, (*from, *to), direction, usize::MAX);
                let found = scan(&tables, Table::KeyIndex, (*from, *to), direction, usize::MAX);
                let found: Vec<_> = found.iter().map(|(key, _)| &key[..]).collect();
                assert_eq!(found, between, "between {from:?} and {to:?}, {direction:?}");
                between.reverse();
            }
        }
    }
    for table in [Table::Meta, Table::History] {
        for direction in DIRECTIONS {
            // The other tables are untouched.
            compare_scans(&tables, &memory, table, (bounds[0], Bound::Unbounded), direction, usize::MAX);
        }
    }
}

fn is_between(key: &[u8], from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    let is_behind_from = match from {
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
        Bound::Unbounded => true,
    };
    let is_before_to = match to {
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
        Bound::Unbounded => true,
    };
    is_behind_from && is_before_to
}

pub(super) fn a_scan_stops_when_told<T: TablesMut>(make: &impl Fn() -> T) {
    let (tables, memory) = filled(make, Table::History, &[b"a", b"b", b"c", b"d"]);
    let bounds = (Bound::Excluded(&b"a"[..]), Bound::Included(&b"d"[..]));
    for direction in DIRECTIONS {
        for limit in 1..5 {
            compare_scans(&tables, &memory, Table::History, bounds, direction, limit);
        }
    }
}

pub(super) fn the_longest_keys_are_kept<T: TablesMut>(make: &impl Fn() -> T) {
    let mut tables = make();
    let long = |last: u8| {
        let mut key = vec![b'k'; Command::KEY_BYTES_MAX];
        key[Command::KEY_BYTES_MAX - 1] = last;
        Bytes::from(key)
    };
    for last in [2, 1] {
        tables.put(Table::KeyIndex, long(last), Bytes::copy_from_slice(&[last])).expect("put");
    }
    assert_eq!(tables.get(Table::KeyIndex, &long(1)).expect("get").as_deref(), Some(&[1][..]));
    assert_eq!(tables.get(Table::KeyIndex, &long(3)).expect("get"), None);
    let keys: Vec<_> = dump(&tables).into_iter().map(|(_, (key, _))| key).collect();
    assert_eq!(keys, [long(1), long(2)]);
}

/// Something to do to tables.
#[derive(Clone, Debug)]
enum Operation {
    Put(Table, Bytes, Bytes),
    Delete(Table, Bytes),
    Get(Table, Bytes),
    Scan(Table, Bound<Bytes>, Bound<Bytes>, Direction, usize),
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let table = || prop::sample::select(&Table::ALL[..]);
    // Few different bytes, so that keys meet and begin alike.
    let key = || prop::collection::vec(prop::sample::select(&b"\0ab\xff"[..]), 1..4).prop_map(Bytes::from);
    // Some values have to fill whole pages.
    let value_bytes = prop_oneof![8 => 0..40usize, 1 => 1000..20_000usize];
    let value = (any::<u8>(), value_bytes).prop_map(|(byte, length)| Bytes::from(vec![byte; length]));
    let bound = || {
        prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded),]
    };
    let direction = prop::sample::select(&DIRECTIONS[..]);
    prop_oneof![
        4 => (table(), key(), value).prop_map(|(table, key, value)| Operation::Put(table, key, value)),
        2 => (table(), key()).prop_map(|(table, key)| Operation::Delete(table, key)),
        1 => (table(), key()).prop_map(|(table, key)| Operation::Get(table, key)),
        2 => (table(), bound(), bound(), direction, 1..8usize).prop_map(
            |(table, from, to, direction, limit)| Operation::Scan(table, from, to, direction, limit)
        ),
    ]
}

pub(super) fn random_operations_agree<T: TablesMut>(make: &impl Fn() -> T) {
    check(prop::collection::vec(any_operation(), 0..60), |operations| {
        let (mut tables, mut memory) = (make(), MemoryTables::default());
        for operation in operations {
            match operation {
                Operation::Put(table, key, value) => {
                    tables.put(table, key.clone(), value.clone()).expect("put");
                    let Ok(()) = memory.put(table, key, value);
                }
                Operation::Delete(table, key) => {
                    tables.delete(table, &key).expect("delete");
                    let Ok(()) = memory.delete(table, &key);
                }
                Operation::Get(table, key) => {
                    let Ok(expected) = memory.get(table, &key);
                    assert_eq!(tables.get(table, &key).expect("get"), expected, "{table:?} {key:?}");
                }
                Operation::Scan(table, from, to, direction, limit) => {
                    let bounds = (from.as_ref().map(|key| &key[..]), to.as_ref().map(|key| &key[..]));
                    compare_scans(&tables, &memory, table, bounds, direction, limit);
                }
            }
        }
        assert_eq!(dump(&tables), dump(&memory));
    });
}
