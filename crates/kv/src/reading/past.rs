//! The version of a key at a revision in the past.
//!
//! The history is in the order of revisions, not of keys. There are two ways to a key's version: *back along
//! the key*, from its newest change to the one before it, which takes long if the key has changed often
//! since; and *back along the history*, from the revision that is read, which takes long if the key had not
//! changed for long before. A key that changes often is met soon on the second way, and one that does not is
//! soon at the end of the first. So both are tried in turn, each a little further every time: what is read is
//! at most about four times what the shorter way takes. If one key makes up a share `s` of all changes since,
//! and before, the shorter way has no more than about 1/`s` changes, and `s` times those since: for a
//! million changes since, a thousand, whatever the share.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::{damaged, decode_history, key_value, read_change};
use crate::machine::MachineError;
use crate::query::KeyValue;
use crate::record::Position;
use crate::tables::{Direction, Table, Tables};

/// How many changes are read on the first way before the second one is tried.
const STEPS_FIRST: u64 = 8;

/// What one way has come to.
enum Way<T> {
    /// The key as it was.
    Found(Option<KeyValue>),
    /// Here it goes on.
    More(T),
    /// It ends, and the key was not met.
    Exhausted,
}

/// The version of a key at a revision that is readable. Adds the number of changes read to `records`. A
/// change that is missing on the way back along the key is damage: compaction removes only what lies behind
/// the one that every allowed read stops at.
pub(crate) fn version_at<T: Tables>(
    tables: &T,
    key: &[u8],
    newest: Position,
    revision: u64,
    records: &mut u64,
) -> Result<Option<KeyValue>, MachineError<T::Error>> {
    let mut steps = STEPS_FIRST;
    let (mut along_key, mut along_history) = (newest, Position { revision, sub_index: u32::MAX });
    let mut is_included = true;
    loop {
        match walk_key(tables, key, along_key, revision, steps, records)? {
            Way::Found(found) => return Ok(found),
            Way::Exhausted => return Ok(None),
            Way::More(next) => along_key = next,
        }
        let from = along_history.encode();
        let to = if is_included { Bound::Included(&from[..]) } else { Bound::Excluded(&from[..]) };
        match walk_history(tables, key, to, steps, records)? {
            Way::Found(found) => return Ok(found),
            Way::Exhausted => return Ok(None),
            Way::More(last) => along_history = last,
        }
        is_included = false;
        steps *= 2;
    }
}

/// Goes back along the changes of the key.
fn walk_key<T: Tables>(
    tables: &T,
    key: &[u8],
    newest: Position,
    revision: u64,
    steps: u64,
    records: &mut u64,
) -> Result<Way<Position>, MachineError<T::Error>> {
    let mut next = newest;
    for _ in 0..steps {
        let change = read_change(tables, key, next)?;
        *records += 1;
        if next.revision <= revision {
            return Ok(Way::Found(change.key_value));
        }
        match change.previous {
            Some(previous) => next = previous,
            None => return Ok(Way::Exhausted),
        }
    }
    Ok(Way::More(next))
}

/// Goes back along all changes. Each is checked before it is passed over: it may be a damaged one of the key.
fn walk_history<T: Tables>(
    tables: &T,
    key: &[u8],
    to: Bound<&[u8]>,
    steps: u64,
    records: &mut u64,
) -> Result<Way<Position>, MachineError<T::Error>> {
    let (mut way, mut left) = (Ok(Way::Exhausted), steps);
    tables.scan(Table::History, Bound::Unbounded, to, Direction::Descending, &mut |position, record| {
        *records += 1;
        left -= 1;
        way = look_at(key, position, record);
        match &way {
            Ok(Way::More(_)) if left > 0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    match way? {
        // The scan has come to the beginning of the history.
        Way::More(_) if left > 0 => Ok(Way::Exhausted),
        way => Ok(way),
    }
}

fn look_at<E>(key: &[u8], position: &[u8], record: &[u8]) -> Result<Way<Position>, MachineError<E>> {
    let position = Position::decode(position).map_err(|cause| damaged(Table::History, position, cause))?;
    let record = decode_history(position, record)?;
    if record.key != key {
        return Ok(Way::More(position));
    }
    Ok(Way::Found(key_value(position, record.change, Bytes::copy_from_slice)))
}
