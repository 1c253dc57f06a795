//! Histories of transactions over many keys, and a checker of their strict serializability.

mod anomaly;
mod history;
mod names;
mod verdict;

pub use anomaly::{Anomaly, AnomalyKind, Guarantee, Order};
pub use history::{
    Ending, Key, List, Seen, Step, StepMismatch, Transaction, TransactionHistory, TransactionIndex, Value,
};
pub use verdict::{TransactionReport, TransactionVerdict, WorkloadError};
