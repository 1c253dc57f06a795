//! Reading events.

use std::io::{BufRead, BufReader, Read};

use super::event::JsonEvent;
use crate::event::{Problem, ReadError, Sink};
use crate::import::{Format, ImportOptions, ImportedHistory, ModelName, import};
use crate::store::StoreHistory;

/// Reads the history of a store.
///
/// # Errors
/// The first line that is wrong, and what was expected there.
pub fn read_jsonl(input: impl Read) -> Result<StoreHistory, ReadError> {
    let (format, model) = (Some(Format::JsonLines), Some(ModelName::Store));
    let import = import(input, &ImportOptions { format, model, ..ImportOptions::default() })?;
    match import.history {
        ImportedHistory::Store(typed) => Ok(typed.history),
        other => unreachable!("a store was asked for and a {} was read", other.model().name()),
    }
}

/// Reads the events of a history of any model and gives each to `sink`.
///
/// # Errors
/// The first line that is not an event or that `sink` refuses.
pub fn read_json_events(input: &mut dyn Read, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut input = BufReader::new(input);
    let mut text = Vec::new();
    for line in 1_u32.. {
        text.clear();
        let read = input.read_until(b'\n', &mut text).map_err(|error| Problem::from(error).at(line))?;
        if read == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let event = serde_json::from_slice::<JsonEvent>(&text).map_err(|error| not_an_event(&error));
        let mut event = event.and_then(JsonEvent::into_event).map_err(|problem| problem.at(line))?;
        event.line = line;
        sink(event).map_err(|problem| problem.at(line))?;
    }
    Ok(())
}

fn not_an_event(error: &serde_json::Error) -> Problem {
    if error.is_eof() {
        return Problem::Truncated { expected: "the end of its JSON object" };
    }
    // Each line is parsed alone, so the reader of JSON always thinks of line 1.
    Problem::NotAnEvent { reason: error.to_string().replace(" at line 1 column ", " at column ") }
}
