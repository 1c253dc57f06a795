//! The ordered tables that the state machine lives in, as a trait.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

/// A table of the state machine. The ordinal is part of the storage and snapshot formats: never
/// change one, never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Single records: revision, time, digest, settings.
    Meta = 1,
    /// key → where its newest version is.
    KeyIndex = 2,
    /// (revision, sub-index) → one change, appended in order.
    History = 3,
    /// session → what is known of it.
    Sessions = 4,
    /// (session, sequence) → what that write did.
    SessionOutcomes = 5,
}

impl Table {
    /// Every table, in the order of its ordinal, which is the order of a snapshot.
    pub const ALL: [Table; 5] =
        [Table::Meta, Table::KeyIndex, Table::History, Table::Sessions, Table::SessionOutcomes];

    /// The persisted number of the table.
    pub const fn ordinal(self) -> u8 {
        self as u8
    }

    /// The table with that number, if there is one.
    pub fn from_ordinal(ordinal: u8) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.ordinal() == ordinal)
    }

    /// The name of the table in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::KeyIndex => "key_index",
            Table::History => "history",
            Table::Sessions => "sessions",
            Table::SessionOutcomes => "session_outcomes",
        }
    }
}

/// Which end a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key up.
    Ascending,
    /// From the greatest key down.
    Descending,
}

/// What a scan calls for each record (key, value); it may stop the scan.
pub type Visitor<'visit> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'visit;

/// Read access to ordered tables of byte strings.
///
/// Keys have 1 to [`crate::Command::KEY_BYTES_MAX`] bytes, values any number. Bounds may be empty.
pub trait Tables {
    /// Why a read can fail. Local: the caller stops the node.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The value under `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Self::Error>;

    /// Visits the records between the bounds in key order, or in reverse, until `visit` breaks. Bounds with
    /// nothing between them, reversed ones too, visit nothing. `visit` must not call the tables again: an
    /// implementation may hold a lock meanwhile.
    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), Self::Error>;
}

/// Write access to ordered tables of byte strings.
pub trait TablesMut: Tables {
    /// Sets the value under `key`.
    fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), Self::Error>;

    /// Removes `key`, if it is there.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Self::Error>;
}

/// Tables in memory: the model that the durable implementations are tested against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryTables {
    /// In the order of [`Table::ALL`].
    tables: [BTreeMap<Bytes, Bytes>; Table::ALL.len()],
}

impl MemoryTables {
    fn records(&self, table: Table) -> &BTreeMap<Bytes, Bytes> {
        &self.tables[usize::from(table.ordinal()) - 1]
    }

    fn records_mut(&mut self, table: Table) -> &mut BTreeMap<Bytes, Bytes> {
        &mut self.tables[usize::from(table.ordinal()) - 1]
    }
}

impl Tables for MemoryTables {
    type Error = Infallible;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Infallible> {
        Ok(self.records(table).get(key).cloned())
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), Infallible> {
        if is_empty_range(from, to) {
            return Ok(());
        }
        let mut range = self.records(table).range::<[u8], _>((from, to));
        let mut step = |(key, value): (&Bytes, &Bytes)| visit(key, value);
        let _ = match direction {
            Direction::Ascending => range.try_for_each(&mut step),
            Direction::Descending => range.rev().try_for_each(&mut step),
        };
        Ok(())
    }
}

impl TablesMut for MemoryTables {
    fn put(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), Infallible> {
        self.records_mut(table).insert(key, value);
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Infallible> {
        self.records_mut(table).remove(key);
        Ok(())
    }
}

/// Whether no key lies between the bounds. `BTreeMap::range` panics on some of these.
pub fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to))
        | (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
    }
}
