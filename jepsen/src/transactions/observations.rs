//! What each committed transaction saw of the others.
//!
//! A read is *external* if it sees what the transaction found and not what it did itself: the first read
//! of a key, without the elements that the transaction had appended before. All other reads must follow
//! from the steps before them; one that does not is an internal anomaly, and is not used any further.

use super::history::{Ending, Key, List, Seen, Step, TransactionHistory, TransactionIndex, Value};
use super::writes::{KeyKind, Writes};

/// What one transaction found in one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExternalRead {
    pub(super) key: Key,
    pub(super) transaction: TransactionIndex,
    /// The whole of what was seen.
    pub(super) seen: Seen,
    /// How many elements at the end of a list the transaction had appended itself.
    pub(super) own: usize,
}

/// A read that contradicts its own transaction.
#[derive(Clone, Debug)]
pub(super) struct InternalAnomaly {
    pub(super) transaction: TransactionIndex,
    /// The step that is wrong.
    pub(super) step: usize,
    /// What it should have seen.
    pub(super) expected: String,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// By key, and for one key by transaction.
    pub(super) reads: Vec<ExternalRead>,
    pub(super) internal: Vec<InternalAnomaly>,
}

impl Observations {
    pub(super) fn collect(history: &TransactionHistory, writes: &Writes) -> Self {
        let mut observations = Self::default();
        let mut known = Vec::new();
        for (index, transaction) in history.transactions().iter().enumerate() {
            if transaction.ending == Ending::Ok {
                known.clear();
                observations.follow(history, writes, index, &mut known);
            }
        }
        observations.reads.sort_by_key(|read| read.key);
        observations
    }

    /// The external reads of one key.
    pub(super) fn of_key(&self, key: Key) -> &[ExternalRead] {
        let begin = self.reads.partition_point(|read| read.key < key);
        let end = self.reads.partition_point(|read| read.key <= key);
        &self.reads[begin..end]
    }

    fn follow(
        &mut self,
        history: &TransactionHistory,
        writes: &Writes,
        transaction: TransactionIndex,
        known: &mut Vec<(Key, Known)>,
    ) {
        for (step, action) in history.steps(transaction).iter().enumerate() {
            let key = action.key();
            let position = known.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                known.push((key, Known::default()));
                known.len() - 1
            });
            let known = &mut known[position].1;
            match *action {
                Step::Append { value, .. } => known.appended.push(value),
                Step::Write { value, .. } => known.register = Some(Seen::Value(value)),
                Step::Read { seen, .. } => {
                    let external = ExternalRead { key, transaction, seen, own: 0 };
                    let outcome = match writes.kind(key) {
                        Some(KeyKind::List) => known.read_list(history, seen),
                        Some(KeyKind::Register) | None => known.read_register(history, seen),
                    };
                    match outcome {
                        Ok(Some(own)) => self.reads.push(ExternalRead { own, ..external }),
                        Ok(None) => {}
                        Err(expected) => {
                            self.internal.push(InternalAnomaly { transaction, step, expected });
                        }
                    }
                }
            }
        }
    }
}

/// What a transaction knows of one key at one of its steps.
#[derive(Debug, Default)]
struct Known {
    /// What the register holds.
    register: Option<Seen>,
    /// What the list held when it was last read.
    list: Option<Option<List>>,
    /// What was appended since.
    appended: Vec<Value>,
}

impl Known {
    /// Reads a register. `Some(0)` if the read is external; the error is what it should have seen.
    fn read_register(&mut self, history: &TransactionHistory, seen: Seen) -> Result<Option<usize>, String> {
        match self.register.replace(seen) {
            None => Ok(Some(0)),
            Some(expected) if expected == seen => Ok(None),
            Some(expected) => Err(history.describe_seen(expected)),
        }
    }

    /// Reads a list. `Some(own)` if the read is external; the error is what it should have seen.
    fn read_list(&mut self, history: &TransactionHistory, seen: Seen) -> Result<Option<usize>, String> {
        let list = if let Seen::List(list) = seen { Some(list) } else { None };
        let elements = list.map_or(&[][..], |list| history.elements(list));
        let before = self.list.replace(list);
        let appended = std::mem::take(&mut self.appended);
        match before {
            None if elements.ends_with(&appended) => Ok(Some(appended.len())),
            None => Err(format!("[... {}]", texts(history, &appended))),
            Some(before) => {
                let before = before.map_or(&[][..], |list| history.elements(list));
                match elements.strip_prefix(before) {
                    Some(rest) if rest == appended => Ok(None),
                    _ => Err(format!("[{}]", texts(history, &[before, &appended].concat()))),
                }
            }
        }
    }
}

fn texts(history: &TransactionHistory, values: &[Value]) -> String {
    values.iter().map(|value| history.value_text(*value)).collect::<Vec<_>>().join(" ")
}
