//! Checking a whole state against itself, for oracles, tests and repair tools: every record's checksum,
//! the history against the index and both against the head.

mod sessions;

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use crate::digest;
use crate::machine::{Machine, MachineError};
use crate::reading::{damaged, decode_history, is_key, read_history, read_index};
use crate::record::head::{self, Head};
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::IndexRecord;
use crate::record::{Position, check_record, history_bytes, index_bytes};
use crate::tables::{Direction, Table, Tables};

/// How much of a table is held in memory at once: records and bytes of them.
const CHUNK_RECORDS_MAX: usize = 1024;
const CHUNK_BYTES_MAX: usize = 1 << 20;

impl Machine {
    /// Reads the whole state and checks it: every record's checksum and form, that history and index agree
    /// in both directions, that what was swept is gone and nothing else is, that sessions and their outcomes
    /// agree, and that the head counts what there is. The error names the first thing found
    /// to be wrong. Gives the machine that the tables hold.
    pub fn verify<T: Tables>(tables: &T) -> Result<Self, MachineError<T::Error>> {
        let machine = Self::load(tables)?;
        for_each_record(tables, Table::Meta, |key, record| {
            check_record(Table::Meta, key, record).map_err(|cause| damaged(Table::Meta, key, cause))
        })?;
        let head = machine.head();
        if !(head.swept.revision <= head.compacted && head.compacted <= head.revision) {
            return Err(damaged(
                Table::Meta,
                &head::KEY,
                format!("its revisions are out of order: {head:x?}"),
            ));
        }
        let history = verify_history(tables, head)?;
        let sessions = sessions::verify(tables, head)?;
        let mut counted = Head {
            key_count: 0,
            live_bytes: 0,
            live: 0,
            written: history.elements.wrapping_add(head.removed),
            stored_bytes: history.stored_bytes,
            session_count: sessions.count,
            sessions: sessions.elements,
            ..*head
        };
        for_each_record(tables, Table::KeyIndex, |key, record| {
            let index = verify_index_record(tables, key, record)?;
            counted.stored_bytes += index_bytes(key);
            if let Some(live) = index.live {
                counted.key_count += 1;
                counted.live_bytes += key.len() as u64 + live.value_bytes;
                counted.live = counted.live.wrapping_add(live.element);
            }
            Ok(())
        })?;
        if counted == *head {
            Ok(machine)
        } else {
            let cause = format!("it says {head:x?}, the records say {counted:x?}");
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

/// The bytes of all records in history and index as the quota counts them, for a state that was written
/// before they were.
pub(crate) fn recount_stored_bytes<T: Tables>(tables: &T) -> Result<u64, MachineError<T::Error>> {
    let mut bytes = 0;
    for_each_record(tables, Table::History, |key, record| {
        let position = Position::decode(key).map_err(|cause| damaged(Table::History, key, cause))?;
        let record = decode_history(position, record)?;
        bytes += history_bytes(record.key, record.value());
        Ok(())
    })?;
    for_each_record(tables, Table::KeyIndex, |key, _| {
        bytes += index_bytes(key);
        Ok(())
    })?;
    Ok(bytes)
}

/// What all changes come to.
struct HistoryTotals {
    elements: u128,
    stored_bytes: u64,
}

/// Checks every change against the one before it, against the index and against what was swept.
fn verify_history<T: Tables>(tables: &T, head: &Head) -> Result<HistoryTotals, MachineError<T::Error>> {
    let mut totals = HistoryTotals { elements: 0, stored_bytes: 0 };
    for_each_record(tables, Table::History, |key, bytes| {
        let position = Position::decode(key).map_err(|cause| damaged(Table::History, key, cause))?;
        let record = decode_history(position, bytes)?;
        let element = digest::element(position, &record);
        totals.elements = totals.elements.wrapping_add(element);
        totals.stored_bytes += history_bytes(record.key, record.value());
        let wrong = |cause: &str| Err(damaged(Table::History, key, cause));
        if !(1..=head.revision).contains(&position.revision) {
            return wrong("its revision was never given");
        }
        if !is_key(record.key) {
            return wrong("its key cannot be one");
        }
        let is_swept = position <= head.swept;
        if is_swept && previous_is_there(tables, &record)? {
            return wrong("the sweep left the change before it");
        }
        if !is_swept && !follows(tables, position, &record)? {
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
        if index.position == position && is_swept && record.change == Change::Delete {
            return wrong("the sweep left it, a delete");
        }
        Ok(())
    })?;
    Ok(totals)
}

/// Whether there is still what a change says to be the one before it.
fn previous_is_there<T: Tables>(
    tables: &T,
    record: &HistoryRecord<'_>,
) -> Result<bool, MachineError<T::Error>> {
    let Some(previous) = record.previous else { return Ok(false) };
    Ok(tables.get(Table::History, &previous.encode())?.is_some())
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
mod tests;
