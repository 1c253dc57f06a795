//! Transactions: comparisons choose between two lists of operations, and all of it happens at one point of
//! the log, in one revision.
//!
//! Operations see the effects of the earlier ones of their transaction. No key may be written twice, so that
//! a revision has at most one change of each key and a read at a revision has one answer. Whatever forbids
//! one operation forbids the whole transaction.

mod check;

use bytes::Bytes;

use crate::comparison::Comparison;
use crate::query::RangeForm;
use crate::range::KeyRange;
use crate::tables::Direction;

/// What to compare, and what to do then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What has to be so; none always holds.
    pub comparisons: Vec<Comparison>,
    /// What to do if all comparisons hold.
    pub success: Vec<Operation>,
    /// What to do otherwise.
    pub failure: Vec<Operation>,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set a key's value.
    Put {
        /// The key.
        key: Bytes,
        /// The new value.
        value: Bytes,
    },
    /// Remove a key, if it is there.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Remove all keys of a range. If there are more than the setting
    /// [`crate::Setting::DeleteRangeKeysMax`] allows for the whole transaction, the transaction is refused.
    DeleteRange {
        /// The keys.
        range: KeyRange,
    },
    /// Read a key.
    Get {
        /// The key.
        key: Bytes,
    },
    /// Read a range.
    Range {
        /// The keys.
        range: KeyRange,
        /// In which order they come, and where the limit begins to count.
        direction: Direction,
        /// How many keys at most, or all.
        limit: Option<u64>,
        /// How much of each key.
        form: RangeForm,
    },
    /// Compare and choose again. Not inside of another such operation.
    Transaction(Transaction),
}

/// Why a transaction is none that could be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransaction {
    /// A nested transaction has a transaction in it.
    #[error("a nested transaction must not nest another one")]
    TooDeep,
    /// A key is empty or too long.
    #[error("a key has to have 1 to {} bytes", crate::Command::KEY_BYTES_MAX)]
    KeyBytes,
    /// A key may be written more than once.
    #[error("the key \"{}\" may be written more than once", key.escape_ascii())]
    WrittenTwice {
        /// The first such key.
        key: Bytes,
    },
}

impl Transaction {
    /// The most keys that one transaction may look at in comparisons, reads and deletes of ranges: it holds
    /// up everything else meanwhile. Deleted keys that compaction has not removed yet count, too.
    pub const SCANNED_KEYS_MAX: u64 = 10_000;
    /// The most bytes of keys and values that one transaction may read.
    pub const RESULT_BYTES_MAX: u64 = 4 << 20;

    /// Whether one of the operations may store a value.
    pub fn has_puts(&self) -> bool {
        self.success.iter().chain(&self.failure).any(|operation| match operation {
            Operation::Put { .. } => true,
            Operation::Transaction(nested) => nested.has_puts(),
            Operation::Delete { .. }
            | Operation::DeleteRange { .. }
            | Operation::Get { .. }
            | Operation::Range { .. } => false,
        })
    }

    /// How many comparisons there are, nested ones included.
    pub fn comparison_count(&self) -> u64 {
        let nested = self.nested().map(Transaction::comparison_count);
        self.comparisons.len() as u64 + nested.sum::<u64>()
    }

    /// How many operations there are, in both lists, nested ones included.
    pub fn operation_count(&self) -> u64 {
        let nested = self.nested().map(Transaction::operation_count);
        (self.success.len() + self.failure.len()) as u64 + nested.sum::<u64>()
    }

    fn nested(&self) -> impl Iterator<Item = &Transaction> {
        self.success.iter().chain(&self.failure).filter_map(|operation| match operation {
            Operation::Transaction(nested) => Some(nested),
            _ => None,
        })
    }
}
