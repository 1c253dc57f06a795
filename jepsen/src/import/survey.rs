//! Recognising a history: its format by its first bytes, its model by the functions of its first events.

use std::collections::BTreeSet;

use super::options::{Format, Keyed, ModelName};
use super::recorder::read_events;
use crate::event::{Event, EventKind, Problem, Process, Value, excerpt};

/// What the first events of a file have in common.
#[derive(Default)]
pub(super) struct Survey {
    functions: BTreeSet<String>,
    /// A read was invoked with a pair whose second is nil, or a compare-and-set with a pair in a pair.
    is_keyed: bool,
    /// A read was answered with a collection.
    reads_collections: bool,
    /// An answer carried a revision.
    has_revisions: bool,
    /// Some client event has its key in a field of its own.
    has_key_field: bool,
    has_times: bool,
}

/// The format of a file that begins with `head`.
pub(super) fn recognise_format(head: &[u8]) -> Result<Format, Problem> {
    let mut rest = head.trim_ascii_start();
    while let Some(b';') = rest.first() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        rest = rest[end..].trim_ascii_start();
    }
    match rest {
        [] => Err(Problem::Empty),
        [b'{', inside @ ..] => match inside.trim_ascii_start() {
            [b'"', ..] => Ok(Format::JsonLines),
            _ => Ok(Format::Edn),
        },
        [b'[', inside @ ..] if inside.trim_ascii_start().starts_with(b"{\"") => {
            let expected = "JSON objects one a line, without brackets around them";
            Err(Problem::syntax(rest, expected))
        }
        [b'[' | b'(' | b'#', ..] => Ok(Format::Edn),
        _ if rest.starts_with(b"INFO") => Ok(Format::EtcdLog),
        _ => Err(Problem::UnknownFormat { found: excerpt(rest) }),
    }
}

impl Survey {
    /// Surveys the beginning of a file. What is wrong with it is found again when it is read in full.
    pub(super) fn of(head: &[u8], format: Format) -> Self {
        let mut survey = Self::default();
        let mut input = head;
        // The head may end inside an event, and what comes before says enough.
        let _unread = read_events(&mut input, format, &mut |event: Event<'_>| {
            survey.event(&event);
            Ok(())
        });
        survey
    }

    fn event(&mut self, event: &Event<'_>) {
        if !matches!(event.process, Process::Client(_)) {
            return;
        }
        if !self.functions.contains(event.function.as_ref()) {
            self.functions.insert(event.function.to_string());
        }
        self.has_times |= event.time.is_some() || event.index.is_some();
        self.has_key_field |= event.key.is_some();
        self.has_revisions |= event.revision.is_some();
        let pair = event.value.pair();
        match (event.kind, event.function.as_ref()) {
            (EventKind::Invoke, "read" | "get") => {
                self.is_keyed |= pair.is_some_and(|(_, value)| value.is_nil());
            }
            (EventKind::Invoke, "cas") => {
                self.is_keyed |= pair.is_some_and(|(_, value)| value.pair().is_some());
            }
            (EventKind::Ok, "read") => {
                let value = pair.filter(|_| self.is_keyed).map_or(&event.value, |(_, value)| value);
                self.reads_collections |= matches!(value, Value::List(_) | Value::Set(_));
            }
            _ => {}
        }
    }

    /// Whether values are pairs of key and value.
    pub(super) fn is_keyed(&self, option: Keyed) -> bool {
        match option {
            Keyed::Recognised => self.is_keyed,
            Keyed::Yes => true,
            Keyed::No => false,
        }
    }

    /// Whether EDN is of the kind that Porcupine publishes.
    pub(super) fn is_kv_log(&self) -> bool {
        let calls = ["get", "put", "append"];
        !self.has_times
            && self.has_key_field
            && self.functions.iter().all(|function| calls.contains(&function.as_str()))
    }

    /// The model that has these functions.
    pub(super) fn model(&self) -> Result<ModelName, Problem> {
        let has = |names: &[&str]| names.iter().any(|name| self.functions.contains(*name));
        if has(&["txn"]) {
            Ok(ModelName::Transactions)
        } else if has(&["acquire", "release", "lock", "unlock"]) {
            Ok(ModelName::Mutex)
        } else if has(&["put-if", "delete-if"]) || (has(&["put", "get"]) && self.has_revisions) {
            Ok(ModelName::Store)
        } else if has(&["get", "put", "append", "delete"]) {
            Ok(ModelName::KeyValue)
        } else if has(&["increment", "decrement", "inc", "dec"]) {
            Ok(ModelName::Counter)
        } else if has(&["add", "remove"]) {
            let is_set = self.reads_collections || has(&["remove"]);
            Ok(if is_set { ModelName::Set } else { ModelName::Counter })
        } else if has(&["read", "write", "cas"]) {
            Ok(ModelName::Register)
        } else {
            match self.functions.first() {
                Some(function) => Err(Problem::UnknownModel { found: excerpt(function.as_bytes()) }),
                None => Err(Problem::Empty),
            }
        }
    }
}
