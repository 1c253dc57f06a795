//! What every implementation of the tables has to pass: [`tables_suite`] compares it with
//! [`crate::MemoryTables`], [`machine_suite`] runs the state machine on it and compares that with a
//! plain model.
//!
//! `make` gives fresh, empty tables. An implementation with a life of its own (an overlay that is now and
//! then written down) should live it between the calls: a wrapper that does so on every few writes will do.
//! The number of random cases is proptest's (`PROPTEST_CASES`).

mod cases;
mod machine;
mod model;
mod reads;
mod steps;
mod tables;

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use crate::tables::{Direction, Table, Tables, TablesMut};

/// Checks that tables behave as [`crate::MemoryTables`] do: puts, deletes, gets, scans in both directions
/// between all kinds of bounds, scans that stop early. Panics with what differs.
pub fn tables_suite<T: TablesMut>(make: impl Fn() -> T) {
    tables::scans_between_any_bounds_agree(&make);
    tables::a_scan_stops_when_told(&make);
    tables::the_longest_keys_are_kept(&make);
    tables::random_operations_agree(&make);
}

/// Checks the state machine on these tables against a plain model, and that its digest, its determinism
/// and its checks hold. Panics with what differs.
pub fn machine_suite<T: TablesMut>(make: impl Fn() -> T) {
    machine::an_empty_store_is_sound(&make);
    machine::limits_hold_to_the_byte(&make);
    machine::random_proposals_agree_with_the_model(&make);
    machine::batches_do_not_matter(&make);
    machine::summaries_are_equal_where_states_are(&make);
    machine::every_damaged_record_is_found(&make);
    machine::every_missing_record_is_found(&make);
    machine::records_without_a_head_are_no_new_store(&make);
    cases::run_all(&make);
}

/// Runs a property on random values.
fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value)) {
    // No file of old failures: what was found becomes a test with a name.
    let config = Config { failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

/// A record and its key.
type Record = (Bytes, Bytes);

/// The records that a scan visits, at most `limit` of them.
fn scan(
    tables: &impl Tables,
    table: Table,
    (from, to): (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
    limit: usize,
) -> Vec<Record> {
    let mut records = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        records.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        if records.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    tables.scan(table, from, to, direction, &mut visit).expect("scan");
    records
}

/// All records of all tables, in order.
fn dump(tables: &impl Tables) -> Vec<(Table, Record)> {
    let everything = (Bound::Unbounded, Bound::Unbounded);
    let records = |table| scan(tables, table, everything, Direction::Ascending, usize::MAX);
    Table::ALL.into_iter().flat_map(|table| records(table).into_iter().map(move |it| (table, it))).collect()
}

#[cfg(test)]
mod tests {
    use crate::tables::MemoryTables;

    #[test]
    fn memory_tables_conform() {
        super::tables_suite(MemoryTables::default);
    }

    #[test]
    fn random_commands_come_to_every_outcome() {
        let names = super::machine::random_outcomes(&MemoryTables::default);
        // All but the limits of bytes read and keys looked at, which are cases of their own, and what is
        // tested with the form of transactions.
        let expected = [
            "Put",
            "Deleted",
            "NotFound",
            "ConditionFailed",
            "RangeDeleted",
            "Transaction",
            "KeyBytes",
            "WrittenTwice",
            "Compacted",
            "FutureRevision",
            "Swept",
            "SessionOpened",
            "SessionKept",
            "SessionClosed",
            "SessionUnknown",
            "SessionExpired",
            "SequenceFreed",
            "SequenceReused",
            "Replayed",
            "SettingsChanged",
            "SettingOutOfBounds",
            "DigestMarked",
            "DigestChecked",
            "ValueBytes",
            "TransactionComparisons",
            "TransactionOperations",
            "Quota",
            "Sessions",
            "SessionTtl",
            "SessionOutcomes",
        ];
        for name in expected {
            assert!(names.contains_key(name), "{name} is missing in {names:?}");
        }
    }

    #[test]
    fn the_machine_conforms_on_memory_tables() {
        super::machine_suite(MemoryTables::default);
    }
}
