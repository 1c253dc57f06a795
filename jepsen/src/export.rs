//! From histories back to events, which can then be written in any format.
//!
//! Events come in the order of time, and at one time in the order of recording. What was read from these
//! events again is the same history.

mod register;
mod store;
mod transactions;

use std::io;

pub use register::{KeyPlace, register_events};
pub use store::store_events;
pub use transactions::transaction_events;

use crate::event::{Event, EventKind, Process, Value};
use crate::history::NemesisEvent;

/// What takes events. Its error ends the export.
pub type EventSink<'s> = dyn FnMut(&Event<'_>) -> io::Result<()> + 's;

/// One event of a history, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Invocation(usize),
    Completion(usize),
    Nemesis(usize),
}

/// The places of all events in order, given when each operation begins and ends.
fn ordered(operations: impl Iterator<Item = (u64, Option<u64>)>, nemesis: &[NemesisEvent]) -> Vec<Place> {
    let mut events = Vec::new();
    for (index, (invoked, completed)) in operations.enumerate() {
        events.push((invoked, Place::Invocation(index)));
        events.extend(completed.map(|completed| (completed, Place::Completion(index))));
    }
    events.extend(nemesis.iter().enumerate().map(|(index, event)| (event.time, Place::Nemesis(index))));
    // The sort is stable: an operation that begins when the same process's last one ends stays after it.
    events.sort_by_key(|(time, _)| *time);
    events.into_iter().map(|(_, place)| place).collect()
}

fn nemesis_event(event: &NemesisEvent) -> Event<'_> {
    let process = Process::Nemesis(event.process.as_str().into());
    let mut line = Event::new(EventKind::Info, process, event.function.as_str());
    line.value = Value::from_json(event.value.clone());
    line.time = Some(event.time);
    line
}

/// A text of a history as a value: a number if it is written like one.
fn value_of(label: &[u8]) -> Value<'_> {
    let is_number = std::str::from_utf8(label)
        .is_ok_and(|text| text.parse::<i64>().is_ok_and(|number| number.to_string() == text));
    if is_number { Value::Word(label.into()) } else { Value::Text(label.into()) }
}
