//! Who wrote which value to which key.

use super::history::{Ending, Key, Seen, Step, TransactionHistory, TransactionIndex, Value};
use super::verdict::WorkloadError;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    List,
    Register,
}

/// One value that was written to one key, by a transaction of any outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) transaction: TransactionIndex,
    /// Whether it is the last that its transaction wrote to the key: what others may see.
    pub(super) is_final: bool,
}

/// Every value that was written, to be looked up by key and value.
pub(super) struct Writes {
    /// Sorted by key and value.
    written: Vec<Written>,
    kinds: Vec<Option<KeyKind>>,
}

impl Writes {
    /// Collects the writes of a history whose clients kept to the rules.
    pub(super) fn collect(history: &TransactionHistory) -> Result<Self, WorkloadError> {
        let kinds = kinds(history)?;
        let mut written = Vec::new();
        for index in 0..history.transactions().len() {
            let begin = written.len();
            for step in history.steps(index) {
                if let Step::Append { key, value } | Step::Write { key, value } = *step {
                    let earlier =
                        written[begin..].iter_mut().rev().find(|other: &&mut Written| other.key == key);
                    if let Some(earlier) = earlier {
                        earlier.is_final = false;
                    }
                    written.push(Written { key, value, transaction: index, is_final: true });
                }
            }
        }
        // The sort is stable: of equal writes the earlier transaction stands first.
        written.sort_by_key(|write| (write.key, write.value));
        let is_twice = |pair: &&[Written]| (pair[0].key, pair[0].value) == (pair[1].key, pair[1].value);
        if let Some(pair) = written.windows(2).find(is_twice) {
            return Err(WorkloadError::WrittenTwice {
                key: history.key_name(pair[0].key).to_owned(),
                value: history.value_text(pair[0].value).to_owned(),
                first: history.describe(pair[0].transaction),
                second: history.describe(pair[1].transaction),
            });
        }
        Ok(Self { written, kinds })
    }

    /// Who wrote this value to this key.
    pub(super) fn find(&self, key: Key, value: Value) -> Option<&Written> {
        self.position(key, value).map(|position| &self.written[position])
    }

    /// Where [`Writes::all`] holds the write of this value to this key.
    pub(super) fn position(&self, key: Key, value: Value) -> Option<usize> {
        self.written.binary_search_by_key(&(key, value), |write| (write.key, write.value)).ok()
    }

    /// The writes to one key, by value.
    pub(super) fn of_key(&self, key: Key) -> &[Written] {
        let begin = self.written.partition_point(|write| write.key < key);
        let end = self.written.partition_point(|write| write.key <= key);
        &self.written[begin..end]
    }

    /// All writes, by key and value.
    pub(super) fn all(&self) -> &[Written] {
        &self.written
    }

    /// What the key holds; none if nobody wrote it or saw anything in it.
    pub(super) fn kind(&self, key: Key) -> Option<KeyKind> {
        self.kinds[key.0 as usize]
    }
}

fn kinds(history: &TransactionHistory) -> Result<Vec<Option<KeyKind>>, WorkloadError> {
    let mut kinds: Vec<Option<(KeyKind, TransactionIndex)>> = vec![None; history.keys_count()];
    for (index, transaction) in history.transactions().iter().enumerate() {
        for step in history.steps(index) {
            let kind = match step {
                Step::Append { .. } => KeyKind::List,
                Step::Write { .. } => KeyKind::Register,
                Step::Read { .. } if transaction.ending != Ending::Ok => continue,
                Step::Read { seen: Seen::List(_), .. } => KeyKind::List,
                Step::Read { seen: Seen::Value(_), .. } => KeyKind::Register,
                Step::Read { seen: Seen::Nothing | Seen::Unknown, .. } => continue,
            };
            let (known, first) = kinds[step.key().0 as usize].get_or_insert((kind, index));
            if *known != kind {
                return Err(WorkloadError::KeyOfTwoKinds {
                    key: history.key_name(step.key()).to_owned(),
                    first: history.describe(*first),
                    second: history.describe(index),
                });
            }
        }
    }
    Ok(kinds.into_iter().map(|kind| kind.map(|(kind, _)| kind)).collect())
}
