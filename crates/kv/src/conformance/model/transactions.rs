//! Transactions, as the model has them. What can be told of their form is tested with the form.

use bytes::Bytes;

use super::Model;
use crate::comparison::{Comparison, Predicate, Relation, Target};
use crate::outcome::{Limit, OperationResult, Outcome};
use crate::query::{KeyEntry, KeyValue, RangeForm, RangePage};
use crate::range::KeyRange;
use crate::settings::Setting;
use crate::tables::Direction;
use crate::transaction::{Operation, Transaction};

impl Model {
    pub(super) fn transact(&mut self, transaction: &Transaction) -> Outcome {
        if let Err(invalid) = transaction.check() {
            return Outcome::TransactionRefused(invalid);
        }
        let maximum = self.settings.get(Setting::TransactionOperationsMax);
        if transaction.comparison_count() > maximum {
            return Outcome::LimitExceeded { limit: Limit::TransactionComparisons, maximum };
        }
        if transaction.operation_count() > maximum {
            return Outcome::LimitExceeded { limit: Limit::TransactionOperations, maximum };
        }
        let before = self.clone();
        let mut deleted = 0;
        match self.run(transaction, &mut deleted) {
            Ok((succeeded, results)) => Outcome::Transaction { revision: self.commit(), succeeded, results },
            Err(refusal) => {
                *self = before;
                refusal
            }
        }
    }

    fn run(
        &mut self,
        transaction: &Transaction,
        deleted: &mut u64,
    ) -> Result<(bool, Vec<OperationResult>), Outcome> {
        let succeeded = transaction.comparisons.iter().all(|comparison| self.compares(comparison));
        let operations = if succeeded { &transaction.success } else { &transaction.failure };
        let results = operations.iter().map(|operation| self.operate(operation, deleted));
        Ok((succeeded, results.collect::<Result<_, _>>()?))
    }

    fn operate(&mut self, operation: &Operation, deleted: &mut u64) -> Result<OperationResult, Outcome> {
        Ok(match operation {
            Operation::Put { key, value } => {
                self.put(key, value)?;
                let KeyValue { create_revision, version, .. } = self.get(key).expect("it was put");
                OperationResult::Put { create_revision, version }
            }
            Operation::Delete { key } => {
                let was_there = self.get(key).is_some();
                if was_there {
                    self.open.push((key.clone(), None));
                }
                OperationResult::Delete { deleted: was_there }
            }
            Operation::DeleteRange { range } => {
                let found = self.range_at(range, u64::MAX);
                *deleted += found.len() as u64;
                let maximum = self.settings.get(Setting::DeleteRangeKeysMax);
                if *deleted > maximum {
                    return Err(Outcome::LimitExceeded { limit: Limit::TransactionDeletedKeys, maximum });
                }
                self.open.extend(found.iter().map(|(key, _)| (key.clone(), None)));
                OperationResult::DeleteRange { deleted: found.len() as u64 }
            }
            Operation::Get { key } => OperationResult::Get(self.get(key)),
            Operation::Range { range, direction, limit, form } => {
                OperationResult::Range(self.read(range, *direction, *limit, *form))
            }
            Operation::Transaction(nested) => {
                let (succeeded, results) = self.run(nested, deleted)?;
                OperationResult::Transaction { succeeded, results }
            }
        })
    }

    fn read(&self, range: &KeyRange, direction: Direction, limit: Option<u64>, form: RangeForm) -> RangePage {
        let mut found = self.range_at(range, u64::MAX);
        if direction == Direction::Descending {
            found.reverse();
        }
        let count = limit.map_or(found.len(), |limit| found.len().min(limit as usize));
        let is_cut = count < found.len();
        let rest_begins = found.get(count).map(|(key, _)| key.clone());
        found.truncate(count);
        let entries: Vec<KeyEntry> = found.into_iter().map(|(key, found)| entry(key, found, form)).collect();
        let revision = self.revision() + u64::from(!self.open.is_empty());
        let next = rest_begins.filter(|_| is_cut).and_then(|rest| self.last_before(range, direction, &rest));
        let entries = if form == RangeForm::Count { Vec::new() } else { entries };
        RangePage { revision, entries, count: count as u64, next }
    }

    /// The last key of a range, be it that of a delete, that comes before `key`.
    fn last_before(&self, range: &KeyRange, direction: Direction, key: &[u8]) -> Option<Bytes> {
        let mut known = self.indexed_keys().into_iter().filter(|it| range.contains(it));
        match direction {
            Direction::Ascending => known.rfind(|it| it < key),
            Direction::Descending => known.find(|it| it > key),
        }
    }

    fn compares(&self, comparison: &Comparison) -> bool {
        match &comparison.target {
            Target::Key(key) => compares(self.get(key).as_ref(), &comparison.predicate),
            Target::Range(range) => {
                let found = self.range_at(range, u64::MAX);
                match comparison.predicate {
                    Predicate::Exists(exists) => found.is_empty() != exists,
                    _ => found.iter().all(|(_, found)| compares(Some(found), &comparison.predicate)),
                }
            }
        }
    }
}

pub(in super::super) fn entry(key: Bytes, found: KeyValue, form: RangeForm) -> KeyEntry {
    KeyEntry {
        key,
        value: Some(found.value).filter(|_| form == RangeForm::KeysAndValues),
        create_revision: found.create_revision,
        mod_revision: found.mod_revision,
        version: found.version,
    }
}

fn compares(found: Option<&KeyValue>, predicate: &Predicate) -> bool {
    let number = |number: fn(&KeyValue) -> u64| found.map_or(0, number);
    match predicate {
        Predicate::Exists(exists) => found.is_some() == *exists,
        Predicate::Value(relation, value) => found.is_some_and(|found| is_so(&found.value, *relation, value)),
        Predicate::Version(relation, other) => is_so(&number(|it| it.version), *relation, other),
        Predicate::CreateRevision(relation, other) => {
            is_so(&number(|it| it.create_revision), *relation, other)
        }
        Predicate::ModRevision(relation, other) => is_so(&number(|it| it.mod_revision), *relation, other),
    }
}

fn is_so<T: Ord>(left: &T, relation: Relation, right: &T) -> bool {
    let order = left.cmp(right);
    match relation {
        Relation::Equal => order.is_eq(),
        Relation::NotEqual => order.is_ne(),
        Relation::Less => order.is_lt(),
        Relation::Greater => order.is_gt(),
    }
}
