//! One line of a history, as it is in the file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The error of a conditional write whose condition did not hold.
pub(super) const MISMATCH: &str = "mismatch";

/// The condition of a put that the key must not exist.
pub(super) const ABSENT: &str = "absent";

/// Who caused an event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Process {
    /// A client.
    Client(u64),
    /// Something that does faults and repairs.
    Nemesis(String),
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EventKind {
    /// A call was sent.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen, or its condition did not hold.
    Fail,
    /// It is unknown whether it happened.
    Info,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: EventKind,
    pub(super) process: Process,
    #[serde(rename = "f")]
    pub(super) function: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) existed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) time: u64,
}

impl Event {
    /// An event without optional fields.
    pub(super) fn new(kind: EventKind, process: Process, function: &str, time: u64) -> Self {
        Self {
            kind,
            process,
            function: function.to_owned(),
            key: None,
            key_base64: None,
            value: None,
            value_base64: None,
            expected: None,
            revision: None,
            existed: None,
            error: None,
            time,
        }
    }

    /// Sets the key.
    pub(super) fn set_key(&mut self, key: &[u8]) {
        match std::str::from_utf8(key) {
            Ok(text) => self.key = Some(text.to_owned()),
            Err(_) => self.key_base64 = Some(STANDARD.encode(key)),
        }
    }

    /// Sets the value.
    pub(super) fn set_value(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.value = Some(Value::String(text.to_owned())),
            Err(_) => self.value_base64 = Some(STANDARD.encode(value)),
        }
    }

    /// The key, if there is one. The error is the field that is wrong.
    pub(super) fn key_bytes(&self) -> Result<Option<Vec<u8>>, &'static str> {
        bytes(self.key.as_deref(), self.key_base64.as_deref()).map_err(|()| "key")
    }

    /// The value, if there is one. The error is the field that is wrong.
    pub(super) fn value_bytes(&self) -> Result<Option<Vec<u8>>, &'static str> {
        let text = match &self.value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.as_str()),
            Some(_) => return Err("value"),
        };
        bytes(text, self.value_base64.as_deref()).map_err(|()| "value")
    }
}

fn bytes(text: Option<&str>, base64: Option<&str>) -> Result<Option<Vec<u8>>, ()> {
    match (text, base64) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(base64)) => STANDARD.decode(base64).map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}
