//! Rules that the revisions of a history must keep, checked before any search.
//!
//! Every write transaction of the store takes a revision larger than all before it, on all keys. Some
//! consequences can be checked in one walk over the history, across keys, which the search key by key
//! cannot see:
//!
//! - a revision belongs to one write: no two acknowledged writes share it, and all that observe it see
//!   one key and one value ([`RevisionRule::OneWrite`]);
//! - revisions follow real time: a write that begins after a revision was known to anybody takes a
//!   larger one ([`RevisionRule::WritesGrow`]);
//! - a key does not go back: a get that begins after a revision of its key was known finds that one, a
//!   larger one, or nothing ([`RevisionRule::ReadsDoNotGoBack`]);
//! - a condition on a revision holds only on the key that has it ([`RevisionRule::ConditionOnOwnKey`]).
//!
//! A revision is *known* once an operation that acknowledged, observed or successfully expected it has
//! ended. The rules treat one call as one write transaction.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{OperationIndex, quoted};
use crate::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// A rule that revisions keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevisionRule {
    /// A revision belongs to one write of one key and value.
    OneWrite,
    /// A write takes a larger revision than all that were known before it began.
    WritesGrow,
    /// A get finds no smaller revision than was known of its key before it began.
    ReadsDoNotGoBack,
    /// A condition on a revision holds only on the key that has it.
    ConditionOnOwnKey,
}

impl fmt::Display for RevisionRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OneWrite => "a revision belongs to one write of one key and value",
            Self::WritesGrow => "a write takes a larger revision than all that were known before it began",
            Self::ReadsDoNotGoBack => {
                "a get finds no smaller revision than was known of its key before it began"
            }
            Self::ConditionOnOwnKey => "a condition on a revision holds only on the key that has it",
        })
    }
}

/// Two operations that break a rule together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionViolation {
    /// The rule.
    pub rule: RevisionRule,
    /// The operation that made a revision known.
    pub known_by: OperationIndex,
    /// The operation that does not fit to it.
    pub broken_by: OperationIndex,
    /// Both in words.
    pub explanation: String,
}

impl fmt::Display for RevisionViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.explanation)
    }
}

impl RevisionViolation {
    fn new(
        history: &StoreHistory,
        rule: RevisionRule,
        known_by: OperationIndex,
        broken_by: OperationIndex,
    ) -> Self {
        let quote = |index: OperationIndex| {
            let operation = &history.operations()[index];
            format!("  operation {index} on key {}: {operation}", quoted(&operation.key))
        };
        let explanation = format!("Broken: {rule}.\n{}\n{}", quote(known_by), quote(broken_by));
        Self { rule, known_by, broken_by, explanation }
    }
}

/// Every violation of the rules, at most one for each rule and operation, in the order of recording.
pub fn check_revisions(history: &StoreHistory) -> Vec<RevisionViolation> {
    let mut broken: Vec<_> = owners(history).into_iter().chain(order(history)).collect();
    broken.sort_by_key(|(rule, _, broken_by)| (*broken_by, *rule));
    broken.dedup_by_key(|(rule, _, broken_by)| (*broken_by, *rule));
    broken
        .into_iter()
        .map(|(rule, known_by, broken_by)| RevisionViolation::new(history, rule, known_by, broken_by))
        .collect()
}

type Broken = (RevisionRule, OperationIndex, OperationIndex);

/// What a revision belongs to, and who said so first.
struct Owner<'a> {
    key: &'a [u8],
    /// The value; none for a delete.
    value: Option<&'a [u8]>,
    first: OperationIndex,
    acknowledged: bool,
}

/// The rules on what a revision belongs to. They know no time.
fn owners(history: &StoreHistory) -> Vec<Broken> {
    let mut owners: BTreeMap<u64, Owner<'_>> = BTreeMap::new();
    let mut broken = Vec::new();
    for (index, operation) in history.operations().iter().enumerate() {
        let Some(answer) = operation.answer() else { continue };
        let (revision, value, acknowledged) = match answer {
            StoreAnswer::Found { value, revision } => (*revision, Some(value.as_slice()), false),
            answer => match answer.revision_taken() {
                Some(revision) => (revision, operation.call.value(), true),
                None => continue,
            },
        };
        let key = operation.key.as_slice();
        let owner = owners.entry(revision).or_insert(Owner { key, value, first: index, acknowledged: false });
        let is_other = (owner.key, owner.value) != (key, value) || (owner.acknowledged && acknowledged);
        if is_other {
            broken.push((RevisionRule::OneWrite, owner.first, index));
        }
        owner.acknowledged |= acknowledged;
    }
    for (index, operation) in history.operations().iter().enumerate() {
        let met = operation.answer().and_then(|answer| revision_met(&operation.call, answer));
        let Some(owner) = met.and_then(|revision| owners.get(&revision)) else { continue };
        if owner.key != operation.key {
            broken.push((RevisionRule::ConditionOnOwnKey, owner.first, index));
        }
    }
    broken
}

/// The revision that a conditional write expected and met.
fn revision_met(call: &StoreCall, answer: &StoreAnswer) -> Option<u64> {
    match (call, answer) {
        (_, StoreAnswer::Mismatch) => None,
        (StoreCall::PutIf { expected: Expected::Revision(revision), .. }, _) => Some(*revision),
        (StoreCall::DeleteIf { revision }, _) => Some(*revision),
        _ => None,
    }
}

/// The largest revision that is known, and who said so.
type Known = Option<(u64, OperationIndex)>;

/// The rules on the order of revisions, in one walk through the events.
fn order(history: &StoreHistory) -> Vec<Broken> {
    let mut events: Vec<(u64, bool, OperationIndex)> = Vec::new();
    for (index, operation) in history.operations().iter().enumerate() {
        if operation.answer().is_some() {
            events.push((operation.invoked, false, index));
            events.extend(operation.completed.map(|completed| (completed, true, index)));
        }
    }
    events.sort_unstable();
    let mut known: Known = None;
    let mut known_of_key: BTreeMap<&[u8], Known> = BTreeMap::new();
    let mut known_before: BTreeMap<OperationIndex, (Known, Known)> = BTreeMap::new();
    let mut broken = Vec::new();
    for (_, is_end, index) in events {
        let operation = &history.operations()[index];
        let of_key = known_of_key.entry(&operation.key).or_default();
        if !is_end {
            known_before.insert(index, (known, *of_key));
            continue;
        }
        let (before, before_of_key) =
            known_before.remove(&index).expect("an operation begins before it ends");
        let answer = operation.answer().expect("only answered operations are walked through");
        if let (Some(taken), Some((floor, known_by))) = (answer.revision_taken(), before)
            && taken <= floor
        {
            broken.push((RevisionRule::WritesGrow, known_by, index));
        }
        let seen = match answer {
            StoreAnswer::Found { revision, .. } => Some(*revision),
            _ => None,
        };
        if let (Some(seen), Some((floor, known_by))) = (seen, before_of_key)
            && seen < floor
        {
            broken.push((RevisionRule::ReadsDoNotGoBack, known_by, index));
        }
        let told = seen.max(answer.revision_taken()).max(revision_met(&operation.call, answer));
        if let Some(told) = told {
            for largest in [&mut known, of_key] {
                if largest.is_none_or(|(revision, _)| revision < told) {
                    *largest = Some((told, index));
                }
            }
        }
    }
    broken
}
