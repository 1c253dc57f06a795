//! Histories of transactions, in the form in which Elle's workloads record them.
//!
//! A transaction is a list of steps: reads, appends to lists, writes of registers. A key is a list or a
//! register by what is done to it, and both kinds may stand in one history. Keys and values are texts as
//! they stood in the source, kept once and compared by number.
//!
//! A reader of files works in three steps: it asks for the numbers of [keys](TransactionHistory::key),
//! [values](TransactionHistory::value) and [lists](TransactionHistory::list), calls
//! [`TransactionHistory::invoke`] with the steps of an invocation, and later one of
//! [`TransactionHistory::ok`], [`TransactionHistory::failed`] and [`TransactionHistory::unknown`]. A
//! transaction that is never completed stays unknown.

use std::ops::Range;

use crate::history::NemesisEvent;

use super::names::Names;

/// A key, as a number that belongs to one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(super) u32);

impl Key {
    /// The position of the key in [`TransactionHistory::key_names`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value that was written or an element of a list, as a number that belongs to one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub(super) u32);

/// A list that was read. Its elements are [`TransactionHistory::elements`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    begin: u32,
    end: u32,
}

/// What a read saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is not known: the transaction was not answered.
    Unknown,
    /// `nil`: a register that was never written, or an empty list.
    Nothing,
    /// The value of a register.
    Value(Value),
    /// The elements of a list.
    List(List),
}

/// One step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `[:r key seen]`
    Read {
        /// The key that was read.
        key: Key,
        /// What was there.
        seen: Seen,
    },
    /// `[:append key value]`: the value becomes the last element of the list.
    Append {
        /// The list.
        key: Key,
        /// The new element; no other step appends it to the same list.
        value: Value,
    },
    /// `[:w key value]`: the register becomes the value.
    Write {
        /// The register.
        key: Key,
        /// The new value; no other step writes it to the same register.
        value: Value,
    },
}

impl Step {
    /// The key that the step concerns.
    pub fn key(&self) -> Key {
        match self {
            Self::Read { key, .. } | Self::Append { key, .. } | Self::Write { key, .. } => *key,
        }
    }

    /// Whether a completion may repeat this step as `completed`: only what reads saw may differ.
    fn becomes(&self, completed: &Self) -> bool {
        match (self, completed) {
            (Self::Read { key, .. }, Self::Read { key: completed, .. }) => key == completed,
            _ => self == completed,
        }
    }
}

/// How a transaction ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was committed, and what it read is known.
    Ok,
    /// It was certainly not committed.
    Failed,
    /// It may have been committed, may still be, or may never be.
    Unknown,
}

/// One transaction of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The client.
    pub process: u64,
    /// When the transaction was sent: nanoseconds or an event index.
    pub invoked: u64,
    /// When its client learnt how it ended, or gave up on it.
    pub completed: Option<u64>,
    /// The line of the source that holds the invocation, from 1; 0 if there is no source.
    pub invoked_line: u32,
    /// The line of the source that holds the completion; none if the transaction was never completed.
    pub completed_line: Option<u32>,
    /// How it ended.
    pub ending: Ending,
    steps: Range<u32>,
}

impl Transaction {
    /// Whether it certainly ended before `other` began. Intervals are closed: equal times are concurrent.
    pub fn is_before(&self, other: &Self) -> bool {
        self.deadline().is_some_and(|deadline| deadline < other.invoked)
    }

    /// The last moment at which it can take effect; none if it was never answered.
    pub fn deadline(&self) -> Option<u64> {
        match self.ending {
            Ending::Ok | Ending::Failed => self.completed,
            Ending::Unknown => None,
        }
    }
}

/// Names one transaction of one history: its position in the order of recording.
pub type TransactionIndex = usize;

/// A completion whose steps are not those of the invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {} of the completion is not that of the invocation", .position + 1)]
pub struct StepMismatch {
    /// The first step that differs, from 0; the number of steps if one list is longer.
    pub position: usize,
}

/// Everything that the clients of one run did and saw.
#[derive(Clone, Debug, Default)]
pub struct TransactionHistory {
    keys: Names,
    values: Names,
    transactions: Vec<Transaction>,
    steps: Vec<Step>,
    elements: Vec<Value>,
    nemesis: Vec<NemesisEvent>,
}

