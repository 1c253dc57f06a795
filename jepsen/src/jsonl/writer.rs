//! Writing histories.

use std::io::{self, Write};

use super::event::{ABSENT, Event, EventKind, MISMATCH, Process};
use super::reader::function;
use crate::history::{NemesisEvent, Operation, Outcome};
use crate::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// Writes a history in the order of time, and at one time in the order of recording.
pub fn write_jsonl(history: &StoreHistory, mut output: impl Write) -> io::Result<()> {
    let mut events = Vec::new();
    for operation in history.operations() {
        events.push(invocation(operation));
        events.extend(operation.completed.map(|time| completion(operation, time)));
    }
    events.extend(history.nemesis().iter().map(nemesis));
    // The sort is stable: an operation that begins when the same process's last one ends stays after it.
    events.sort_by_key(|event| event.time);
    for event in &events {
        serde_json::to_writer(&mut output, event)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}

fn invocation(operation: &Operation<StoreCall>) -> Event {
    let mut event = event(EventKind::Invoke, operation, operation.invoked);
    match &operation.call {
        StoreCall::Get | StoreCall::Delete => {}
        StoreCall::Put { value } => event.set_value(value),
        StoreCall::PutIf { expected, value } => {
            event.set_value(value);
            event.expected = Some(match expected {
                Expected::Absent => ABSENT.into(),
                Expected::Revision(revision) => (*revision).into(),
            });
        }
        StoreCall::DeleteIf { revision } => event.expected = Some((*revision).into()),
    }
    event
}

fn completion(operation: &Operation<StoreCall>, time: u64) -> Event {
    let answer = match &operation.outcome {
        Outcome::Failed => return event(EventKind::Fail, operation, time),
        Outcome::Unknown => return event(EventKind::Info, operation, time),
        Outcome::Ok(StoreAnswer::Mismatch) => {
            let mut event = event(EventKind::Fail, operation, time);
            event.error = Some(MISMATCH.to_owned());
            return event;
        }
        Outcome::Ok(answer) => answer,
    };
    let mut event = event(EventKind::Ok, operation, time);
    match answer {
        StoreAnswer::Found { value, revision } => {
            event.set_value(value);
            event.revision = Some(*revision);
        }
        StoreAnswer::Written { revision } => event.revision = Some(*revision),
        StoreAnswer::Deleted { existed, revision } => {
            event.existed = *existed;
            event.revision = *revision;
        }
        StoreAnswer::Absent | StoreAnswer::Mismatch => {}
    }
    event
}

fn event(kind: EventKind, operation: &Operation<StoreCall>, time: u64) -> Event {
    let process = Process::Client(operation.process);
    let mut event = Event::new(kind, process, function(&operation.call), time);
    event.set_key(&operation.key);
    event
}

fn nemesis(event: &NemesisEvent) -> Event {
    let process = Process::Nemesis(event.process.clone());
    let mut line = Event::new(EventKind::Info, process, &event.function, event.time);
    line.value = (!event.value.is_null()).then(|| event.value.clone());
    line
}
