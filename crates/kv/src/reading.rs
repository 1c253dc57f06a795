//! Reading keys, now and in the past. Every record is checked before anything of it is served.

mod changes;
mod live_values;
mod past;
pub(crate) mod range;

use std::fmt::Display;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::command::Command;
use crate::machine::{Machine, MachineError};
use crate::query::{KeyValue, UnavailableRevision};
use crate::range::KeyRange;
use crate::record::Position;
use crate::record::head::{self, Head};
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::{IndexRecord, LiveKey};
use crate::tables::{Direction, Table, Tables};

pub(crate) use past::version_at;

impl Machine {
    /// The newest version of `key`.
    pub fn get<T: Tables>(tables: &T, key: &[u8]) -> Result<Option<KeyValue>, MachineError<T::Error>> {
        let Some(index) = read_index(tables, key)? else { return Ok(None) };
        read_live(tables, key, &index)
    }

    /// The version of `key` that was the newest one at `revision`: see [`past`] for how it is found.
    pub fn get_at<T: Tables>(
        tables: &T,
        key: &[u8],
        revision: u64,
    ) -> Result<Result<Option<KeyValue>, UnavailableRevision>, MachineError<T::Error>> {
        if let Err(unavailable) = check_revision(&read_head(tables)?, revision) {
            return Ok(Err(unavailable));
        }
        let Some(index) = read_index(tables, key)? else { return Ok(Ok(None)) };
        version_at(tables, key, index.position, revision, &mut 0).map(Ok)
    }
}

/// The head as it is in the tables.
pub(crate) fn read_head<T: Tables>(tables: &T) -> Result<Head, MachineError<T::Error>> {
    let Some(record) = tables.get(Table::Meta, &head::KEY)? else { return Ok(Head::EMPTY) };
    Head::decode(&record).map_err(|cause| damaged(Table::Meta, &head::KEY, cause))
}

/// Refuses revisions that cannot be read.
pub(crate) fn check_revision(head: &Head, revision: u64) -> Result<(), UnavailableRevision> {
    if revision > head.revision {
        return Err(UnavailableRevision::Future { newest: head.revision });
    }
    if revision < head.compacted {
        return Err(UnavailableRevision::Compacted { oldest: head.compacted });
    }
    Ok(())
}

/// The version of a key that its index record points at, if that is not a delete.
pub(crate) fn read_live<T: Tables>(
    tables: &T,
    key: &[u8],
    index: &IndexRecord,
) -> Result<Option<KeyValue>, MachineError<T::Error>> {
    let Some(live) = index.live else { return Ok(None) };
    let found = read_change(tables, key, index.position)?.key_value;
    check_live(key, &live, found).map(Some)
}

/// Refuses a version that is not the one that the index knows.
fn check_live<E>(key: &[u8], live: &LiveKey, found: Option<KeyValue>) -> Result<KeyValue, MachineError<E>> {
    let agrees = |found: &KeyValue| {
        (found.create_revision, found.version, found.value.len() as u64)
            == (live.create_revision, live.version, live.value_bytes)
    };
    found.filter(agrees).ok_or_else(|| damaged(Table::KeyIndex, key, "it contradicts the history"))
}

/// The records of the key index in a range, from the end that `direction` says, at most so many.
pub(crate) fn scan_index<T: Tables>(
    tables: &T,
    range: &KeyRange,
    direction: Direction,
    records_max: u64,
) -> Result<Vec<(Bytes, IndexRecord)>, MachineError<T::Error>> {
    let (mut found, mut error) = (Vec::new(), None);
    let (from, to) = range.bounds();
    tables.scan(Table::KeyIndex, from, to, direction, &mut |key, record| {
        match IndexRecord::decode(key, record) {
            Ok(index) => found.push((Bytes::copy_from_slice(key), index)),
            Err(cause) => error = Some(damaged(Table::KeyIndex, key, cause)),
        }
        match error.is_none() && (found.len() as u64) < records_max {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    error.map_or(Ok(found), Err)
}

/// Whether the bytes can be a key. Others must not reach the tables: LMDB refuses them with an error.
pub(crate) fn is_key(bytes: &[u8]) -> bool {
    (1..=Command::KEY_BYTES_MAX).contains(&bytes.len())
}

/// The index record of a key, if the key ever was there.
pub(crate) fn read_index<T: Tables>(
    tables: &T,
    key: &[u8],
) -> Result<Option<IndexRecord>, MachineError<T::Error>> {
    if !is_key(key) {
        return Ok(None);
    }
    let Some(record) = tables.get(Table::KeyIndex, key)? else { return Ok(None) };
    IndexRecord::decode(key, &record).map(Some).map_err(|cause| damaged(Table::KeyIndex, key, cause))
}

/// A change of a key, as reads see it.
struct ReadChange {
    /// The key as it was after the change, `None` if it was deleted.
    key_value: Option<KeyValue>,
    /// Where the change before it is.
    previous: Option<Position>,
}

/// The change of `key` at a position where the index or a newer change says that there is one.
fn read_change<T: Tables>(
    tables: &T,
    key: &[u8],
    position: Position,
) -> Result<ReadChange, MachineError<T::Error>> {
    let bytes = read_history(tables, position)?;
    let record = decode_history(position, &bytes)?;
    if record.key != key {
        return Err(damaged(Table::History, &position.encode(), "it is of another key than the index says"));
    }
    let key_value = key_value(position, record.change, |value| bytes.slice_ref(value));
    Ok(ReadChange { key_value, previous: record.previous })
}

/// A key as it is after a change, `None` if the change removed it.
pub(crate) fn key_value(
    position: Position,
    change: Change<'_>,
    keep: impl FnOnce(&[u8]) -> Bytes,
) -> Option<KeyValue> {
    match change {
        Change::Delete => None,
        Change::Put { value, create_revision, version, lease: _ } => {
            Some(KeyValue { value: keep(value), create_revision, mod_revision: position.revision, version })
        }
    }
}

/// The bytes of the change at a position where another record says that there is one.
pub(crate) fn read_history<T: Tables>(
    tables: &T,
    position: Position,
) -> Result<Bytes, MachineError<T::Error>> {
    let key = position.encode();
    tables.get(Table::History, &key)?.ok_or_else(|| damaged(Table::History, &key, "it is missing"))
}

pub(crate) fn decode_history<'record, E>(
    position: Position,
    record: &'record [u8],
) -> Result<HistoryRecord<'record>, MachineError<E>> {
    HistoryRecord::decode(position, record)
        .map_err(|cause| damaged(Table::History, &position.encode(), cause))
}

/// Whether a table has no records.
pub(crate) fn is_table_empty<T: Tables>(tables: &T, table: Table) -> Result<bool, T::Error> {
    let mut is_empty = true;
    let mut visit = |_: &[u8], _: &[u8]| {
        is_empty = false;
        ControlFlow::Break(())
    };
    tables.scan(table, Bound::Unbounded, Bound::Unbounded, Direction::Ascending, &mut visit)?;
    Ok(is_empty)
}

/// The error for a record that cannot be trusted.
pub(crate) fn damaged<E>(table: Table, key: &[u8], cause: impl Display) -> MachineError<E> {
    MachineError::Damaged(format!("{}: {cause}", describe_record(table, key)))
}

/// Which record it is, in words: its table, and its key or revision.
pub fn describe_record(table: Table, key: &[u8]) -> String {
    let name = table.name();
    match (table, Position::decode(key)) {
        (Table::History, Ok(Position { revision, sub_index })) => {
            format!("{name} revision {revision}, change {sub_index}")
        }
        _ => format!("{name} \"{}\"", key.escape_ascii()),
    }
}
