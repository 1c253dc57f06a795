//! A history of registers in columns.
//!
//! It is filled as it happened: [`RegisterHistory::invoke`], later [`RegisterHistory::complete`]. An
//! operation that is never completed stays unknown. Names are interned first, by
//! [`RegisterHistory::key`] and [`RegisterHistory::value`].
//!
//! ```
//! use quorate_jepsen::register::{Ending, RegisterHistory, Request};
//!
//! let mut history = RegisterHistory::new();
//! let key = history.key(b"colour");
//! let red = history.value(key, b"red");
//! let write = history.invoke(1, key, Request::Write(red), 10, 1);
//! history.complete(write, Ending::Done, 20, 2);
//! assert_eq!(history.operation(write).completed, Some(20));
//! ```

use super::interner::Interner;
use super::operation::{Ending, KeyId, RegisterOperation, Request, ValueId};
use crate::history::{NemesisEvent, quoted};

/// Names one operation of a [`RegisterHistory`]: its position in the order of recording.
pub type OperationId = u32;

/// No completion was recorded.
const OPEN: u64 = u64::MAX;

/// A request and an ending in one byte.
mod code {
    pub(super) const READ: u8 = 0;
    pub(super) const WRITE: u8 = 1;
    pub(super) const COMPARE_AND_SET: u8 = 2;
    pub(super) const REQUEST: u8 = 0b11;

    pub(super) const ENDING_SHIFT: u8 = 2;
    pub(super) const OK: u8 = 0;
    pub(super) const REFUSED: u8 = 1;
    pub(super) const FAILED: u8 = 2;
    pub(super) const UNKNOWN: u8 = 3;
}

/// Everything that clients did to registers and saw of them.
#[derive(Clone, Debug)]
pub struct RegisterHistory {
    keys: Interner,
    values: Interner,
    initial: Option<Vec<u8>>,
    codes: Vec<u8>,
    key: Vec<u32>,
    /// What was read or written, or expected by a compare-and-set.
    first: Vec<u32>,
    /// What a compare-and-set sets.
    second: Vec<u32>,
    process: Vec<u64>,
    invoked: Vec<u64>,
    completed: Vec<u64>,
    invoked_line: Vec<u32>,
    completed_line: Vec<u32>,
    nemesis: Vec<NemesisEvent>,
}

impl Default for RegisterHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl RegisterHistory {
    /// An empty history of registers that are unset at first.
    pub fn new() -> Self {
        let mut values = Interner::default();
        values.append(u32::MAX, b"");
        Self {
            keys: Interner::default(),
            values,
            initial: None,
            codes: Vec::new(),
            key: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            process: Vec::new(),
            invoked: Vec::new(),
            completed: Vec::new(),
            invoked_line: Vec::new(),
            completed_line: Vec::new(),
            nemesis: Vec::new(),
        }
    }

    /// An empty history of registers that hold `value` at first. It is [`ValueId::INITIAL`].
    pub fn with_initial(value: &[u8]) -> Self {
        Self { initial: Some(value.to_vec()), ..Self::new() }
    }

    /// Makes room for this many more operations.
    pub fn reserve(&mut self, operations: usize) {
        self.codes.reserve(operations);
        for column in [
            &mut self.key,
            &mut self.first,
            &mut self.second,
            &mut self.invoked_line,
            &mut self.completed_line,
        ] {
            column.reserve(operations);
        }
        for column in [&mut self.process, &mut self.invoked, &mut self.completed] {
            column.reserve(operations);
        }
    }

    /// Interns a key.
    pub fn key(&mut self, name: &[u8]) -> KeyId {
        KeyId(self.keys.intern(0, name))
    }

    /// Interns a value of a key. The text of the initial value gives [`ValueId::INITIAL`].
    pub fn value(&mut self, key: KeyId, text: &[u8]) -> ValueId {
        if self.initial.as_deref() == Some(text) {
            return ValueId::INITIAL;
        }
        ValueId(self.values.intern(key.0, text))
    }

    /// Interns a value that was certainly not interned for this key before and is not the initial one,
    /// without looking it up.
    pub fn new_value(&mut self, key: KeyId, text: &[u8]) -> ValueId {
        ValueId(self.values.append(key.0, text))
    }

    /// Records that `process` sent a request, at `time` and in `line` of its file (0 if there is none).
    /// Its outcome is unknown until one is recorded.
    pub fn invoke(
        &mut self,
        process: u64,
        key: KeyId,
        request: Request,
        time: u64,
        line: u32,
    ) -> OperationId {
        let id = OperationId::try_from(self.codes.len()).expect("a history has fewer than 2^32 operations");
        let (request, first, second) = match request {
            Request::Read => (code::READ, ValueId::INITIAL, ValueId::INITIAL),
            Request::Write(value) => (code::WRITE, value, ValueId::INITIAL),
            Request::CompareAndSet { expected, new } => (code::COMPARE_AND_SET, expected, new),
        };
        self.codes.push(request | code::UNKNOWN << code::ENDING_SHIFT);
        self.key.push(key.0);
        self.first.push(first.0);
        self.second.push(second.0);
        self.process.push(process);
        self.invoked.push(time);
        self.completed.push(OPEN);
        self.invoked_line.push(line);
        self.completed_line.push(0);
        id
    }

