//! The values of many keys at once.
//!
//! A range takes its values from all over the history. To search for each takes the tables longer than to step
//! from one to the next, and keys that lie side by side have often been written one after another. So the
//! values are read in the order of the history, and where few others lie between them, in one scan.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::{check_live, damaged, decode_history, key_value};
use crate::machine::MachineError;
use crate::query::KeyValue;
use crate::record::Position;
use crate::record::index::{IndexRecord, LiveKey};
use crate::tables::{Direction, Table, Tables};

/// Changes that are further apart than this many revisions are not read in one scan.
const GAP_REVISIONS_MAX: u64 = 4;
/// Scans of fewer changes cost more than searches.
const RUN_MIN: usize = 4;
/// Of the changes that a scan looks at, at least one of so many must be wanted.
const LOOKED_AT_PER_FOUND: usize = 8;

/// A key whose value is wanted.
struct Wanted<'chunk> {
    position: Position,
    key: &'chunk [u8],
    live: LiveKey,
    /// Its place in the chunk.
    place: usize,
}

/// The newest versions of keys of a chunk of the index, at the places that the keys have in it: of those that
/// exist and have not changed since `revision`, as many as come to about `bytes_max`. A place may be empty
/// for any reason; then the key has to be read by itself.
pub(super) fn read<T: Tables>(
    tables: &T,
    chunk: &[(Bytes, IndexRecord)],
    revision: u64,
    bytes_max: u64,
) -> Result<Vec<Option<KeyValue>>, MachineError<T::Error>> {
    let mut bytes = 0u64;
    let mut wanted = Vec::with_capacity(chunk.len());
    for (place, (key, index)) in chunk.iter().enumerate() {
        let Some(live) = index.live.filter(|_| index.position.revision <= revision) else { continue };
        if bytes >= bytes_max {
            break;
        }
        bytes = bytes.saturating_add(live.value_bytes);
        wanted.push(Wanted { position: index.position, key, live, place });
    }
    wanted.sort_unstable_by_key(|wanted| wanted.position);
    let mut found = Vec::new();
    found.resize_with(chunk.len(), || None);
    let is_near = |one: &Wanted<'_>, other: &Wanted<'_>| {
        other.position.revision - one.position.revision <= GAP_REVISIONS_MAX
    };
    for run in wanted.chunk_by(is_near).filter(|run| run.len() >= RUN_MIN) {
        read_run(tables, run, &mut found)?;
    }
    Ok(found)
}

/// Reads changes that lie close to each other.
fn read_run<T: Tables>(
    tables: &T,
    run: &[Wanted<'_>],
    found: &mut [Option<KeyValue>],
) -> Result<(), MachineError<T::Error>> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
    let (from, to) = (first.position.encode(), last.position.encode());
    let (from, to) = (Bound::Included(&from[..]), Bound::Included(&to[..]));
    let mut left = run.iter().peekable();
    let (mut looked_at_left, mut error) = (LOOKED_AT_PER_FOUND * run.len(), None);
    tables.scan(Table::History, from, to, Direction::Ascending, &mut |position, record| {
        looked_at_left -= 1;
        if let Some(wanted) = left.next_if(|wanted| wanted.position.encode() == position) {
            match read_wanted(wanted, record) {
                Ok(key_value) => found[wanted.place] = Some(key_value),
                Err(cause) => error = Some(cause),
            }
        }
        match error.is_none() && looked_at_left > 0 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    error.map_or(Ok(()), Err)
}

/// The version of a key, from the change that its index record points at.
fn read_wanted<E>(wanted: &Wanted<'_>, record: &[u8]) -> Result<KeyValue, MachineError<E>> {
    let record = decode_history(wanted.position, record)?;
    if record.key != wanted.key {
        let position = wanted.position.encode();
        return Err(damaged(Table::History, &position, "it is of another key than the index says"));
    }
    let found = key_value(wanted.position, record.change, Bytes::copy_from_slice);
    check_live(wanted.key, &wanted.live, found)
}
