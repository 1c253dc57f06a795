//! Where the key of an event stands: in a field of its own, or in front of its value.

use std::borrow::Cow;

use crate::event::{Event, EventKind, Problem, Value};

const NIL: Value<'static> = Value::Nil;

/// What a keyed value looks like.
const KEYED: &str = "a pair of key and value, since the history is keyed";

/// A key, if the event has one, and the value without it.
type Split<'e> = (Option<Cow<'e, [u8]>>, &'e Value<'e>);

/// How keys are found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// Whether values are pairs of key and value.
    pub(super) keyed: bool,
}

impl Keys {
    /// The key of an event and its value. Without any key all events are on the key that is empty.
    ///
    /// Completions that are not ok may carry anything, and may carry no key.
    pub(super) fn split<'e>(self, event: &'e Event<'_>) -> Result<Split<'e>, Problem> {
        if let Some(key) = &event.key {
            return Ok((Some(key.label()), &event.value));
        }
        if !self.keyed {
            return Ok((None, &event.value));
        }
        match event.value.pair() {
            Some((key, value)) => Ok((Some(key.label()), value)),
            None if event.kind == EventKind::Invoke || event.kind == EventKind::Ok => {
                Err(Problem::wrong("value", &event.value.to_edn(), KEYED))
            }
            None => Ok((None, &NIL)),
        }
    }
}

/// Checks that a completion repeats the key of its invocation, if it has one.
pub(super) fn same_key(invoked: &[u8], completed: Option<Cow<'_, [u8]>>) -> Result<(), Problem> {
    match completed {
        Some(key) if key.as_ref() != invoked => {
            let expected = format!("{}, as in the invocation", crate::event::excerpt(invoked));
            Err(Problem::wrong("key", &key, expected))
        }
        _ => Ok(()),
    }
}

/// Whether a failed operation says that another value was there.
pub(super) fn is_mismatch(error: &Value<'_>) -> bool {
    error.name() == Some(b"mismatch")
}

/// Whether an operation failed because it took too long, which says nothing about values.
pub(super) fn is_timeout(value: &Value<'_>) -> bool {
    matches!(value.name(), Some(b"timed-out" | b"timeout"))
}
