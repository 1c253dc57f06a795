//! Reader of the logs of Jepsen's etcd tests of 2014.
//!
//! One line an event, fields separated by white space: `INFO jepsen.util - PROCESS TYPE FUNCTION VALUE`.
//! One register, without a key. The number of the line is the time, which makes explanations easy to
//! follow in the file.
//!
//! - `:ok :read nil` is an observation: nothing was written yet.
//! - `:fail :cas [a b]` is one too: the register did not hold a.
//! - `:fail :read :timed-out` says nothing.
//! - `:info ... :timed-out` leaves the operation open for ever.

use std::collections::BTreeMap;

use crate::history::{Call, History, OperationIndex};
use crate::model::{RegisterAnswer, RegisterCall};

/// Why a log cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EtcdLogError {
    /// A line is not of the form above.
    #[error("line {line}: not an event of a register: {text}")]
    Malformed {
        /// The number of the line, from 1.
        line: u64,
        /// The line.
        text: String,
    },
    /// A process invoked while it had an open operation, or completed without one.
    #[error("line {line}: the event does not fit what process {process} did before")]
    OutOfTurn {
        /// The number of the line, from 1.
        line: u64,
        /// The process.
        process: u64,
    },
}

/// Reads a log.
pub fn read_etcd_log(text: &str) -> Result<History<RegisterCall>, EtcdLogError> {
    let mut history = History::new();
    let mut open: BTreeMap<u64, OperationIndex> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let malformed = || EtcdLogError::Malformed { line, text: text.to_owned() };
        let event = Event::parse(text).ok_or_else(malformed)?;
        let out_of_turn = EtcdLogError::OutOfTurn { line, process: event.process };
        if event.kind == ":invoke" {
            let call = event.call().ok_or_else(malformed)?;
            let operation = history.invoke(event.process, b"", call, line);
            if open.insert(event.process, operation).is_some() {
                return Err(out_of_turn);
            }
            continue;
        }
        let operation = open.remove(&event.process).ok_or(out_of_turn)?;
        match event.kind {
            ":ok" | ":fail" => {
                let call = history.operations()[operation].call;
                match event.answer(call).ok_or_else(malformed)? {
                    Some(answer) if call.fits(&answer) => history.ok(operation, answer, line),
                    Some(_) => return Err(malformed()),
                    None => history.failed(operation, line),
                }
            }
            ":info" => history.unknown(operation, line),
            _ => return Err(malformed()),
        }
    }
    Ok(history)
}

struct Event<'a> {
    process: u64,
    kind: &'a str,
    function: &'a str,
    value: Vec<&'a str>,
}

impl<'a> Event<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let is_header = fields.next()? == "INFO" && fields.next()? == "jepsen.util" && fields.next()? == "-";
        let process = fields.next()?.parse().ok()?;
        let (kind, function) = (fields.next()?, fields.next()?);
        let value = fields.map(|field| field.trim_matches(['[', ']'])).collect();
        is_header.then_some(Self { process, kind, function, value })
    }

    fn call(&self) -> Option<RegisterCall> {
        match (self.function, self.value.as_slice()) {
            (":read", ["nil"]) => Some(RegisterCall::Read),
            (":write", [value]) => Some(RegisterCall::Write(value.parse().ok()?)),
            (":cas", [old, new]) => Some(RegisterCall::Cas(old.parse().ok()?, new.parse().ok()?)),
            _ => None,
        }
    }

    /// The answer; `Some(None)` if the operation did not happen.
    fn answer(&self, call: RegisterCall) -> Option<Option<RegisterAnswer>> {
        let timed_out = self.value == [":timed-out"];
        match (self.kind, self.function) {
            (":ok", ":read") if self.value == ["nil"] => Some(Some(RegisterAnswer::Value(None))),
            (":ok", ":read") => Some(Some(RegisterAnswer::Value(Some(self.value.first()?.parse().ok()?)))),
            (":ok", ":write" | ":cas") => (self.call()? == call).then_some(Some(RegisterAnswer::Done)),
            (":fail", ":cas") if !timed_out => {
                (self.call()? == call).then_some(Some(RegisterAnswer::Mismatch))
            }
            (":fail", _) => Some(None),
            _ => None,
        }
    }
}
