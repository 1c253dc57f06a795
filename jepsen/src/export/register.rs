//! Histories of registers as events.

use std::io;

use super::{EventSink, Place, nemesis_event, ordered, value_of};
use crate::event::{Event, EventKind, Process, Value};
use crate::register::{Ending, RegisterHistory, RegisterOperation, Request, ValueId};

/// Where the key of an operation stands in its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a field of its own.
    Field,
    /// In front of the value, as `jepsen.independent` has it.
    Pair,
    /// Nowhere: right for a history of one key whose name says nothing.
    Nowhere,
}

/// Gives the events of a history to `sink`.
///
/// # Errors
/// What `sink` says.
pub fn register_events(
    history: &RegisterHistory,
    key_place: KeyPlace,
    sink: &mut EventSink<'_>,
) -> io::Result<()> {
    let times = history.operations().map(|operation| (operation.invoked, operation.completed));
    for place in ordered(times, history.nemesis()) {
        let (index, is_end) = match place {
            Place::Invocation(index) => (index, false),
            Place::Completion(index) => (index, true),
            Place::Nemesis(index) => {
                sink(&nemesis_event(&history.nemesis()[index]))?;
                continue;
            }
        };
        let index = u32::try_from(index).expect("a history has fewer than 2^32 operations");
        let operation = history.operation(index);
        let mut event = event(history, &operation, is_end);
        let key = history.key_name(operation.key);
        match key_place {
            KeyPlace::Field => event.key = Some(value_of(key)),
            KeyPlace::Pair => event.value = Value::List(vec![value_of(key), event.value]),
            KeyPlace::Nowhere => {}
        }
        sink(&event)?;
    }
    Ok(())
}

fn event<'h>(history: &'h RegisterHistory, operation: &RegisterOperation, is_end: bool) -> Event<'h> {
    let value = |id: ValueId| history.value_text(id).map_or(Value::Nil, value_of);
    let (function, asked) = match operation.request {
        Request::Read => ("read", Value::Nil),
        Request::Write(written) => ("write", value(written)),
        Request::CompareAndSet { expected, new } => ("cas", Value::List(vec![value(expected), value(new)])),
    };
    let (kind, shown) = match operation.ending {
        _ if !is_end => (EventKind::Invoke, asked),
        Ending::Value(read) => (EventKind::Ok, value(read)),
        Ending::Done => (EventKind::Ok, asked),
        Ending::Refused | Ending::Failed => (EventKind::Fail, asked),
        Ending::Unknown => (EventKind::Info, asked),
    };
    let mut event = Event::new(kind, Process::Client(operation.process), function);
    event.value = shown;
    if is_end && operation.ending == Ending::Refused {
        event.error = Value::Word(b":mismatch".into());
    }
    event.time = if is_end { operation.completed } else { Some(operation.invoked) };
    event
}
