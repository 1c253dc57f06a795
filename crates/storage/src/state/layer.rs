//! Changes to the tables that are only in memory.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use bytes::Bytes;
use quorate_kv::Table;

/// What a record costs in memory besides its bytes, roughly.
const RECORD_OVERHEAD_BYTES: u64 = 96;

/// For each table the records that were put, and for each that was removed, that it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    /// In the order of [`Table::ALL`].
    tables: [BTreeMap<Bytes, Option<Bytes>>; Table::ALL.len()],
    bytes: u64,
}

impl Layer {
    fn changes_mut(&mut self, table: Table) -> &mut BTreeMap<Bytes, Option<Bytes>> {
        &mut self.tables[table_position(table)]
    }

    /// All changes to a table, in the order of keys.
    pub(crate) fn changes(&self, table: Table) -> &BTreeMap<Bytes, Option<Bytes>> {
        &self.tables[table_position(table)]
    }

    /// What this layer says of a key: nothing, that it was removed, or its value.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<Option<&Bytes>> {
        self.changes(table).get(key).map(Option::as_ref)
    }

    /// The changes between two keys. The bounds have something between them.
    pub(crate) fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> btree_map::Range<'_, Bytes, Option<Bytes>> {
        self.changes(table).range::<[u8], _>((from, to))
    }

    /// Notes a change.
    pub(crate) fn set(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        let key_bytes = key.len() as u64;
        let value_bytes = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len) as u64;
        self.bytes += value_bytes(&value);
        match self.changes_mut(table).insert(key, value) {
            Some(before) => self.bytes -= value_bytes(&before),
            None => self.bytes += key_bytes + RECORD_OVERHEAD_BYTES,
        }
    }

    /// Roughly, the memory that the changes take.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The position of a table in arrays that have one element for each.
pub(crate) fn table_position(table: Table) -> usize {
    Table::ALL.iter().position(|it| *it == table).expect("every table is in the list of all")
}
