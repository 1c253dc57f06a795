//! The operations of one key of a history, side by side.
//!
//! Keys are checked each alone. A check of one key then reads memory in order, and touches none of the
//! other keys; the values of the key have numbers of their own, so that what is known of each fits a small
//! table.

use super::operation::{Ending, Request, ValueId};

/// No completion was recorded.
pub(super) const OPEN: u64 = u64::MAX;

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

/// One operation, with its values as numbers of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    pub(super) invoked: u64,
    /// [`OPEN`] until a completion is recorded.
    pub(super) completed: u64,
    /// What was read or written, or expected by a compare-and-set.
    pub(super) first: u32,
    /// What a compare-and-set sets.
    pub(super) second: u32,
    /// Which operation of the history it is.
    pub(super) operation: u32,
    code: u8,
}

impl Recorded {
    /// An operation of unknown outcome; `values` are the numbers of those in the request.
    pub(super) fn new(operation: u32, request: Request, values: (u32, u32), invoked: u64) -> Self {
        let request = match request {
            Request::Read => code::READ,
            Request::Write(_) => code::WRITE,
            Request::CompareAndSet { .. } => code::COMPARE_AND_SET,
        };
        let (first, second) = values;
        let code = request | code::UNKNOWN << code::ENDING_SHIFT;
        Self { invoked, completed: OPEN, first, second, operation, code }
    }

    /// Records how it ended; `read` is the number of the value that a read returned.
    pub(super) fn complete(&mut self, ending: Ending, read: Option<u32>, time: u64) {
        let ending = match ending {
            Ending::Value(_) | Ending::Done => code::OK,
            Ending::Refused => code::REFUSED,
            Ending::Failed => code::FAILED,
            Ending::Unknown => code::UNKNOWN,
        };
        self.first = read.unwrap_or(self.first);
        self.code = self.code & code::REQUEST | ending << code::ENDING_SHIFT;
        self.completed = time;
    }

    pub(super) fn is_read(&self) -> bool {
        self.code & code::REQUEST == code::READ
    }

    pub(super) fn is_write(&self) -> bool {
        self.code & code::REQUEST == code::WRITE
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.code >> code::ENDING_SHIFT == code::UNKNOWN
    }

    pub(super) fn is_failed(&self) -> bool {
        self.code >> code::ENDING_SHIFT == code::FAILED
    }

    pub(super) fn is_refused(&self) -> bool {
        self.code >> code::ENDING_SHIFT == code::REFUSED
    }
}

/// The operations and the values of one key.
#[derive(Clone, Debug)]
pub(super) struct KeyOperations {
    all: Vec<Recorded>,
    /// By their numbers; the first is the initial value.
    values: Vec<ValueId>,
}

impl Default for KeyOperations {
    fn default() -> Self {
        Self { all: Vec::new(), values: vec![ValueId::INITIAL] }
    }
}

impl KeyOperations {
    /// The operations, in the order of recording.
    pub(super) fn all(&self) -> &[Recorded] {
        &self.all
    }

    /// How many values the key has, the initial one included.
    pub(super) fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The value with a number, if it is one of this key.
    pub(super) fn value(&self, number: u32) -> Option<ValueId> {
        self.values.get(number as usize).copied()
    }

    /// Numbers a new value.
    pub(super) fn add_value(&mut self, value: ValueId) -> u32 {
        self.values.push(value);
        self.values.len() as u32 - 1
    }

    /// Adds an operation, and says where it is.
    pub(super) fn push(&mut self, recorded: Recorded) -> u32 {
        self.all.push(recorded);
        self.all.len() as u32 - 1
    }

    pub(super) fn get(&self, place: u32) -> &Recorded {
        &self.all[place as usize]
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut Recorded {
        &mut self.all[place as usize]
    }

    /// What an operation asked.
    pub(super) fn request(&self, place: u32) -> Request {
        let recorded = self.get(place);
        let (first, second) = (self.values[recorded.first as usize], self.values[recorded.second as usize]);
        match recorded.code & code::REQUEST {
            code::READ => Request::Read,
            code::WRITE => Request::Write(first),
            _ => Request::CompareAndSet { expected: first, new: second },
        }
    }

    /// How an operation ended.
    pub(super) fn ending(&self, place: u32) -> Ending {
        let recorded = self.get(place);
        match recorded.code >> code::ENDING_SHIFT {
            code::OK if recorded.is_read() => Ending::Value(self.values[recorded.first as usize]),
            code::OK => Ending::Done,
            code::REFUSED => Ending::Refused,
            code::FAILED => Ending::Failed,
            _ => Ending::Unknown,
        }
    }
}
