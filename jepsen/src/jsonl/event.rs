//! One line of a history, as it is in the file.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::event::{Event, EventKind, Problem, Process, Value};

/// Who caused an event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum JsonProcess {
    /// A client.
    Client(u64),
    /// Something that does faults and repairs.
    Nemesis(String),
}

/// What an event is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JsonKind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JsonEvent {
    #[serde(rename = "type")]
    kind: JsonKind,
    process: JsonProcess,
    #[serde(rename = "f")]
    function: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

impl JsonEvent {
    /// The line of an event.
    pub(super) fn new(event: &Event<'_>) -> Self {
        let (key, key_base64) = event.key.as_ref().map_or((None, None), json_or_base64);
        let (value, value_base64) = json_or_base64(&event.value);
        Self {
            kind: match event.kind {
                EventKind::Invoke => JsonKind::Invoke,
                EventKind::Ok => JsonKind::Ok,
                EventKind::Fail => JsonKind::Fail,
                EventKind::Info => JsonKind::Info,
            },
            process: match &event.process {
                Process::Client(number) => JsonProcess::Client(*number),
                Process::Nemesis(name) => JsonProcess::Nemesis(name.clone().into_owned()),
            },
            function: event.function.clone().into_owned(),
            key,
            key_base64,
            value,
            value_base64,
            expected: event.expected.as_ref().map(Value::to_json),
            revision: event.revision,
            existed: event.existed,
            error: (!event.error.is_nil()).then(|| event.error.to_json()),
            index: event.index,
            time: event.time,
        }
    }

    /// The event of a line.
    pub(super) fn into_event(self) -> Result<Event<'static>, Problem> {
        let kind = match self.kind {
            JsonKind::Invoke => EventKind::Invoke,
            JsonKind::Ok => EventKind::Ok,
            JsonKind::Fail => EventKind::Fail,
            JsonKind::Info => EventKind::Info,
        };
        let process = match self.process {
            JsonProcess::Client(number) => Process::Client(number),
            JsonProcess::Nemesis(name) => Process::Nemesis(Cow::Owned(name)),
        };
        let mut event = Event::new(kind, process, self.function);
        event.key = match value("key", self.key, self.key_base64)? {
            Value::Nil => None,
            key => Some(key),
        };
        event.value = value("value", self.value, self.value_base64)?;
        event.expected = self.expected.map(Value::from_json);
        event.revision = self.revision;
        event.existed = self.existed;
        event.error = self.error.map_or(Value::Nil, Value::from_json);
        event.index = self.index;
        event.time = self.time;
        Ok(event)
    }
}

/// A value, in base64 if it is not UTF-8.
fn json_or_base64(value: &Value<'_>) -> (Option<Json>, Option<String>) {
    match value {
        Value::Nil => (None, None),
        Value::Text(bytes) if std::str::from_utf8(bytes).is_err() => (None, Some(STANDARD.encode(bytes))),
        value => (Some(value.to_json()), None),
    }
}

fn value(field: &'static str, json: Option<Json>, base64: Option<String>) -> Result<Value<'static>, Problem> {
    match (json, base64) {
        (None, None) => Ok(Value::Nil),
        (Some(json), None) => Ok(Value::from_json(json)),
        (None, Some(base64)) => match STANDARD.decode(&base64) {
            Ok(bytes) => Ok(Value::Text(Cow::Owned(bytes))),
            Err(_) => Err(Problem::wrong(field, base64.as_bytes(), "base64")),
        },
        (Some(_), Some(base64)) => {
            Err(Problem::wrong(field, base64.as_bytes(), "either a value or its base64, not both"))
        }
    }
}
