//! Histories: what clients asked, when, and what they saw.
//!
//! A [`History`] is recorded as it happens: [`History::invoke`] when a client sends a call, then one of
//! [`History::ok`], [`History::failed`] and [`History::unknown`]. A call that is never completed stays
//! unknown, which is what the end of a run leaves behind.
//!
//! Three outcomes, and the difference between the last two is the whole art of testing a store:
//!
//! - [`Outcome::Ok`] carries the answer. A refusal that tells something about the store (412 of a
//!   conditional write) is an answer too, and a strict one.
//! - [`Outcome::Failed`] means that the call *certainly* had no effect and saw nothing, for example
//!   because the connection was refused. It is dropped before the search.
//! - [`Outcome::Unknown`] means everything else: a timeout, a lost connection, a server error after the
//!   request had been sent. A timed-out write is unknown, never absent.
//!
//! Times are numbers that only have to grow: nanoseconds or event indexes. Intervals are closed, so two
//! operations of which one ends at the tick at which the other begins are concurrent.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a client may ask of an object, and which answers fit it.
pub trait Call: Clone + fmt::Debug + fmt::Display + PartialEq {
    /// What the object may answer.
    type Answer: Clone + fmt::Debug + fmt::Display + PartialEq;

    /// Whether `answer` is an answer to this call at all, right or wrong.
    fn fits(&self, answer: &Self::Answer) -> bool;

    /// Whether the call can never change the object. Without an answer such a call says nothing.
    fn is_read(&self) -> bool;
}

/// How a call ended for the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<Answer> {
    /// The call happened and this is what it answered.
    Ok(Answer),
    /// The call certainly did not happen.
    Failed,
    /// The call may have happened, may still happen, or may never happen.
    Unknown,
}

/// One call of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<C: Call> {
    /// The client. It is quoted in explanations; the checker draws nothing from it.
    pub process: u64,
    /// The key that the call concerns. Keys are checked independently of each other.
    pub key: Vec<u8>,
    /// What was asked.
    pub call: C,
    /// When the call was sent.
    pub invoked: u64,
    /// When the client learnt the outcome. For an unknown outcome this is when the client gave up, which
    /// is of interest to people and never bounds the operation.
    pub completed: Option<u64>,
    /// How it ended.
    pub outcome: Outcome<C::Answer>,
}

impl<C: Call> Operation<C> {
    /// The last moment at which the operation can take effect; none if it is unknown.
    pub fn deadline(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok(_) | Outcome::Failed => self.completed,
            Outcome::Unknown => None,
        }
    }

    /// The answer, if one came.
    pub fn answer(&self) -> Option<&C::Answer> {
        match &self.outcome {
            Outcome::Ok(answer) => Some(answer),
            Outcome::Failed | Outcome::Unknown => None,
        }
    }
}

impl<C: Call> fmt::Display for Operation<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} by process {} ", self.call, self.process)?;
        match self.deadline() {
            Some(completed) => write!(formatter, "(time {} to {completed})", self.invoked)?,
            None => write!(formatter, "(from time {})", self.invoked)?,
        }
        match &self.outcome {
            Outcome::Ok(answer) => write!(formatter, ", answered {answer}"),
            Outcome::Failed => write!(formatter, ", certainly without effect"),
            Outcome::Unknown => write!(formatter, ", outcome unknown"),
        }
    }
}

/// Something that was done to the system and not to the store: a partition, a crash, a skewed clock.
///
/// Such events are kept for reports and pictures. They are never checked.
#[derive(Clone, Debug, PartialEq)]
pub struct NemesisEvent {
    /// Who did it; any name that is not a number.
    pub process: String,
    /// What was done.
    pub function: String,
    /// Details, as they were recorded.
    pub value: serde_json::Value,
    /// When.
    pub time: u64,
}

/// Names one operation of one history: its position in the order of recording.
pub type OperationIndex = usize;

/// Everything that the clients of one run did and saw.
#[derive(Clone, Debug, PartialEq)]
pub struct History<C: Call> {
    operations: Vec<Operation<C>>,
    nemesis: Vec<NemesisEvent>,
}

impl<C: Call> Default for History<C> {
    fn default() -> Self {
        Self { operations: Vec::new(), nemesis: Vec::new() }
    }
}

impl<C: Call> History<C> {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `process` sent a call. Its outcome is unknown until one is recorded.
    pub fn invoke(&mut self, process: u64, key: &[u8], call: C, time: u64) -> OperationIndex {
        self.operations.push(Operation {
            process,
            key: key.to_vec(),
            call,
            invoked: time,
            completed: None,
            outcome: Outcome::Unknown,
        });
        self.operations.len() - 1
    }

    /// Records the answer to a call. An answer that does not fit the call is an error of the caller.
    pub fn ok(&mut self, operation: OperationIndex, answer: C::Answer, time: u64) {
        let call = &self.operations[operation].call;
        assert!(call.fits(&answer), "{answer} is no answer to {call}");
        self.complete(operation, Outcome::Ok(answer), time);
    }

    /// Records that a call certainly had no effect.
    pub fn failed(&mut self, operation: OperationIndex, time: u64) {
        self.complete(operation, Outcome::Failed, time);
    }

    /// Records that a client gave up on a call whose fate it does not know. To write the history to a
    /// file, the client must go on under another process number: the old call may still be running.
    pub fn unknown(&mut self, operation: OperationIndex, time: u64) {
        self.complete(operation, Outcome::Unknown, time);
    }

    /// Records a fault or a repair of the system under test.
    pub fn record_nemesis(&mut self, event: NemesisEvent) {
        self.nemesis.push(event);
    }

    /// The operations in the order in which they were recorded.
    pub fn operations(&self) -> &[Operation<C>] {
        &self.operations
    }

    /// The faults and repairs in the order in which they were recorded.
    pub fn nemesis(&self) -> &[NemesisEvent] {
        &self.nemesis
    }

    fn complete(&mut self, operation: OperationIndex, outcome: Outcome<C::Answer>, time: u64) {
        let operation = &mut self.operations[operation];
        assert!(operation.completed.is_none(), "completed twice: {operation}");
        assert!(operation.invoked <= time, "completed at {time}, before it began: {operation}");
        operation.completed = Some(time);
        operation.outcome = outcome;
    }
}

/// Longest text that explanations quote in full, in characters.
const QUOTED_CHARACTERS_MAX: usize = 60;

/// Quotes bytes for people: as text if they are UTF-8, otherwise as base64; long ones are cut.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let (prefix, text) = match std::str::from_utf8(bytes) {
        Ok(text) => ("", text.to_owned()),
        Err(_) => ("base64:", STANDARD.encode(bytes)),
    };
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        None => format!("{prefix}{text:?}"),
        Some((cut, _)) => format!("{prefix}{:?}... ({} bytes)", &text[..cut], bytes.len()),
    }
}
