//! Events: the lines of a history as they stand in a file, whatever its format.
//!
//! A file is a sequence of events in the order in which they were recorded: a client *invokes* a call, and
//! later the call completes as *ok* (it happened), *fail* (it did not) or *info* (nobody knows). The
//! readers of all formats give the same [`Event`]s, borrowed from the text they stand in, so what a
//! history means is decided once, in [`import`](crate::import), and not once a format.

mod problem;
mod value;

use std::borrow::Cow;
use std::fmt;

pub(crate) use problem::excerpt;
pub use problem::{Problem, ReadError};
pub use value::Value;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A call was sent.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen. Some stores say with it that a condition did not hold.
    Fail,
    /// It is unknown whether it happened, or will.
    Info,
}

impl EventKind {
    /// The kind of this name, without a colon.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"invoke" => Some(Self::Invoke),
            b"ok" => Some(Self::Ok),
            b"fail" => Some(Self::Fail),
            b"info" => Some(Self::Info),
            _ => None,
        }
    }

    /// The name, without a colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// Who caused an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Process<'a> {
    /// A client: one that has at most one open call.
    Client(u64),
    /// Something that does faults and repairs, under any other name.
    Nemesis(Cow<'a, str>),
}

impl fmt::Display for Process<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(number) => write!(formatter, "{number}"),
            Self::Nemesis(name) => write!(formatter, "{name}"),
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The number of the line on which the event begins, from 1.
    pub line: u32,
    /// What happened.
    pub kind: EventKind,
    /// To whom.
    pub process: Process<'a>,
    /// The name of the call, without a colon.
    pub function: Cow<'a, str>,
    /// The key, where it is a field of its own.
    pub key: Option<Value<'a>>,
    /// What the call carries or answers; nil if the field is missing.
    pub value: Value<'a>,
    /// What a conditional write demands, where it is a field of its own.
    pub expected: Option<Value<'a>>,
    /// The revision that an answer carries.
    pub revision: Option<u64>,
    /// Whether a delete found something.
    pub existed: Option<bool>,
    /// Why a call failed or its outcome is unknown; nil if the field is missing.
    pub error: Value<'a>,
    /// When, in nanoseconds or any other unit that grows.
    pub time: Option<u64>,
    /// The position that the recorder gave the event; positions may be missing.
    pub index: Option<u64>,
    /// Fields of other names, as they are written. Only EDN keeps them.
    pub rest: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Event<'a> {
    /// An event with what every event has.
    pub fn new(kind: EventKind, process: Process<'a>, function: impl Into<Cow<'a, str>>) -> Self {
        Self {
            line: 0,
            kind,
            process,
            function: function.into(),
            key: None,
            value: Value::Nil,
            expected: None,
            revision: None,
            existed: None,
            error: Value::Nil,
            time: None,
            index: None,
            rest: Vec::new(),
        }
    }
}

/// What takes the events of a file, one after the other. Its error is reported with the line.
pub type Sink<'s> = dyn FnMut(Event<'_>) -> Result<(), Problem> + 's;
