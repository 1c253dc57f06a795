//! What can be wrong with a file, and where.

use std::io;

/// Why a history cannot be read, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReadError {
    /// The number of the line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line. Every text says what was expected instead.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The input could not be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The input holds no event of a client.
    #[error("the history is empty; expected at least one operation of a client")]
    Empty,
    /// The input ends, or the next event begins, before the event of this line is complete.
    #[error("the event is truncated; expected {expected}")]
    Truncated {
        /// What should have followed.
        expected: &'static str,
    },
    /// The text does not follow the format.
    #[error("found {found}; expected {expected}")]
    Syntax {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A line is not a JSON object with the fields that every event has.
    #[error("not an event: {reason}; expected a JSON object with type, process and f")]
    NotAnEvent {
        /// What the reader of JSON says.
        reason: String,
    },
    /// The file has lines of no format.
    #[error("found {found}; expected a history: EDN maps, JSON objects, or an etcd log")]
    UnknownFormat {
        /// The first line.
        found: String,
    },
    /// An event lacks a field.
    #[error("the event has no {field}; expected {expected}")]
    MissingField {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A field holds what it cannot.
    #[error("the {field} is {found}; expected {expected}")]
    WrongField {
        /// The field.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The model has no such function.
    #[error("the function is {found}; expected one of a {model}: {functions}")]
    UnknownFunction {
        /// What was called.
        found: String,
        /// The model.
        model: &'static str,
        /// Its functions.
        functions: &'static str,
    },
    /// No model has the functions of this history.
    #[error("the function is {found}; expected one of a known model, or the model given by name")]
    UnknownModel {
        /// The first function that told nothing.
        found: String,
    },
    /// A process that has an open operation invoked another.
    #[error("process {process} invokes twice; expected the completion of its operation of line {line}")]
    StillOpen {
        /// The process.
        process: u64,
        /// Where its open operation was invoked.
        line: u32,
    },
    /// A process went on after an operation of unknown outcome.
    #[error(
        "process {process} goes on after the unknown outcome on line {line}; expected a new process number, \
         since the old operation may still be running"
    )]
    ProcessEnded {
        /// The process.
        process: u64,
        /// Where its last operation ended.
        line: u32,
    },
    /// A process completed an operation that it did not invoke.
    #[error("process {process} completes an operation; expected its invocation before")]
    NothingOpen {
        /// The process.
        process: u64,
    },
    /// Time goes backwards.
    #[error("the time is {time}; expected {before} or more, the time of line {line}")]
    TimeGoesBack {
        /// The time of the event.
        time: u64,
        /// The time before.
        before: u64,
        /// Where the time before stands.
        line: u32,
    },
    /// Some events have a time and others have none.
    #[error("the event has no time; expected one, since the events before have times")]
    TimeMissing,
}

/// Bytes that an error quotes at most.
const QUOTED_BYTES_MAX: usize = 60;

impl Problem {
    /// Text that does not follow its format.
    pub(crate) fn syntax(found: &[u8], expected: &'static str) -> Self {
        Self::Syntax { found: excerpt(found), expected }
    }

    /// A field that holds what it cannot.
    pub(crate) fn wrong(field: &'static str, found: &[u8], expected: impl Into<String>) -> Self {
        Self::WrongField { field, found: excerpt(found), expected: expected.into() }
    }

    /// The error with its place.
    pub(crate) fn at(self, line: u32) -> ReadError {
        ReadError { line, problem: self }
    }
}

/// Text of a file in quotes, cut where it gets long.
pub(crate) fn excerpt(text: &[u8]) -> String {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let cut = &line[..line.len().min(QUOTED_BYTES_MAX)];
    let more = if cut.len() < line.len() { "..." } else { "" };
    format!("`{}{more}`", String::from_utf8_lossy(cut))
}