impl TransactionHistory {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of this name.
    pub fn key(&mut self, name: &str) -> Key {
        Key(self.keys.number(name))
    }

    /// The value of this text.
    pub fn value(&mut self, text: &str) -> Value {
        Value(self.values.number(text))
    }

    /// Keeps a list that was read.
    pub fn list(&mut self, elements: &[Value]) -> List {
        let position = |length| u32::try_from(length).expect("fewer than 2^32 elements fit into memory");
        let begin = position(self.elements.len());
        self.elements.extend_from_slice(elements);
        List { begin, end: position(self.elements.len()) }
    }

    /// Records that `process` sent a transaction. Its outcome is unknown until one is recorded.
    pub fn invoke(&mut self, process: u64, steps: &[Step], time: u64, line: u32) -> TransactionIndex {
        let position = |length| u32::try_from(length).expect("fewer than 2^32 steps fit into memory");
        let begin = position(self.steps.len());
        self.steps.extend_from_slice(steps);
        self.transactions.push(Transaction {
            process,
            invoked: time,
            completed: None,
            invoked_line: line,
            completed_line: None,
            ending: Ending::Unknown,
            steps: begin..position(self.steps.len()),
        });
        self.transactions.len() - 1
    }

    /// Records that a transaction was committed. `steps` repeat those of the invocation, with what the
    /// reads saw; if they do not, nothing is recorded.
    pub fn ok(
        &mut self,
        transaction: TransactionIndex,
        steps: &[Step],
        time: u64,
        line: u32,
    ) -> Result<(), StepMismatch> {
        let range = self.steps_range(transaction);
        let invoked = &self.steps[range.clone()];
        let differs = |(invoked, completed): (&Step, &Step)| !invoked.becomes(completed);
        let shorter = invoked.len().min(steps.len());
        if let Some(position) = invoked.iter().zip(steps).position(differs) {
            return Err(StepMismatch { position });
        }
        if invoked.len() != steps.len() {
            return Err(StepMismatch { position: shorter });
        }
        self.steps[range].copy_from_slice(steps);
        self.complete(transaction, Ending::Ok, time, line);
        Ok(())
    }

    /// Records that a transaction was certainly not committed.
    pub fn failed(&mut self, transaction: TransactionIndex, time: u64, line: u32) {
        self.complete(transaction, Ending::Failed, time, line);
    }

    /// Records that a client gave up on a transaction whose fate it does not know.
    pub fn unknown(&mut self, transaction: TransactionIndex, time: u64, line: u32) {
        self.complete(transaction, Ending::Unknown, time, line);
    }

    /// Records a fault or a repair of the system under test.
    pub fn record_nemesis(&mut self, event: NemesisEvent) {
        self.nemesis.push(event);
    }

    /// The transactions in the order in which they were recorded.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// What a transaction did, in order.
    pub fn steps(&self, transaction: TransactionIndex) -> &[Step] {
        &self.steps[self.steps_range(transaction)]
    }

    /// The elements of a list that was read.
    pub fn elements(&self, list: List) -> &[Value] {
        &self.elements[list.begin as usize..list.end as usize]
    }

    /// The faults and repairs in the order in which they were recorded.
    pub fn nemesis(&self) -> &[NemesisEvent] {
        &self.nemesis
    }

    /// The names of all keys.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        (0..self.keys.len() as u32).map(|key| self.keys.text(key))
    }

    /// The name of a key.
    pub fn key_name(&self, key: Key) -> &str {
        self.keys.text(key.0)
    }

    /// The text of a value.
    pub fn value_text(&self, value: Value) -> &str {
        self.values.text(value.0)
    }

    /// Keys that the history names.
    pub(super) fn keys_count(&self) -> usize {
        self.keys.len()
    }

    fn steps_range(&self, transaction: TransactionIndex) -> Range<usize> {
        let range = &self.transactions[transaction].steps;
        range.start as usize..range.end as usize
    }

    fn complete(&mut self, transaction: TransactionIndex, ending: Ending, time: u64, line: u32) {
        let transaction = &mut self.transactions[transaction];
        assert!(transaction.completed.is_none(), "completed twice: {transaction:?}");
        assert!(transaction.invoked <= time, "completed at {time}, before it began: {transaction:?}");
        transaction.completed = Some(time);
        transaction.completed_line = Some(line);
        transaction.ending = ending;
    }
}
