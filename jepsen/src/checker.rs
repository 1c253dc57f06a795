//! The checker: is there an order of the operations that explains every answer?
//!
//! Linearizability is local: a history is linearizable if and only if its operations on each key are. So
//! the checker cuts the history into keys and searches each alone; `search.rs` describes the search.
//!
//! # Verdicts
//!
//! [`Verdict::Linearizable`] comes with a witness for each key, which the checker has replayed against
//! the model before it hands it out. [`Verdict::NotLinearizable`] comes with a [`Certificate`] for the
//! first bad key. [`Verdict::Unknown`] says that the search of a key was given up; a bad key elsewhere
//! still convicts.
//!
//! # Limits
//!
//! Linearizability is NP-complete, so some history defeats every checker. [`Limits`] count steps of the
//! search, never time: the same history gets the same verdict on every machine. Memory is bounded by
//! steps as well, since the search keeps at most one record a step.

mod certificate;
mod entry;
mod frontier;
mod search;
mod slots;
mod witness;

use std::collections::BTreeMap;

pub use certificate::{Certificate, ReachableState};

use crate::history::{Call, History, OperationIndex, Outcome};
use crate::model::Model;
use crate::patience::Patience;
use search::{Search, SearchOutcome};

/// How much work the checker may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps of the search of one key. A step is one question to the model or one comparison of two
    /// partial orders, well under a microsecond; a healthy history takes a few steps an operation.
    pub steps_per_key_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps_per_key_max: 4_000_000 }
    }
}

/// What the checker found.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// An order explains every answer.
    Linearizable {
        /// For each key an order of its operations. Operations of unknown outcome that it does not
        /// contain need not have happened.
        witness: BTreeMap<Vec<u8>, Vec<OperationIndex>>,
    },
    /// No order explains every answer.
    NotLinearizable {
        /// Why.
        certificate: Box<Certificate>,
    },
    /// The limit was reached before the answer was found.
    Unknown {
        /// The first key whose search was given up.
        key: Vec<u8>,
        /// The limit that was reached, unless the caller ended the check before.
        limits: Limits,
    },
}

impl Verdict {
    /// Whether an order was found.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable { .. })
    }

    /// The reason of a conviction.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::NotLinearizable { certificate } => Some(certificate),
            Self::Linearizable { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// Checks a history against a model.
pub fn check<M: Model>(history: &History<M::Call>, limits: &Limits) -> Verdict {
    check_while::<M>(history, limits, &|| true)
}

/// Checks a history against a model for as long as the caller lets it go on, who is asked every few
/// thousand operations and steps: this library has no clock.
pub fn check_while<M: Model>(
    history: &History<M::Call>,
    limits: &Limits,
    may_go_on: &dyn Fn() -> bool,
) -> Verdict {
    let mut witness = BTreeMap::new();
    let mut given_up = None;
    let is_over = || !may_go_on();
    let patience = Patience::new(&is_over);
    for (key, operations) in operations_by_key(history) {
        if patience.is_over(operations.len()) {
            given_up.get_or_insert(key);
            break;
        }
        match check_key::<M>(history, &operations, limits, may_go_on) {
            KeyVerdict::Order(order) => {
                witness.insert(key.to_vec(), order);
            }
            KeyVerdict::Stuck(certificate) => return Verdict::NotLinearizable { certificate },
            KeyVerdict::GivenUp => {
                given_up.get_or_insert(key);
            }
        }
    }
    match given_up {
        None => Verdict::Linearizable { witness },
        Some(key) => Verdict::Unknown { key: key.to_vec(), limits: *limits },
    }
}

enum KeyVerdict {
    Order(Vec<OperationIndex>),
    Stuck(Box<Certificate>),
    GivenUp,
}

fn check_key<M: Model>(
    history: &History<M::Call>,
    operations: &[OperationIndex],
    limits: &Limits,
    may_go_on: &dyn Fn() -> bool,
) -> KeyVerdict {
    let recorded: Vec<_> = operations.iter().map(|index| &history.operations()[*index]).collect();
    let (model, actions) = M::prepare(&recorded);
    assert_eq!(actions.len(), operations.len(), "a model prepares one action for each operation");
    let all = entry::entries(&model, history, operations, actions);
    let timed: Vec<_> = all.iter().map(entry::Entry::timed).collect();
    if let Some(order) = model.likely_order(&timed)
        && witness::explains(&model, &all, &order).is_ok()
    {
        return KeyVerdict::Order(order.into_iter().map(|entry| all[entry].operation).collect());
    }
    let useful = entry::without_useless(&model, all.clone());
    let search =
        |lookahead: bool| Search::new(&model, &useful, lookahead, limits.steps_per_key_max, may_go_on).run();
    match search(true) {
        SearchOutcome::Order(order) => {
            witness::assert_explains(&model, &useful, &order);
            KeyVerdict::Order(order.into_iter().map(|entry| useful[entry].operation).collect())
        }
        SearchOutcome::OutOfSteps => KeyVerdict::GivenUp,
        SearchOutcome::Stuck(stuck) => {
            // Lookahead convicts early, on an operation that has not yet ended. The plain search goes on
            // to the operation that truly fits nowhere, which is easier to understand.
            let stuck = match search(false) {
                SearchOutcome::Stuck(plain) => plain,
                SearchOutcome::OutOfSteps => stuck,
                SearchOutcome::Order(_) => panic!("lookahead convicted a linearizable history"),
            };
            KeyVerdict::Stuck(Box::new(Certificate::new(&model, history, &all, &useful, &stuck)))
        }
    }
}

/// The operations that say something, by key, in the order of recording.
fn operations_by_key<C: Call>(history: &History<C>) -> BTreeMap<&[u8], Vec<OperationIndex>> {
    let mut keys: BTreeMap<&[u8], Vec<OperationIndex>> = BTreeMap::new();
    for (index, operation) in history.operations().iter().enumerate() {
        let says_something = match operation.outcome {
            Outcome::Ok(_) => true,
            Outcome::Failed => false,
            Outcome::Unknown => !operation.call.is_read(),
        };
        if says_something {
            keys.entry(&operation.key).or_default().push(index);
        }
    }
    keys
}
