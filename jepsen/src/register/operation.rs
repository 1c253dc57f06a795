//! One operation on a register, and the interned names in it.

/// A key, interned by a [`RegisterHistory`](super::RegisterHistory). Keys are numbered from 0 in the order
/// in which they appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub(crate) u32);

impl KeyId {
    /// The key with this number, of a history that has interned it.
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number of the key.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value of one key, interned by a [`RegisterHistory`](super::RegisterHistory). The same text on two
/// keys has two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    /// What every key holds before the first write.
    pub const INITIAL: Self = Self(0);
}

/// What a client asked of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read the value.
    Read,
    /// Set the value.
    Write(ValueId),
    /// Set a new value if the register holds the expected one.
    CompareAndSet {
        /// What it must hold.
        expected: ValueId,
        /// What it is set to.
        new: ValueId,
    },
}

/// How an operation on a register ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A read returned this value.
    Value(ValueId),
    /// A write or a compare-and-set happened.
    Done,
    /// A compare-and-set found another value than it expected, and changed nothing. This is an
    /// observation: at some instant of the operation the register did not hold the expected value.
    Refused,
    /// The operation certainly did not happen, and saw nothing.
    Failed,
    /// The operation may have happened, may still happen, or may never happen.
    Unknown,
}

impl Ending {
    /// Whether an operation with this request can end so.
    pub fn fits(self, request: Request) -> bool {
        match self {
            Self::Value(_) => request == Request::Read,
            Self::Done => request != Request::Read,
            Self::Refused => matches!(request, Request::CompareAndSet { .. }),
            Self::Failed | Self::Unknown => true,
        }
    }
}

/// One operation of one client on one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterOperation {
    /// The client. It is quoted in explanations and is a lane of the picture; the checker draws nothing
    /// from it.
    pub process: u64,
    /// The register.
    pub key: KeyId,
    /// What was asked.
    pub request: Request,
    /// How it ended.
    pub ending: Ending,
    /// When it was sent: nanoseconds or the number of the event, less than [`u64::MAX`] - 1.
    pub invoked: u64,
    /// When the client learnt the outcome, or gave up; none if nothing was recorded. An unknown outcome is
    /// not bounded by it. Intervals are closed: operations that touch at one tick are concurrent.
    pub completed: Option<u64>,
    /// The line of the invocation in its file, from 1; 0 if it came from no file.
    pub invoked_line: u32,
    /// The line of the completion, from 1; 0 if there is none.
    pub completed_line: u32,
}

impl RegisterOperation {
    /// The last moment at which the operation can take effect; none if its outcome is unknown.
    pub fn deadline(&self) -> Option<u64> {
        match self.ending {
            Ending::Unknown => None,
            Ending::Value(_) | Ending::Done | Ending::Refused | Ending::Failed => self.completed,
        }
    }
}
