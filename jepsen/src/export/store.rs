//! Histories of our store as events.

use std::io;

use super::{EventSink, Place, nemesis_event, ordered};
use crate::event::{Event, EventKind, Process, Value};
use crate::history::{Operation, Outcome};
use crate::store::{Expected, StoreAnswer, StoreCall, StoreHistory};

/// Gives the events of a history to `sink`.
///
/// # Errors
/// What `sink` says.
pub fn store_events(history: &StoreHistory, sink: &mut EventSink<'_>) -> io::Result<()> {
    let operations = history.operations();
    let times = operations.iter().map(|operation| (operation.invoked, operation.completed));
    for place in ordered(times, history.nemesis()) {
        match place {
            Place::Invocation(index) => sink(&invocation(&operations[index]))?,
            Place::Completion(index) => sink(&completion(&operations[index]))?,
            Place::Nemesis(index) => sink(&nemesis_event(&history.nemesis()[index]))?,
        }
    }
    Ok(())
}

/// The name of a call in a file.
fn function(call: &StoreCall) -> &'static str {
    match call {
        StoreCall::Get => "get",
        StoreCall::Put { .. } => "put",
        StoreCall::Delete => "delete",
        StoreCall::PutIf { .. } => "put-if",
        StoreCall::DeleteIf { .. } => "delete-if",
    }
}

fn event(kind: EventKind, operation: &Operation<StoreCall>, time: Option<u64>) -> Event<'_> {
    let mut event = Event::new(kind, Process::Client(operation.process), function(&operation.call));
    event.key = Some(Value::Text(operation.key.as_slice().into()));
    event.time = time;
    event
}

fn revision(number: u64) -> Value<'static> {
    Value::Word(number.to_string().into_bytes().into())
}

fn invocation(operation: &Operation<StoreCall>) -> Event<'_> {
    let mut event = event(EventKind::Invoke, operation, Some(operation.invoked));
    match &operation.call {
        StoreCall::Get | StoreCall::Delete => {}
        StoreCall::Put { value } => event.value = Value::Text(value.as_slice().into()),
        StoreCall::PutIf { expected, value } => {
            event.value = Value::Text(value.as_slice().into());
            event.expected = Some(match expected {
                Expected::Absent => Value::text("absent"),
                Expected::Revision(number) => revision(*number),
            });
        }
        StoreCall::DeleteIf { revision: number } => event.expected = Some(revision(*number)),
    }
    event
}

fn completion(operation: &Operation<StoreCall>) -> Event<'_> {
    let kind = match operation.outcome {
        Outcome::Failed | Outcome::Ok(StoreAnswer::Mismatch) => EventKind::Fail,
        Outcome::Unknown => EventKind::Info,
        Outcome::Ok(_) => EventKind::Ok,
    };
    let mut event = event(kind, operation, operation.completed);
    match operation.answer() {
        Some(StoreAnswer::Found { value, revision }) => {
            event.value = Value::Text(value.as_slice().into());
            event.revision = Some(*revision);
        }
        Some(StoreAnswer::Written { revision }) => event.revision = Some(*revision),
        Some(StoreAnswer::Deleted { existed, revision }) => {
            event.existed = *existed;
            event.revision = *revision;
        }
        Some(StoreAnswer::Mismatch) => event.error = Value::Word(b":mismatch".into()),
        Some(StoreAnswer::Absent) | None => {}
    }
    event
}
