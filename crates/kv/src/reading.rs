//! Reading keys, now and in the past. Every record is checked before anything of it is served.

use std::fmt::Display;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::command::Command;
use crate::machine::{Machine, MachineError};
use crate::query::{Budget, ChangesPage, KeyValue, RangePage, RangeQuery, UnavailableRevision};
use crate::record::Position;
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::IndexRecord;
use crate::tables::{Direction, Table, Tables};

impl Machine {
    /// The newest version of `key`.
    pub fn get<T: Tables>(tables: &T, key: &[u8]) -> Result<Option<KeyValue>, MachineError<T::Error>> {
        let Some(index) = read_index(tables, key)? else { return Ok(None) };
        let Some(live) = index.live else { return Ok(None) };
        let key_value = read_change(tables, key, index.position)?.key_value;
        let agrees = |found: &KeyValue| {
            (found.create_revision, found.version, found.value.len() as u64)
                == (live.create_revision, live.version, live.value_bytes)
        };
        match key_value.filter(agrees) {
            Some(key_value) => Ok(Some(key_value)),
            None => Err(damaged(Table::KeyIndex, key, "it contradicts the history")),
        }
    }

    /// The version of `key` that was the newest one at `revision`. Walks back from the newest change, one
    /// read for each change since.
    pub fn get_at<T: Tables>(
        tables: &T,
        key: &[u8],
        revision: u64,
    ) -> Result<Result<Option<KeyValue>, UnavailableRevision>, MachineError<T::Error>> {
        let mut next = read_index(tables, key)?.map(|index| index.position);
        while let Some(position) = next {
            let change = read_change(tables, key, position)?;
            if position.revision <= revision {
                return Ok(Ok(change.key_value));
            }
            next = change.previous;
        }
        Ok(Ok(None))
    }

    /// One page of a range, as `query` asks for it and as much as `budget` allows. Between pages the caller
    /// can let go of the tables: [`RangeQuery::rest`] goes on at the same revision, whatever happened since.
    pub fn range<T: Tables>(
        tables: &T,
        query: &RangeQuery,
        budget: Budget,
    ) -> Result<Result<RangePage, UnavailableRevision>, MachineError<T::Error>> {
        let _ = (tables, query, budget);
        unimplemented!("follows with the next commit")
    }

    /// The changes of the revisions from `from_revision` on, in order, as many as `budget` allows but always
    /// of whole revisions. Revision 0 stands for the first one; the one after the newest is an empty page.
    /// Of a revision that was compacted changes may be missing, the oldest readable one included.
    pub fn changes<T: Tables>(
        tables: &T,
        from_revision: u64,
        budget: Budget,
    ) -> Result<Result<ChangesPage, UnavailableRevision>, MachineError<T::Error>> {
        let _ = (tables, from_revision, budget);
        unimplemented!("follows with the next commit")
    }
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
    let key_value = match record.change {
        Change::Delete => None,
        Change::Put { value, create_revision, version, lease: _ } => Some(KeyValue {
            value: bytes.slice_ref(value),
            create_revision,
            mod_revision: position.revision,
            version,
        }),
    };
    Ok(ReadChange { key_value, previous: record.previous })
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
    let name = table.name();
    MachineError::Damaged(match (table, Position::decode(key)) {
        (Table::History, Ok(Position { revision, sub_index })) => {
            format!("{name} revision {revision}, change {sub_index}: {cause}")
        }
        _ => format!("{name} \"{}\": {cause}", key.escape_ascii()),
    })
}
