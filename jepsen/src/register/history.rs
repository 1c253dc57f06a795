//! A history of registers.
//!
//! What a check looks at lies together key by key, because keys are checked each alone; what only
//! explanations and pictures need lies in columns in the order of recording.
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
use super::key_operations::{KeyOperations, OPEN, Recorded};
use super::operation::{Ending, KeyId, RegisterOperation, Request, ValueId};
use crate::history::{NemesisEvent, quoted};

/// Names one operation of a [`RegisterHistory`]: its position in the order of recording.
pub type OperationId = u32;

/// Everything that clients did to registers and saw of them.
#[derive(Clone, Debug)]
pub struct RegisterHistory {
    keys: Interner,
    values: Interner,
    initial: Option<Vec<u8>>,
    /// For each value its number on its key.
    numbers: Vec<u32>,
    of_keys: Vec<KeyOperations>,
    key: Vec<u32>,
    /// Where the operation is among those of its key.
    place: Vec<u32>,
    process: Vec<u64>,
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
            numbers: vec![0],
            of_keys: Vec::new(),
            key: Vec::new(),
            place: Vec::new(),
            process: Vec::new(),
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
        for column in [&mut self.key, &mut self.place, &mut self.invoked_line, &mut self.completed_line] {
            column.reserve(operations);
        }
        self.process.reserve(operations);
    }

    /// Interns a key.
    pub fn key(&mut self, name: &[u8]) -> KeyId {
        let key = self.keys.intern(0, name);
        if key as usize == self.of_keys.len() {
            self.of_keys.push(KeyOperations::default());
        }
        KeyId(key)
    }

    /// Interns a value of a key. The text of the initial value gives [`ValueId::INITIAL`].
    pub fn value(&mut self, key: KeyId, text: &[u8]) -> ValueId {
        if self.initial.as_deref() == Some(text) {
            return ValueId::INITIAL;
        }
        let value = self.values.intern(key.0, text);
        self.numbered(key, value)
    }

    /// Interns a value that was certainly not interned for this key before and is not the initial one,
    /// without looking it up.
    pub fn new_value(&mut self, key: KeyId, text: &[u8]) -> ValueId {
        let value = self.values.append(key.0, text);
        self.numbered(key, value)
    }

    /// Numbers a value on its key, if it is new.
    fn numbered(&mut self, key: KeyId, value: u32) -> ValueId {
        let value = ValueId(value);
        if value.0 as usize == self.numbers.len() {
            self.numbers.push(self.of_keys[key.index()].add_value(value));
        }
        value
    }

    /// The number of a value on a key.
    fn number(&self, key: KeyId, value: ValueId) -> u32 {
        let number = self.numbers[value.0 as usize];
        assert!(self.of_keys[key.index()].value(number) == Some(value), "{value:?} is no value of {key:?}");
        number
    }

    /// Records that `process` sent a request, at `time` and in `line` of its file (0 if there is none).
    /// Its outcome is unknown until one is recorded.
    ///
    /// # Panics
    ///
    /// If a value was interned for another key.
    pub fn invoke(
        &mut self,
        process: u64,
        key: KeyId,
        request: Request,
        time: u64,
        line: u32,
    ) -> OperationId {
        let id = OperationId::try_from(self.key.len()).expect("a history has fewer than 2^32 operations");
        let (first, second) = match request {
            Request::Read => (ValueId::INITIAL, ValueId::INITIAL),
            Request::Write(value) => (value, ValueId::INITIAL),
            Request::CompareAndSet { expected, new } => (expected, new),
        };
        let recorded = Recorded::new(id, request, (self.number(key, first), self.number(key, second)), time);
        self.place.push(self.of_keys[key.index()].push(recorded));
        self.key.push(key.0);
        self.process.push(process);
        self.invoked_line.push(line);
        self.completed_line.push(0);
        id
    }

    /// Records how an operation ended.
    ///
    /// # Panics
    ///
    /// If the ending does not fit the request, a value was interned for another key, the operation has ended
    /// before, or it ends before it began.
    pub fn complete(&mut self, operation: OperationId, ending: Ending, time: u64, line: u32) {
        let index = operation as usize;
        let key = KeyId(self.key[index]);
        let read = match ending {
            Ending::Value(value) => Some(self.number(key, value)),
            _ => None,
        };
        let of_key = &mut self.of_keys[key.index()];
        let request = of_key.request(self.place[index]);
        let recorded = of_key.get_mut(self.place[index]);
        assert!(ending.fits(request), "operation {operation}: {ending:?} does not fit its request");
        assert!(recorded.completed == OPEN, "operation {operation} ended twice");
        assert!(recorded.invoked <= time && time < OPEN - 1, "operation {operation} ended before it began");
        recorded.complete(ending, read, time);
        self.completed_line[index] = line;
    }

    /// Records a fault or a repair of the system under test. It is never checked.
    pub fn record_nemesis(&mut self, event: NemesisEvent) {
        self.nemesis.push(event);
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.key.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
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
        let index = operation as usize;
        let key = KeyId(self.key[index]);
        let of_key = &self.of_keys[key.index()];
        let recorded = of_key.get(self.place[index]);
        RegisterOperation {
            process: self.process[index],
            key,
            request: of_key.request(self.place[index]),
            ending: of_key.ending(self.place[index]),
            invoked: recorded.invoked,
            completed: (recorded.completed != OPEN).then_some(recorded.completed),
            invoked_line: self.invoked_line[index],
            completed_line: self.completed_line[index],
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

    /// The operations of one key, in the order of recording.
    pub(super) fn of_key(&self, key: KeyId) -> &KeyOperations {
        &self.of_keys[key.index()]
    }
}

/// Whether a text can be shown without quotes: a number or a word.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= 20
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
