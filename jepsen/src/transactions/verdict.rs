//! What the check of a history of transactions can find.

use std::fmt;

use super::anomaly::{Anomaly, Guarantee};
use super::history::TransactionIndex;

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionVerdict {
    /// The history keeps what is promised.
    Kept {
        /// An order of the transactions that explains everything that was read. It was replayed before
        /// it was handed out. Transactions of unknown outcome that it does not contain need not have
        /// happened.
        witness: Vec<TransactionIndex>,
    },
    /// The history breaks what is promised.
    Broken {
        /// Why: the worst anomalies first, and of equal ones the shortest.
        anomalies: Vec<Anomaly>,
    },
    /// No anomaly was found, and no order either: the caller ended the check, or registers were used, whose
    /// versions are ordered by what was seen of them, which need not be everything.
    Unknown {
        /// How many transactions could be ordered; 0 if the caller ended the check.
        ordered: usize,
        /// Whether the caller ended the check.
        is_time_up: bool,
    },
}

/// What the check found, and what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionReport {
    /// What was to be kept.
    pub guarantee: Guarantee,
    /// Transactions of the history, of every outcome.
    pub transactions: usize,
    /// What was found.
    pub verdict: TransactionVerdict,
}

impl TransactionReport {
    /// Whether the history keeps what is promised.
    pub fn is_kept(&self) -> bool {
        matches!(self.verdict, TransactionVerdict::Kept { .. })
    }

    /// The anomalies; none unless the promise is broken.
    pub fn anomalies(&self) -> &[Anomaly] {
        match &self.verdict {
            TransactionVerdict::Broken { anomalies } => anomalies,
            TransactionVerdict::Kept { .. } | TransactionVerdict::Unknown { .. } => &[],
        }
    }
}

impl fmt::Display for TransactionReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guarantee, transactions, verdict } = self;
        match verdict {
            TransactionVerdict::Kept { witness } => {
                write!(formatter, "The history is {guarantee}: ")?;
                write!(formatter, "an order of {} of {transactions} transactions explains it.", witness.len())
            }
            TransactionVerdict::Broken { anomalies } => {
                write!(formatter, "The history is not {guarantee}.")?;
                anomalies.iter().try_for_each(|anomaly| write!(formatter, "\n{anomaly}"))
            }
            TransactionVerdict::Unknown { is_time_up: true, .. } => {
                write!(formatter, "Unknown: the limit of the caller was reached in the check of ")?;
                write!(formatter, "{transactions} transactions.")
            }
            TransactionVerdict::Unknown { ordered, is_time_up: false } => {
                write!(formatter, "Unknown: no anomaly was found, but no order either; ")?;
                write!(formatter, "{ordered} of {transactions} transactions could be ordered.")
            }
        }
    }
}

/// A history that cannot be checked because its clients broke the rules of the workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// A key is used as a list and as a register.
    #[error("key {key} is a list and a register: {first}; {second}")]
    KeyOfTwoKinds {
        /// The key.
        key: String,
        /// A transaction that uses it as one of them.
        first: String,
        /// A transaction that uses it as the other.
        second: String,
    },
    /// A value is written twice to one key, so that nobody can say what a read saw.
    #[error("value {value} is written to key {key} twice: {first}; {second}")]
    WrittenTwice {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The transaction that wrote it first.
        first: String,
        /// The transaction that wrote it again.
        second: String,
    },
}
