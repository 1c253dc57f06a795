//! Transactions. They are done on staged tables with a head of their own, and count only once everything in
//! them is done: whatever forbids one operation leaves no trace of the others.

use bytes::Bytes;

use super::single_writes::limit_exceeded;
use super::writer::{Exceeded, Writer};
use super::{Machine, MachineError};
use crate::command::Command;
use crate::comparison::{Comparison, Predicate, Target};
use crate::outcome::{Limit, OperationResult, Outcome};
use crate::query::{Budget, RangePage, RangeQuery};
use crate::range::KeyRange;
use crate::reading::range::{PageEnd, read_page};
use crate::reading::{read_index, read_live, scan_index};
use crate::record::index::IndexRecord;
use crate::settings::Setting;
use crate::staged::Staged;
use crate::tables::{Direction, Tables, TablesMut};
use crate::transaction::{Operation, Transaction};

/// Why a transaction ends early.
enum Stop<E> {
    /// A limit forbids it: its outcome.
    Limit(Exceeded),
    /// The machine cannot go on.
    Failed(MachineError<E>),
}

impl<E> From<MachineError<E>> for Stop<E> {
    fn from(error: MachineError<E>) -> Self {
        Stop::Failed(error)
    }
}

/// A transaction while it is done.
struct Execution<'machine, T> {
    writer: Writer<'machine, T>,
    /// What it may still look at, read, and delete by ranges.
    scans_left: u64,
    result_bytes_left: u64,
    deletes_left: u64,
    deletes_max: u64,
}

