//! What a check of registers found, and what it may spend.

use std::fmt;

use super::history::OperationId;
use super::operation::KeyId;

/// What a check may spend.
///
/// Steps are counted the same on every machine. Time is asked of the caller, because this library has no
/// clock: a caller that sets only steps and memory gets the same verdict every time.
#[derive(Clone, Copy)]
pub struct Spending<'a> {
    /// Steps of the search of one key; a step takes well under a microsecond. The algorithm for unique
    /// values does not search and takes none.
    pub steps_per_key_max: u64,
    /// Bytes that the searches may keep, all threads together. The columns of the history and what the
    /// algorithm for unique values needs, some fifty bytes an operation, are not counted.
    pub search_bytes_max: usize,
    /// Whether the caller's time is up. It is asked every few thousand steps or operations, and on larger
    /// keys between the stages of their check.
    pub is_time_up: &'a (dyn Fn() -> bool + Sync),
    /// How many threads check keys at once. With 1, no thread is started.
    pub threads: usize,
}

impl fmt::Debug for Spending<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Spending")
            .field("steps_per_key_max", &self.steps_per_key_max)
            .field("search_bytes_max", &self.search_bytes_max)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Default for Spending<'_> {
    /// No limit of time, a gigabyte, and one thread.
    fn default() -> Self {
        Self {
            steps_per_key_max: 1_000_000_000,
            search_bytes_max: 1 << 30,
            is_time_up: &|| false,
            threads: 1,
        }
    }
}

/// A limit that ended a check before it had an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// This many steps on one key.
    Steps(u64),
    /// This many bytes.
    Memory(usize),
    /// The caller's time, or another limit that the caller watches.
    Time,
    /// More than this many operations with an answer were open at once, on a key whose values repeat.
    Clients(usize),
}

impl fmt::Display for LimitReached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => write!(formatter, "the limit of {steps} steps was reached"),
            Self::Memory(bytes) => {
                write!(formatter, "the limit of {} MiB was reached", bytes.div_ceil(1 << 20))
            }
            Self::Time => write!(formatter, "the limit of the caller was reached"),
            Self::Clients(clients) => {
                write!(formatter, "more than {clients} operations were open at once")
            }
        }
    }
}

/// Why a history of registers is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterCertificate {
    /// The register.
    pub key: KeyId,
    /// The operations that contradict each other, in the order in which they began. Alone, as a history
    /// of their own, they are not linearizable either; that was checked.
    pub operations: Vec<OperationId>,
    /// Whether leaving out any one of `operations` would leave nothing to object to.
    pub is_minimal: bool,
    /// The contradiction in words.
    pub explanation: String,
}

impl fmt::Display for RegisterCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.explanation)
    }
}

/// What a check of registers found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterVerdict {
    /// An order explains every answer.
    Linearizable {
        /// For each key, by its number, an order of its operations. It was replayed on a plain register
        /// and against the times. Operations of unknown outcome that it does not contain need not have
        /// happened.
        witness: Vec<Vec<OperationId>>,
    },
    /// No order explains every answer.
    NotLinearizable {
        /// Why, on the first key on which it is so.
        certificate: Box<RegisterCertificate>,
    },
    /// A limit was reached before the answer was found.
    Unknown {
        /// The first key whose search was given up.
        key: KeyId,
        /// The limit.
        limit: LimitReached,
    },
}

impl RegisterVerdict {
    /// Whether an order was found.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable { .. })
    }

    /// The reason of a conviction.
    pub fn certificate(&self) -> Option<&RegisterCertificate> {
        match self {
            Self::NotLinearizable { certificate } => Some(certificate),
            Self::Linearizable { .. } | Self::Unknown { .. } => None,
        }
    }
}
