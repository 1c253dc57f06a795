//! Writing events.

use std::io::{self, Write};

use super::event::JsonEvent;
use crate::event::Event;
use crate::export::store_events;
use crate::store::StoreHistory;

/// Writes the history of a store in the order of time, and at one time in the order of recording.
///
/// # Errors
/// What `output` says.
pub fn write_jsonl(history: &StoreHistory, mut output: impl Write) -> io::Result<()> {
    store_events(history, &mut |event| write_json_event(event, &mut output))
}

/// Writes one event as one line.
///
/// # Errors
/// What `output` says.
pub fn write_json_event(event: &Event<'_>, output: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, &JsonEvent::new(event))?;
    output.write_all(b"\n")
}