impl Machine {
    pub(super) fn apply_transaction<T: TablesMut>(
        &mut self,
        tables: &mut T,
        transaction: &Transaction,
    ) -> Result<Outcome, MachineError<T::Error>> {
        if let Err(invalid) = transaction.check() {
            return Ok(Outcome::TransactionRefused(invalid));
        }
        if let Some(exceeded) = self.counts_exceeded(transaction) {
            return Ok(limit_exceeded(exceeded));
        }
        let mut head = self.head;
        let mut staged = Staged::new(tables);
        let deletes_max = head.settings.get(Setting::DeleteRangeKeysMax);
        let mut execution = Execution {
            writer: Writer::new(&mut head, &mut staged),
            scans_left: Transaction::SCANNED_KEYS_MAX,
            result_bytes_left: Transaction::RESULT_BYTES_MAX,
            deletes_left: deletes_max,
            deletes_max,
        };
        match execution.run(transaction) {
            Ok((succeeded, results)) => {
                let changes = staged.into_changes();
                changes.write_to(tables)?;
                self.head = head;
                Ok(Outcome::Transaction { revision: head.revision, succeeded, results })
            }
            Err(Stop::Limit(exceeded)) => Ok(limit_exceeded(exceeded)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// The mutant: makes the comparisons of all transactions now, and leaves what they lead to.
    pub(super) fn decide_transactions<T: TablesMut>(
        &self,
        tables: &T,
        commands: &[Command],
    ) -> Result<Vec<Command>, MachineError<T::Error>> {
        let decide = |command: &Command| {
            let Command::Transaction(transaction) = command else { return Ok(command.clone()) };
            let comparisons = transaction.comparisons.clone();
            let probe = Transaction { comparisons, ..Transaction::default() };
            let outcome = self.clone().apply_transaction(&mut Staged::new(tables), &probe)?;
            let holds = matches!(outcome, Outcome::Transaction { succeeded: true, .. });
            let never = Comparison {
                target: Target::Range(KeyRange::new(Bytes::new(), Some(Bytes::new()))),
                predicate: Predicate::Exists(true),
            };
            let comparisons = if holds { Vec::new() } else { vec![never] };
            Ok(Command::Transaction(Transaction { comparisons, ..transaction.clone() }))
        };
        commands.iter().map(decide).collect()
    }

    fn counts_exceeded(&self, transaction: &Transaction) -> Option<Exceeded> {
        let maximum = self.head.settings.get(Setting::TransactionOperationsMax);
        let counts = [
            (Limit::TransactionComparisons, transaction.comparison_count()),
            (Limit::TransactionOperations, transaction.operation_count()),
        ];
        counts.into_iter().find(|(_, count)| *count > maximum).map(|(limit, _)| (limit, maximum))
    }
}

impl<T: TablesMut> Execution<'_, T> {
    /// Compares, and does the list of operations that it leads to.
    fn run(&mut self, transaction: &Transaction) -> Result<(bool, Vec<OperationResult>), Stop<T::Error>> {
        let mut succeeded = true;
        for comparison in &transaction.comparisons {
            succeeded = succeeded && self.holds(comparison)?;
        }
        let operations = if succeeded { &transaction.success } else { &transaction.failure };
        let results = operations.iter().map(|operation| self.operate(operation));
        Ok((succeeded, results.collect::<Result<_, _>>()?))
    }

    fn operate(&mut self, operation: &Operation) -> Result<OperationResult, Stop<T::Error>> {
        match operation {
            Operation::Put { key, value } => self.put(key, value),
            Operation::Delete { key } => {
                let live = read_index(self.writer.tables, key)?.filter(|index| index.live.is_some());
                if let Some(index) = live {
                    self.writer.delete(key, index)?;
                }
                Ok(OperationResult::Delete { deleted: live.is_some() })
            }
            Operation::DeleteRange { range } => self.delete_range(range),
            Operation::Get { key } => {
                let found = Machine::get(self.writer.tables, key)?;
                let bytes = found.as_ref().map_or(0, |found| found.value.len() as u64);
                self.take_result_bytes(key.len() as u64 + bytes)?;
                Ok(OperationResult::Get(found))
            }
            Operation::Range { range, direction, limit, form } => {
                let (direction, limit, form) = (*direction, *limit, *form);
                let query = RangeQuery { range: range.clone(), direction, limit, form, revision: None };
                Ok(OperationResult::Range(self.range(&query)?))
            }
            Operation::Transaction(nested) => {
                let (succeeded, results) = self.run(nested)?;
                Ok(OperationResult::Transaction { succeeded, results })
            }
        }
    }

    fn put(&mut self, key: &Bytes, value: &Bytes) -> Result<OperationResult, Stop<T::Error>> {
        if let Some(exceeded) = self.writer.size_exceeded(key, Some(value)) {
            return Err(Stop::Limit(exceeded));
        }
        let index = read_index(self.writer.tables, key)?;
        if let Some(exceeded) = self.writer.quota_exceeded(key, value, index.as_ref()) {
            return Err(Stop::Limit(exceeded));
        }
        let written = self.writer.put(key, value, index)?;
        Ok(OperationResult::Put { create_revision: written.create_revision, version: written.version })
    }

    fn delete_range(&mut self, range: &KeyRange) -> Result<OperationResult, Stop<T::Error>> {
        let mut deleted = 0;
        for (key, index) in self.scan(range)? {
            if index.live.is_some() {
                let exceeded = (Limit::TransactionDeletedKeys, self.deletes_max);
                self.deletes_left = self.deletes_left.checked_sub(1).ok_or(Stop::Limit(exceeded))?;
                self.writer.delete(&key, index)?;
                deleted += 1;
            }
        }
        Ok(OperationResult::DeleteRange { deleted })
    }

    fn range(&mut self, query: &RangeQuery) -> Result<RangePage, Stop<T::Error>> {
        let budget = Budget { records: self.scans_left, bytes: self.result_bytes_left.saturating_add(1) };
        let revision = self.writer.head.revision;
        let (page, spent, end) = read_page(self.writer.tables, query, revision, budget)?;
        let scans = if end == PageEnd::Records { u64::MAX } else { spent.records };
        self.take_scans(scans)?;
        self.take_result_bytes(spent.bytes)?;
        Ok(page)
    }

    /// All records of the key index in a range.
    fn scan(&mut self, range: &KeyRange) -> Result<Vec<(Bytes, IndexRecord)>, Stop<T::Error>> {
        // One more than allowed, which then is one too many.
        let records_max = self.scans_left + 1;
        let scanned = scan_index(self.writer.tables, range, Direction::Ascending, records_max)?;
        self.take_scans(scanned.len() as u64)?;
        Ok(scanned)
    }

    fn take_scans(&mut self, records: u64) -> Result<(), Stop<T::Error>> {
        let exceeded = (Limit::TransactionScannedKeys, Transaction::SCANNED_KEYS_MAX);
        self.scans_left = self.scans_left.checked_sub(records).ok_or(Stop::Limit(exceeded))?;
        Ok(())
    }

    fn take_result_bytes(&mut self, bytes: u64) -> Result<(), Stop<T::Error>> {
        let exceeded = (Limit::TransactionResultBytes, Transaction::RESULT_BYTES_MAX);
        self.result_bytes_left = self.result_bytes_left.checked_sub(bytes).ok_or(Stop::Limit(exceeded))?;
        Ok(())
    }

    fn holds(&mut self, comparison: &Comparison) -> Result<bool, Stop<T::Error>> {
        let predicate = &comparison.predicate;
        match &comparison.target {
            Target::Key(key) => {
                let live = read_index(self.writer.tables, key)?.filter(|index| index.live.is_some());
                Ok(holds_for_key(self.writer.tables, key, live, predicate)?)
            }
            Target::Range(range) => {
                let mut scanned = self.scan(range)?;
                scanned.retain(|(_, index)| index.live.is_some());
                if let Predicate::Exists(exists) = predicate {
                    return Ok(scanned.is_empty() != *exists);
                }
                for (key, index) in scanned {
                    if !holds_for_key(self.writer.tables, &key, Some(index), predicate)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

/// Whether a predicate holds for a key that exists, of which the index says this, or that does not (`None`).
fn holds_for_key<T: Tables>(
    tables: &T,
    key: &[u8],
    index: Option<IndexRecord>,
    predicate: &Predicate,
) -> Result<bool, MachineError<T::Error>> {
    let live = index.and_then(|index| index.live);
    Ok(match predicate {
        Predicate::Exists(exists) => live.is_some() == *exists,
        Predicate::Version(relation, number) => relation.holds(&live.map_or(0, |live| live.version), number),
        Predicate::CreateRevision(relation, number) => {
            relation.holds(&live.map_or(0, |live| live.create_revision), number)
        }
        Predicate::ModRevision(relation, number) => {
            relation.holds(&index.map_or(0, |index| index.position.revision), number)
        }
        Predicate::Value(relation, value) => match index {
            Some(index) => read_live(tables, key, &index)?
                .is_some_and(|found| relation.holds(&found.value[..], &value[..])),
            None => false,
        },
    })
}
