//! Everything that is checked of a history of our store, behind one call.
//!
//! The rules of revisions and the search are independent. A history must pass both, and a report shows
//! both, because a broken rule often says in two lines what the search proves in twenty. The rules see
//! what spans keys; the search sees values, absence and conditions.

use std::fmt;

use crate::checker::{Limits, Verdict, check_while};
use crate::history::quoted;
use crate::model::RevisionedKey;
use crate::revisions::{RevisionViolation, check_revisions};
use crate::store::StoreHistory;

/// Violations of rules that the text of a report quotes.
const QUOTED_MAX: usize = 3;

/// What both checks found.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreReport {
    /// The rules of revisions that the history breaks.
    pub revision_violations: Vec<RevisionViolation>,
    /// Whether an order explains the answers.
    pub verdict: Verdict,
}

impl StoreReport {
    /// Whether the store certainly did wrong.
    pub fn is_violation(&self) -> bool {
        !self.revision_violations.is_empty() || self.verdict.certificate().is_some()
    }

    /// Whether everything was checked and is in order. A report can be neither this nor a violation: then
    /// a limit was reached.
    pub fn is_pass(&self) -> bool {
        self.revision_violations.is_empty() && self.verdict.is_linearizable()
    }
}

impl fmt::Display for StoreReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in self.revision_violations.iter().take(QUOTED_MAX) {
            writeln!(formatter, "{violation}")?;
        }
        if self.revision_violations.len() > QUOTED_MAX {
            writeln!(formatter, "and {} more broken rules", self.revision_violations.len() - QUOTED_MAX)?;
        }
        match &self.verdict {
            Verdict::Linearizable { witness } => {
                let operations: usize = witness.values().map(Vec::len).sum();
                write!(formatter, "Linearizable: {operations} operations on {} keys.", witness.len())
            }
            Verdict::NotLinearizable { certificate } => write!(formatter, "{certificate}"),
            Verdict::Unknown { key, limits } => {
                let (key, steps) = (quoted(key), limits.steps_per_key_max);
                write!(formatter, "Unknown: the search of key {key} was given up after {steps} steps.")
            }
        }
    }
}

/// Checks a history of our store.
pub fn check_store(history: &StoreHistory, limits: &Limits) -> StoreReport {
    check_store_while(history, limits, &|| true)
}

/// Checks a history of our store for as long as the caller lets it go on.
pub fn check_store_while(
    history: &StoreHistory,
    limits: &Limits,
    may_go_on: &dyn Fn() -> bool,
) -> StoreReport {
    let revision_violations = check_revisions(history);
    StoreReport { revision_violations, verdict: check_while::<RevisionedKey>(history, limits, may_go_on) }
}
