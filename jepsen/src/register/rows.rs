//! The operations of a key, reduced to what a check needs.
//!
//! What says nothing (failed operations, unknown reads) is dropped, and what is left is one of six kinds.

use super::history::{OperationId, RegisterHistory};
use super::key_operations::Recorded;
use super::operation::KeyId;

/// What an operation means for its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It held `first`.
    Read,
    /// It was set to `first`.
    Write,
    /// It was changed from `first` to `second`.
    Cas,
    /// It held something else than `first`.
    Refused,
    /// It was, or is later, or never set to `first`.
    MaybeWrite,
    /// It was, or is later, or never changed from `first` to `second`.
    MaybeCas,
}

impl Kind {
    /// Whether the operation must be part of every order.
    pub(super) fn is_required(self) -> bool {
        !matches!(self, Self::MaybeWrite | Self::MaybeCas)
    }
}

/// The end of an operation whose outcome is unknown.
pub(super) const NEVER: u64 = u64::MAX;

/// The number of the initial value on every key.
pub(super) const INITIAL: u32 = 0;

/// One operation of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// When it was invoked, plus one, so that 0 is before everything.
    pub(super) begin: u64,
    /// When it ended, plus one; [`NEVER`] if its outcome is unknown.
    pub(super) end: u64,
    /// What it read, wrote or expected, as a number of this key.
    pub(super) first: u32,
    /// What a compare-and-set sets.
    pub(super) second: u32,
    /// Which operation of the history it is.
    pub(super) operation: OperationId,
    pub(super) kind: Kind,
}

impl Row {
    /// The value that it leaves, if it changes the register.
    pub(super) fn written(&self) -> Option<u32> {
        match self.kind {
            Kind::Write | Kind::MaybeWrite => Some(self.first),
            Kind::Cas | Kind::MaybeCas => Some(self.second),
            Kind::Read | Kind::Refused => None,
        }
    }
}

/// Fills `rows` with the operations of a key that say something, in the order in which they began. The
/// caller keeps the buffer from key to key: fresh memory costs more than the check of what is in it.
pub(super) fn fill(rows: &mut Vec<Row>, history: &RegisterHistory, key: KeyId) {
    rows.clear();
    rows.extend(history.of_key(key).all().iter().filter_map(row));
    if !rows.is_sorted_by_key(|row| row.begin) {
        rows.sort_by_key(|row| row.begin);
    }
}

/// What an operation means; none if it cannot make any difference: a failed one, an unknown read, and an
/// unknown compare-and-set that would change nothing.
fn row(recorded: &Recorded) -> Option<Row> {
    let is_unknown = recorded.is_unknown();
    let changes_nothing = recorded.is_read() || !recorded.is_write() && recorded.first == recorded.second;
    if recorded.is_failed() || is_unknown && changes_nothing {
        return None;
    }
    let kind = if recorded.is_refused() {
        Kind::Refused
    } else if changes_nothing {
        Kind::Read
    } else {
        match (recorded.is_write(), is_unknown) {
            (true, false) => Kind::Write,
            (true, true) => Kind::MaybeWrite,
            (false, false) => Kind::Cas,
            (false, true) => Kind::MaybeCas,
        }
    };
    let sets_second = matches!(kind, Kind::Cas | Kind::MaybeCas);
    Some(Row {
        begin: recorded.invoked + 1,
        end: if is_unknown { NEVER } else { recorded.completed + 1 },
        first: recorded.first,
        second: if sets_second { recorded.second } else { INITIAL },
        operation: recorded.operation,
        kind,
    })
}
