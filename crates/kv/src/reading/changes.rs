//! Reading the history itself.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::{damaged, decode_history, key_value, read_head};
use crate::machine::{Machine, MachineError};
use crate::query::{Budget, ChangesPage, KeyChange, UnavailableRevision};
use crate::record::Position;
use crate::tables::{Direction, Table, Tables};

impl Machine {
    /// The changes of the revisions from `from_revision` on, in order, as many as `budget` allows but always
    /// of whole revisions: one that is larger than the budget makes a page of its own. Revision 0 stands for the first one; the one after the newest is an empty page.
    /// Of a revision that was compacted changes may be missing, the oldest readable one included: the
    /// oldest that can be listed is the one after it.
    pub fn changes<T: Tables>(
        tables: &T,
        from_revision: u64,
        budget: Budget,
    ) -> Result<Result<ChangesPage, UnavailableRevision>, MachineError<T::Error>> {
        let head = read_head(tables)?;
        let (from_revision, newest) = (from_revision.max(1), head.revision);
        if from_revision <= head.compacted {
            return Ok(Err(UnavailableRevision::Compacted { oldest: head.compacted + 1 }));
        }
        if from_revision > newest.saturating_add(1) {
            return Ok(Err(UnavailableRevision::Future { newest }));
        }
        let mut listing = Listing {
            budget,
            bytes: 0,
            changes: Vec::new(),
            revision_start: 0,
            next_revision: from_revision,
        };
        let from = Position { revision: from_revision, sub_index: 0 }.encode();
        let from = Bound::Included(&from[..]);
        let mut error = None;
        tables.scan(Table::History, from, Bound::Unbounded, Direction::Ascending, &mut |key, record| {
            let listed = listing.add(key, record);
            listed.unwrap_or_else(|cause| {
                error = Some(cause);
                ControlFlow::Break(())
            })
        })?;
        let Listing { changes, next_revision, .. } = listing;
        match error {
            Some(error) => Err(error),
            None => Ok(Ok(ChangesPage { changes, next_revision, newest })),
        }
    }
}

/// A page while it is read.
struct Listing {
    budget: Budget,
    bytes: u64,
    changes: Vec<KeyChange>,
    /// Where the changes of the revision that is being listed begin.
    revision_start: usize,
    /// The revision after the one that is being listed, or the first one.
    next_revision: u64,
}

impl Listing {
    fn add<E>(&mut self, key: &[u8], record: &[u8]) -> Result<ControlFlow<()>, MachineError<E>> {
        let position = Position::decode(key).map_err(|cause| damaged(Table::History, key, cause))?;
        let record = decode_history(position, record)?;
        if self.is_first_of_revision(position)? {
            let is_spent =
                self.changes.len() as u64 >= self.budget.records || self.bytes >= self.budget.bytes;
            if is_spent && !self.changes.is_empty() {
                return Ok(ControlFlow::Break(()));
            }
            self.revision_start = self.changes.len();
            self.next_revision = position.revision + 1;
        }
        self.bytes += (record.key.len() + record.value().len()) as u64;
        let key_value = key_value(position, record.change, Bytes::copy_from_slice);
        let Position { revision, sub_index } = position;
        self.changes.push(KeyChange {
            revision,
            sub_index,
            key: Bytes::copy_from_slice(record.key),
            key_value,
        });
        let is_over = self.changes.len() as u64 > self.budget.records || self.bytes > self.budget.bytes;
        if is_over && self.revision_start > 0 {
            // This revision does not fit: the next page begins with it.
            self.changes.truncate(self.revision_start);
            self.next_revision = revision;
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether a change begins a revision. It must follow from the one before: no revision has no changes.
    fn is_first_of_revision<E>(&self, position: Position) -> Result<bool, MachineError<E>> {
        let expected_sub_index = match self.changes.last() {
            Some(last) if last.revision == position.revision => last.sub_index + 1,
            _ if position.revision == self.next_revision => 0,
            _ => {
                return Err(damaged(Table::History, &position.encode(), "the revision before it is missing"));
            }
        };
        if position.sub_index != expected_sub_index {
            return Err(damaged(Table::History, &position.encode(), "the change before it is missing"));
        }
        Ok(position.sub_index == 0)
    }
}
