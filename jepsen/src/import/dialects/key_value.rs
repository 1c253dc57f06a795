//! Maps of keys to texts: `get`, `put`, `append`, `delete`, `cas`.

use crate::event::{Event, Problem, Value};
use crate::import::keys::is_mismatch;
use crate::import::options::{FailedCas, ModelName, NilRead};
use crate::import::register::unknown_function;
use crate::import::typed::Dialect;
use crate::model::{KeyValueAnswer, KeyValueCall};

/// Reads the events of a map.
pub(in crate::import) struct KeyValueDialect {
    pub(in crate::import) failed_cas: FailedCas,
    pub(in crate::import) nil_read: NilRead,
    /// Whether the empty text and an absent key are the same.
    pub(in crate::import) is_empty_absent: bool,
}

impl KeyValueDialect {
    /// The text; none if the key is absent.
    fn text(&self, value: &Value<'_>) -> Option<Vec<u8>> {
        match value {
            Value::Nil => None,
            Value::Text(text) if text.is_empty() && self.is_empty_absent => None,
            value => Some(value.label().into_owned()),
        }
    }

    fn needed_text(&self, value: &Value<'_>) -> Result<Vec<u8>, Problem> {
        match value {
            Value::Nil => Err(Problem::wrong("value", b"nil", "a text")),
            value => Ok(value.label().into_owned()),
        }
    }
}

impl Dialect for KeyValueDialect {
    type Call = KeyValueCall;

    fn call(&self, event: &Event<'_>, value: &Value<'_>) -> Result<KeyValueCall, Problem> {
        match event.function.as_ref() {
            "get" => Ok(KeyValueCall::Get),
            "put" => match self.text(value) {
                None if self.is_empty_absent && !value.is_nil() => Ok(KeyValueCall::Delete),
                _ => self.needed_text(value).map(KeyValueCall::Put),
            },
            "append" => self.needed_text(value).map(KeyValueCall::Append),
            "delete" => Ok(KeyValueCall::Delete),
            "cas" => {
                let pair = event.expected.as_ref().map(|expected| (expected, value)).or_else(|| value.pair());
                let (expected, new) = pair.ok_or_else(|| {
                    Problem::wrong("value", &value.to_edn(), "[old new], the values of a compare-and-set")
                })?;
                let new = self.needed_text(new)?;
                Ok(KeyValueCall::CompareAndSet { expected: self.text(expected), new })
            }
            other => Err(unknown_function(other, ModelName::KeyValue)),
        }
    }

    fn answer(
        &self,
        call: &KeyValueCall,
        _event: &Event<'_>,
        value: &Value<'_>,
    ) -> Result<Option<KeyValueAnswer>, Problem> {
        match (call, value) {
            (KeyValueCall::Get, Value::Nil) if self.nil_read == NilRead::Unknown => Ok(None),
            (KeyValueCall::Get, value) => Ok(Some(KeyValueAnswer::Value(self.text(value)))),
            _ => Ok(Some(KeyValueAnswer::Done)),
        }
    }

    fn refusal(&self, call: &KeyValueCall, event: &Event<'_>) -> Result<Option<KeyValueAnswer>, Problem> {
        let is_refusal = match self.failed_cas {
            FailedCas::Dropped => false,
            FailedCas::AsMarked => is_mismatch(&event.error),
            FailedCas::Strict => is_mismatch(&event.error) || event.error.is_nil(),
        };
        let is_cas = matches!(call, KeyValueCall::CompareAndSet { .. });
        Ok((is_cas && is_refusal).then_some(KeyValueAnswer::Mismatch))
    }
}
