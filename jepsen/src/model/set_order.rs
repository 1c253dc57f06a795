//! The order that the reads of a growing set tell.
//!
//! Where nothing is ever removed, the reads are in order by the size of what they saw. An addition comes before the
//! smallest read that saw its element, and one that nobody saw comes last; if its outcome is unknown, it is left out.
//! If no element is added twice, and any order explains such a history, then this one does: what is earlier in time has
//! seen no more. So such histories need no search, however many additions have an unknown outcome.

use super::Timed;
use super::set::{Members, SetAction};

/// The likely order of the operations on a set that only grows, as positions among them.
pub(super) fn likely_order(operations: &[Timed<'_, SetAction>]) -> Vec<usize> {
    let mut reads: Vec<(usize, &Members)> = Vec::new();
    for operation in operations {
        if let SetAction::Read(members) = operation.action {
            reads.push((members.len(), members));
        }
    }
    reads.sort_unstable();
    reads.dedup();
    // By size, the additions first.
    let mut order: Vec<(usize, bool, u64, usize)> = Vec::with_capacity(operations.len());
    for (index, operation) in operations.iter().enumerate() {
        match operation.action {
            SetAction::Read(members) => order.push((members.len(), true, operation.invoked, index)),
            SetAction::Add(element) | SetAction::Remove(element) => {
                let seen = reads.iter().find(|(_, members)| members.contains(*element));
                match seen {
                    Some((size, _)) => order.push((*size, false, operation.invoked, index)),
                    None if operation.completed.is_none() => {}
                    None => order.push((usize::MAX, false, operation.invoked, index)),
                }
            }
        }
    }
    order.sort_unstable();
    order.into_iter().map(|(_, _, _, index)| index).collect()
}
