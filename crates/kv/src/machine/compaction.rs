//! Compaction: a mark that moves at once, and the removal of what it gave up, piece by piece.
//!
//! A read at revision R needs, of each key, the newest change up to R. So once nothing below the compacted
//! revision C is read any more, a change that was followed by another one of its key up to C is needed by
//! nobody, nor is a delete up to C that nothing followed. The sweep goes along the history in order; at each
//! change up to C it removes the one before it of the same key, and the change itself if it is a delete and
//! still the newest of its key, together with the key's index record. A delete that was followed by a put
//! goes when the sweep comes to that put.
//!
//! So of a key, only changes below the newest one up to C are ever missing, and no read that is allowed gets
//! there: a change that is missing on the way of a read is damage.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::{Machine, MachineError};
use crate::digest;
use crate::mutant::{self, Mutant};
use crate::outcome::Outcome;
use crate::reading::{damaged, decode_history, read_history, read_index};
use crate::record::history::Change;
use crate::record::{Position, history_bytes, index_bytes};
use crate::tables::{Direction, Table, Tables, TablesMut};

/// Changes that one sweep looks at, at most.
const SWEEP_RECORDS_MAX: u64 = 1024;
/// Bytes of keys and values after which a sweep looks at no further change: reading them takes time.
const SWEEP_BYTES_MAX: u64 = 4 << 20;

/// A change that compaction comes to.
struct Passed {
    position: Position,
    key: Bytes,
    previous: Option<Position>,
    is_delete: bool,
    bytes: u64,
}

impl Machine {
    pub(super) fn apply_compact(&mut self, revision: u64) -> Outcome {
        if revision > self.head.revision {
            return Outcome::FutureRevision { newest: self.head.revision };
        }
        self.head.compacted = self.head.compacted.max(revision);
        Outcome::Compacted { oldest: self.head.compacted }
    }

    pub(super) fn apply_sweep<T: TablesMut>(
        &mut self,
        tables: &mut T,
        records_max: u64,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let records_max = records_max.clamp(1, SWEEP_RECORDS_MAX);
        let end = Position { revision: self.head.compacted, sub_index: u32::MAX };
        // One more than are swept, to know whether there is anything left.
        let (passed, mut is_at_end) = passed(tables, self.head.swept, end, records_max + 1)?;
        let mut bytes = 0;
        for (number, change) in (0..).zip(&passed) {
            if number == records_max || bytes >= SWEEP_BYTES_MAX {
                is_at_end = false;
                break;
            }
            bytes += self.sweep_change(tables, change)?;
            self.head.swept = change.position;
        }
        if is_at_end {
            self.head.swept = self.head.swept.max(end);
        }
        let has_expired = self.remove_expired_sessions(tables)?.has_more;
        Ok(Outcome::Swept { revision: self.head.swept.revision, remaining: !is_at_end || has_expired })
    }

    /// Removes what nobody needs because of a change. Gives how many bytes that looked at.
    fn sweep_change<T: TablesMut>(
        &mut self,
        tables: &mut T,
        change: &Passed,
    ) -> Result<u64, MachineError<T::Error>> {
        let mut bytes = change.bytes;
        if let Some(previous) = change.previous {
            let record = read_history(tables, previous)?;
            bytes += self.remove_change(tables, previous, &change.key, &record)?;
        }
        if change.is_delete || mutant::active(Mutant::CompactionRemovesLiveValue) {
            let index = read_index(tables, &change.key)?;
            if index.is_some_and(|index| index.position == change.position) {
                let record = read_history(tables, change.position)?;
                self.remove_change(tables, change.position, &change.key, &record)?;
                self.forget_stored(&change.key, index_bytes(&change.key))?;
                tables.delete(Table::KeyIndex, &change.key)?;
            }
        }
        Ok(bytes)
    }

    /// Removes a change. Gives its bytes as the quota counts them.
    fn remove_change<T: TablesMut>(
        &mut self,
        tables: &mut T,
        position: Position,
        key: &[u8],
        record: &[u8],
    ) -> Result<u64, MachineError<T::Error>> {
        let record = decode_history(position, record)?;
        if record.key != key {
            return Err(damaged(
                Table::History,
                &position.encode(),
                "it is not of the key of the next change",
            ));
        }
        let bytes = history_bytes(key, record.value());
        self.head.removed = self.head.removed.wrapping_add(digest::element(position, &record));
        self.forget_stored(key, bytes)?;
        tables.delete(Table::History, &position.encode())?;
        Ok(bytes)
    }

    /// Takes a record of a key out of the bytes that the quota counts.
    fn forget_stored<E>(&mut self, key: &[u8], bytes: u64) -> Result<(), MachineError<E>> {
        let left = self.head.stored_bytes.checked_sub(bytes);
        let contradiction = || damaged(Table::KeyIndex, key, "the head does not count its bytes");
        self.head.stored_bytes = left.ok_or_else(contradiction)?;
        Ok(())
    }
}

/// The changes behind `after` up to `end`, as many as one sweep can use, and whether these are all.
fn passed<T: Tables>(
    tables: &T,
    after: Position,
    end: Position,
    records_max: u64,
) -> Result<(Vec<Passed>, bool), MachineError<T::Error>> {
    let (from, to) = (after.encode(), end.encode());
    let (from, to) = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
    let (mut passed, mut bytes, mut error, mut is_all) = (Vec::new(), 0, None, true);
    tables.scan(Table::History, from, to, Direction::Ascending, &mut |key, record| {
        match decode(key, record) {
            Ok(change) => {
                bytes += change.bytes;
                passed.push(change);
            }
            Err(cause) => error = Some(cause),
        }
        is_all = error.is_none() && (passed.len() as u64) < records_max && bytes < SWEEP_BYTES_MAX;
        if is_all { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    error.map_or(Ok((passed, is_all)), Err)
}

fn decode<E>(key: &[u8], record: &[u8]) -> Result<Passed, MachineError<E>> {
    let position = Position::decode(key).map_err(|cause| damaged(Table::History, key, cause))?;
    let record = decode_history(position, record)?;
    Ok(Passed {
        position,
        key: Bytes::copy_from_slice(record.key),
        previous: record.previous,
        is_delete: record.change == Change::Delete,
        bytes: history_bytes(record.key, record.value()),
    })
}