    /// Records how an operation ended.
    ///
    /// # Panics
    ///
    /// If the ending does not fit the request, the operation has ended before, or it ends before it began.
    pub fn complete(&mut self, operation: OperationId, ending: Ending, time: u64, line: u32) {
        let row = operation as usize;
        assert!(ending.fits(self.request(row)), "operation {operation}: {ending:?} does not fit its request");
        assert!(self.completed[row] == OPEN, "operation {operation} ended twice");
        assert!(self.invoked[row] <= time && time < OPEN - 1, "operation {operation} ended before it began");
        let ending = match ending {
            Ending::Value(value) => {
                self.first[row] = value.0;
                code::OK
            }
            Ending::Done => code::OK,
            Ending::Refused => code::REFUSED,
            Ending::Failed => code::FAILED,
            Ending::Unknown => code::UNKNOWN,
        };
        self.codes[row] = self.codes[row] & code::REQUEST | ending << code::ENDING_SHIFT;
        self.completed[row] = time;
        self.completed_line[row] = line;
    }

    /// Records a fault or a repair of the system under test. It is never checked.
    pub fn record_nemesis(&mut self, event: NemesisEvent) {
        self.nemesis.push(event);
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// How many values there are, over all keys, and the initial one.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The name of a key.
    pub fn key_name(&self, key: KeyId) -> &[u8] {
        self.keys.name(key.0)
    }

    /// The text of a value; none for the initial value of registers that are unset at first.
    pub fn value_text(&self, value: ValueId) -> Option<&[u8]> {
        if value == ValueId::INITIAL { self.initial.as_deref() } else { Some(self.values.name(value.0)) }
    }

    /// The value in words, for explanations and pictures.
    pub fn describe_value(&self, value: ValueId) -> String {
        match self.value_text(value) {
            Some(text) if is_plain(text) => String::from_utf8_lossy(text).into_owned(),
            Some(text) => quoted(text),
            None => "unset".to_owned(),
        }
    }

    /// One operation.
    pub fn operation(&self, operation: OperationId) -> RegisterOperation {
        let row = operation as usize;
        let ending = match self.codes[row] >> code::ENDING_SHIFT {
            code::OK if self.codes[row] & code::REQUEST == code::READ => {
                Ending::Value(ValueId(self.first[row]))
            }
            code::OK => Ending::Done,
            code::REFUSED => Ending::Refused,
            code::FAILED => Ending::Failed,
            _ => Ending::Unknown,
        };
        RegisterOperation {
            process: self.process[row],
            key: KeyId(self.key[row]),
            request: self.request(row),
            ending,
            invoked: self.invoked[row],
            completed: (self.completed[row] != OPEN).then_some(self.completed[row]),
            invoked_line: self.invoked_line[row],
            completed_line: self.completed_line[row],
        }
    }

    /// The operations in the order in which they were recorded.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = RegisterOperation> + '_ {
        (0..self.len()).map(|row| self.operation(row as OperationId))
    }

    /// The faults and repairs in the order in which they were recorded.
    pub fn nemesis(&self) -> &[NemesisEvent] {
        &self.nemesis
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { codes: &self.codes, key: &self.key, first: &self.first, second: &self.second }
    }

    fn request(&self, row: usize) -> Request {
        let (first, second) = (ValueId(self.first[row]), ValueId(self.second[row]));
        match self.codes[row] & code::REQUEST {
            code::READ => Request::Read,
            code::WRITE => Request::Write(first),
            _ => Request::CompareAndSet { expected: first, new: second },
        }
    }
}

/// The columns that decide whether an operation says anything.
pub(super) struct Columns<'a> {
    codes: &'a [u8],
    pub(super) key: &'a [u32],
    first: &'a [u32],
    second: &'a [u32],
}

impl Columns<'_> {
    /// Whether an operation can make any difference: a failed one, an unknown read and an unknown
    /// compare-and-set that would change nothing cannot.
    pub(super) fn says_something(&self, row: usize) -> bool {
        let code = self.codes[row];
        match code >> code::ENDING_SHIFT {
            code::OK | code::REFUSED => true,
            code::FAILED => false,
            _ => match code & code::REQUEST {
                code::READ => false,
                code::COMPARE_AND_SET => self.first[row] != self.second[row],
                _ => true,
            },
        }
    }
}

/// Whether a text can be shown without quotes: a number or a word.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= 20
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
