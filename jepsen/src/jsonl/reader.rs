//! Reading histories.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use serde_json::Value;

use super::event::{ABSENT, Event, EventKind, MISMATCH, Process};
use crate::history::{Call, NemesisEvent, OperationIndex};
use crate::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// Why a history cannot be read, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct JsonlError {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: JsonlProblem,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum JsonlProblem {
    /// The line could not be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The line is not a JSON object with the fields that every event has.
    #[error("not an event: {0}")]
    NotAnEvent(#[from] serde_json::Error),
    /// There is no such function.
    #[error("no such function: {0:?}")]
    UnknownFunction(String),
    /// A field is missing, or does not fit the event.
    #[error("the field {0:?} is missing or does not fit the event")]
    WrongField(&'static str),
    /// A process that has an open operation invoked another.
    #[error("process {0} still has an open operation")]
    StillOpen(u64),
    /// A process went on after an operation of unknown outcome.
    #[error("process {0} goes on after an operation of unknown outcome")]
    ProcessEnded(u64),
    /// A process completed an operation that it did not invoke.
    #[error("process {0} has no open operation")]
    NothingOpen(u64),
    /// An operation ends before it begins.
    #[error("the time is before the operation's invocation")]
    TimeGoesBack,
}

/// Reads a history.
pub fn read_jsonl(input: impl BufRead) -> Result<StoreHistory, JsonlError> {
    let mut reader = Reader::default();
    for (line, text) in (1..).zip(input.lines()) {
        let read = text.map_err(JsonlProblem::from).and_then(|text| reader.line(&text));
        read.map_err(|problem| JsonlError { line, problem })?;
    }
    Ok(reader.history)
}

#[derive(Default)]
struct Reader {
    history: StoreHistory,
    open: BTreeMap<u64, OperationIndex>,
    ended: BTreeSet<u64>,
}

impl Reader {
    fn line(&mut self, text: &str) -> Result<(), JsonlProblem> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let event: Event = serde_json::from_str(text)?;
        match (&event.process, event.kind) {
            (Process::Client(process), EventKind::Invoke) => self.invoke(*process, &event),
            (Process::Client(process), _) => self.complete(*process, &event),
            (Process::Nemesis(process), _) => {
                self.history.record_nemesis(NemesisEvent {
                    process: process.clone(),
                    function: event.function,
                    value: event.value.unwrap_or(Value::Null),
                    time: event.time,
                });
                Ok(())
            }
        }
    }

    fn invoke(&mut self, process: u64, event: &Event) -> Result<(), JsonlProblem> {
        if self.ended.contains(&process) {
            return Err(JsonlProblem::ProcessEnded(process));
        }
        if self.open.contains_key(&process) {
            return Err(JsonlProblem::StillOpen(process));
        }
        let key =
            event.key_bytes().map_err(JsonlProblem::WrongField)?.ok_or(JsonlProblem::WrongField("key"))?;
        let operation = self.history.invoke(process, &key, call(event)?, event.time);
        self.open.insert(process, operation);
        Ok(())
    }

    fn complete(&mut self, process: u64, event: &Event) -> Result<(), JsonlProblem> {
        let index = self.open.remove(&process).ok_or(JsonlProblem::NothingOpen(process))?;
        let operation = &self.history.operations()[index];
        if event.time < operation.invoked {
            return Err(JsonlProblem::TimeGoesBack);
        }
        if event.function != function(&operation.call) {
            return Err(JsonlProblem::WrongField("f"));
        }
        let key = event.key_bytes().map_err(JsonlProblem::WrongField)?;
        if key.is_some_and(|key| key != operation.key) {
            return Err(JsonlProblem::WrongField("key"));
        }
        let answer = match event.kind {
            EventKind::Ok => ok_answer(&operation.call, event)?,
            EventKind::Fail if event.error.as_deref() == Some(MISMATCH) => StoreAnswer::Mismatch,
            EventKind::Fail => {
                self.history.failed(index, event.time);
                return Ok(());
            }
            EventKind::Info | EventKind::Invoke => {
                self.ended.insert(process);
                self.history.unknown(index, event.time);
                return Ok(());
            }
        };
        if !operation.call.fits(&answer) {
            return Err(JsonlProblem::WrongField("error"));
        }
        self.history.ok(index, answer, event.time);
        Ok(())
    }
}

/// The name of a call in the file.
pub(super) fn function(call: &StoreCall) -> &'static str {
    match call {
        StoreCall::Get => "get",
        StoreCall::Put { .. } => "put",
        StoreCall::Delete => "delete",
        StoreCall::PutIf { .. } => "put-if",
        StoreCall::DeleteIf { .. } => "delete-if",
    }
}

fn call(event: &Event) -> Result<StoreCall, JsonlProblem> {
    let value = || {
        let value = event.value_bytes().map_err(JsonlProblem::WrongField)?;
        value.ok_or(JsonlProblem::WrongField("value"))
    };
    let expected = match &event.expected {
        Some(Value::String(text)) if text == ABSENT => Some(Expected::Absent),
        Some(Value::Number(number)) => number.as_u64().map(Expected::Revision),
        _ => None,
    };
    let wrong_expected = JsonlProblem::WrongField("expected");
    match event.function.as_str() {
        "get" => Ok(StoreCall::Get),
        "put" => Ok(StoreCall::Put { value: value()? }),
        "delete" => Ok(StoreCall::Delete),
        "put-if" => Ok(StoreCall::PutIf { expected: expected.ok_or(wrong_expected)?, value: value()? }),
        "delete-if" => match expected {
            Some(Expected::Revision(revision)) => Ok(StoreCall::DeleteIf { revision }),
            _ => Err(wrong_expected),
        },
        other => Err(JsonlProblem::UnknownFunction(other.to_owned())),
    }
}

fn ok_answer(call: &StoreCall, event: &Event) -> Result<StoreAnswer, JsonlProblem> {
    let revision = || event.revision.ok_or(JsonlProblem::WrongField("revision"));
    match call {
        StoreCall::Get => match event.value_bytes().map_err(JsonlProblem::WrongField)? {
            Some(value) => Ok(StoreAnswer::Found { value, revision: revision()? }),
            None if event.revision.is_some() => Err(JsonlProblem::WrongField("revision")),
            None => Ok(StoreAnswer::Absent),
        },
        StoreCall::Put { .. } | StoreCall::PutIf { .. } => Ok(StoreAnswer::Written { revision: revision()? }),
        StoreCall::Delete | StoreCall::DeleteIf { .. } => {
            let answer = StoreAnswer::Deleted { existed: event.existed, revision: event.revision };
            if call.fits(&answer) { Ok(answer) } else { Err(JsonlProblem::WrongField("existed")) }
        }
    }
}
