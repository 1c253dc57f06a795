//! The operations of a history by key, reduced to what a check needs.
//!
//! One walk through the columns drops what says nothing (failed operations, unknown reads), gives the
//! values of each key numbers of their own from 0, and deals the operations to their keys. Values were
//! interned in the order in which they appeared, so the walk touches memory in order.

use std::ops::Range;

use super::history::{OperationId, RegisterHistory};
use super::operation::{Ending, KeyId, Request, ValueId};

/// What an operation means for its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It held `first`.
    Read,
    /// It was set to `first`.
    Write,
    /// It was changed from `first` to `second`.
    Cas,
    /// It held something else than `first`.
    Refused,
    /// It was, or is later, or never set to `first`.
    MaybeWrite,
    /// It was, or is later, or never changed from `first` to `second`.
    MaybeCas,
}

impl Kind {
    /// Whether the operation must be part of every order.
    pub(super) fn is_required(self) -> bool {
        !matches!(self, Self::MaybeWrite | Self::MaybeCas)
    }
}

/// The end of an operation whose outcome is unknown.
pub(super) const NEVER: u64 = u64::MAX;

/// The number of the initial value on every key.
pub(super) const INITIAL: u32 = 0;

/// One operation of one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// When it was invoked, plus one, so that 0 is before everything.
    pub(super) begin: u64,
    /// When it ended, plus one; [`NEVER`] if its outcome is unknown.
    pub(super) end: u64,
    /// What it read, wrote or expected, as a number of this key.
    pub(super) first: u32,
    /// What a compare-and-set sets.
    pub(super) second: u32,
    /// Which operation of the history it is.
    pub(super) operation: OperationId,
    pub(super) kind: Kind,
}

impl Row {
    /// The value that it leaves, if it changes the register.
    pub(super) fn written(&self) -> Option<u32> {
        match self.kind {
            Kind::Write | Kind::MaybeWrite => Some(self.first),
            Kind::Cas | Kind::MaybeCas => Some(self.second),
            Kind::Read | Kind::Refused => None,
        }
    }
}

/// The operations of all keys, key by key.
pub(super) struct Rows {
    rows: Vec<Row>,
    /// Where the rows of each key end.
    ends: Vec<usize>,
    /// How many values each key has, the initial one included.
    values: Vec<u32>,
}

impl Rows {
    /// Deals the operations of a history to their keys, in the order in which they began.
    pub(super) fn new(history: &RegisterHistory) -> Self {
        let mut sizes = vec![0_usize; history.key_count()];
        let columns = history.columns();
        for index in 0..history.len() {
            sizes[columns.key[index] as usize] += usize::from(columns.says_something(index));
        }
        let mut ends = Vec::with_capacity(sizes.len());
        let mut total = 0;
        for size in &mut sizes {
            let begin = total;
            total += *size;
            *size = begin;
            ends.push(total);
        }
        let mut cursors = sizes;
        let empty =
            Row { begin: 0, end: 0, first: INITIAL, second: INITIAL, operation: 0, kind: Kind::Refused };
        let mut rows = vec![empty; total];
        let mut numbers = Numbers::new(history);
        for index in 0..history.len() {
            if columns.says_something(index) {
                let key = columns.key[index] as usize;
                rows[cursors[key]] = row(history, index as OperationId, &mut numbers);
                cursors[key] += 1;
            }
        }
        let mut all = Self { rows, ends, values: numbers.used };
        for key in 0..all.ends.len() {
            let range = all.range(key);
            let rows = &mut all.rows[range];
            if !rows.is_sorted_by_key(|row| row.begin) {
                rows.sort_by_key(|row| row.begin);
            }
        }
        all
    }

    /// How many keys there are.
    pub(super) fn key_count(&self) -> usize {
        self.ends.len()
    }

    /// The operations of a key, in the order in which they began.
    pub(super) fn of_key(&self, key: usize) -> &[Row] {
        &self.rows[self.range(key)]
    }

    /// How many values a key has.
    pub(super) fn values_of_key(&self, key: usize) -> usize {
        self.values[key] as usize
    }

    fn range(&self, key: usize) -> Range<usize> {
        let begin = if key == 0 { 0 } else { self.ends[key - 1] };
        begin..self.ends[key]
    }
}

/// Numbers the values of each key from 1; 0 is the initial value.
struct Numbers {
    number: Vec<u32>,
    used: Vec<u32>,
}

impl Numbers {
    fn new(history: &RegisterHistory) -> Self {
        Self { number: vec![INITIAL; history.value_count()], used: vec![1; history.key_count()] }
    }

    fn of(&mut self, key: KeyId, value: ValueId) -> u32 {
        let number = &mut self.number[value.0 as usize];
        if *number == INITIAL && value != ValueId::INITIAL {
            let used = &mut self.used[key.index()];
            *number = *used;
            *used += 1;
        }
        *number
    }
}

fn row(history: &RegisterHistory, id: OperationId, numbers: &mut Numbers) -> Row {
    let operation = history.operation(id);
    let is_unknown = operation.ending == Ending::Unknown;
    let (kind, first, second) = match (operation.request, operation.ending) {
        (_, Ending::Value(value)) => (Kind::Read, value, ValueId::INITIAL),
        (Request::Write(value), _) => {
            (if is_unknown { Kind::MaybeWrite } else { Kind::Write }, value, ValueId::INITIAL)
        }
        (Request::CompareAndSet { expected, .. }, Ending::Refused) => {
            (Kind::Refused, expected, ValueId::INITIAL)
        }
        (Request::CompareAndSet { expected, new }, _) if expected == new => {
            (Kind::Read, expected, ValueId::INITIAL)
        }
        (Request::CompareAndSet { expected, new }, _) => {
            (if is_unknown { Kind::MaybeCas } else { Kind::Cas }, expected, new)
        }
        (Request::Read, _) => unreachable!("a read without a value says nothing"),
    };
    let end = match operation.completed {
        Some(completed) if !is_unknown => completed + 1,
        _ => NEVER,
    };
    Row {
        begin: operation.invoked + 1,
        end,
        first: numbers.of(operation.key, first),
        second: numbers.of(operation.key, second),
        operation: id,
        kind,
    }
}
