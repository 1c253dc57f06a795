//! Changes of keys that share one revision.

use bytes::Bytes;

use crate::command::Command;
use crate::digest;
use crate::machine::MachineError;
use crate::outcome::Limit;
use crate::reading::{damaged, is_key};
use crate::record::head::Head;
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::{IndexRecord, LiveKey};
use crate::record::{Position, history_bytes, index_bytes};
use crate::settings::Setting;
use crate::tables::{Table, TablesMut};

/// Writes changes, and accounts for them in the head. Takes a revision with the first one.
pub(super) struct Writer<'machine, T> {
    pub(super) head: &'machine mut Head,
    pub(super) tables: &'machine mut T,
    last: Option<Position>,
}

/// What a put made of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) create_revision: u64,
    pub(super) version: u64,
}

/// The limit that forbids something, and its value.
pub(super) type Exceeded = (Limit, u64);

impl<'machine, T: TablesMut> Writer<'machine, T> {
    pub(super) fn new(head: &'machine mut Head, tables: &'machine mut T) -> Self {
        Self { head, tables, last: None }
    }

    /// The limit that forbids to put a value under a key. Checked before anything is read, so that nothing
    /// that could not be a key reaches the tables.
    pub(super) fn size_exceeded(&self, key: &[u8], value: Option<&Bytes>) -> Option<Exceeded> {
        if !is_key(key) {
            return Some((Limit::KeyBytes, Command::KEY_BYTES_MAX as u64));
        }
        let maximum = self.head.settings.get(Setting::ValueBytesMax);
        let is_too_long = value.is_some_and(|value| value.len() as u64 > maximum);
        is_too_long.then_some((Limit::ValueBytes, maximum))
    }

    /// Whether the quota forbids to put a value under a key that the index knows or does not.
    pub(super) fn quota_exceeded(
        &self,
        key: &[u8],
        value: &[u8],
        index: Option<&IndexRecord>,
    ) -> Option<Exceeded> {
        let maximum = self.head.settings.get(Setting::QuotaBytes);
        let added = history_bytes(key, value) + index.map_or_else(|| index_bytes(key), |_| 0);
        let is_over = maximum != 0 && self.head.stored_bytes.saturating_add(added) > maximum;
        is_over.then_some((Limit::Quota, maximum))
    }

    /// Puts a key of which the index says this.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        value: &[u8],
        index: Option<IndexRecord>,
    ) -> Result<Written, MachineError<T::Error>> {
        let position = self.next_position();
        let (create_revision, version) = match index.and_then(|index| index.live) {
            Some(live) => (live.create_revision, live.version + 1),
            None => (position.revision, 1),
        };
        let change = Change::Put { value, create_revision, version, lease: 0 };
        self.write(position, key, change, index)?;
        Ok(Written { create_revision, version })
    }

    /// Deletes a key that exists, of which the index says this.
    pub(super) fn delete(&mut self, key: &[u8], index: IndexRecord) -> Result<(), MachineError<T::Error>> {
        let position = self.next_position();
        self.write(position, key, Change::Delete, Some(index))
    }

    fn next_position(&mut self) -> Position {
        let position = match self.last {
            Some(last) => Position { sub_index: last.sub_index + 1, ..last },
            None => Position { revision: self.head.revision + 1, sub_index: 0 },
        };
        self.head.revision = position.revision;
        self.last = Some(position);
        position
    }

    /// Writes one change to history and index.
    fn write(
        &mut self,
        position: Position,
        key: &[u8],
        change: Change<'_>,
        index: Option<IndexRecord>,
    ) -> Result<(), MachineError<T::Error>> {
        let record = HistoryRecord { key, previous: index.map(|index| index.position), change };
        let element = digest::element(position, &record);
        if let Some(replaced) = index.and_then(|index| index.live) {
            self.forget_live(key, &replaced)?;
        }
        let after = IndexRecord::of(position, &record, element);
        let mut value_bytes = &[][..];
        if let Change::Put { value, .. } = change {
            value_bytes = value;
            self.head.key_count += 1;
            self.head.live_bytes += (key.len() + value.len()) as u64;
            self.head.live = self.head.live.wrapping_add(element);
        }
        self.head.written = self.head.written.wrapping_add(element);
        self.head.stored_bytes += history_bytes(key, value_bytes);
        if index.is_none() {
            self.head.stored_bytes += index_bytes(key);
        }
        let history_key = Bytes::copy_from_slice(&position.encode());
        self.tables.put(Table::History, history_key, record.encode(position))?;
        // A copy of the key: a slice of the proposal would keep all of it in memory as long as the key.
        self.tables.put(Table::KeyIndex, Bytes::copy_from_slice(key), after.encode(key))?;
        Ok(())
    }

    /// Takes what a key was out of what the head counts.
    fn forget_live(&mut self, key: &[u8], replaced: &LiveKey) -> Result<(), MachineError<T::Error>> {
        let (keys, bytes) = (self.head.key_count, self.head.live_bytes);
        let contradiction = || damaged(Table::KeyIndex, key, "the head does not count it");
        self.head.key_count = keys.checked_sub(1).ok_or_else(contradiction)?;
        let replaced_bytes = (key.len() as u64).saturating_add(replaced.value_bytes);
        self.head.live_bytes = bytes.checked_sub(replaced_bytes).ok_or_else(contradiction)?;
        self.head.live = self.head.live.wrapping_sub(replaced.element);
        Ok(())
    }
}
