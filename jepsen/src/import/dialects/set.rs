//! Sets: `add`, `remove`, `read`.

use std::collections::BTreeSet;

use crate::event::{Event, Problem, Value};
use crate::import::options::{ModelName, NilRead};
use crate::import::register::unknown_function;
use crate::import::typed::Dialect;
use crate::model::{SetAnswer, SetCall};

/// Reads the events of a set.
pub(in crate::import) struct SetDialect {
    pub(in crate::import) nil_read: NilRead,
}

fn element(value: &Value<'_>) -> Result<Vec<u8>, Problem> {
    match value {
        Value::Nil => Err(Problem::wrong("value", b"nil", "an element of the set")),
        value => Ok(value.label().into_owned()),
    }
}

impl Dialect for SetDialect {
    type Call = SetCall;

    fn call(&self, event: &Event<'_>, value: &Value<'_>) -> Result<SetCall, Problem> {
        match event.function.as_ref() {
            "read" => Ok(SetCall::Read),
            "add" => element(value).map(SetCall::Add),
            "remove" => element(value).map(SetCall::Remove),
            other => Err(unknown_function(other, ModelName::Set)),
        }
    }

    fn answer(
        &self,
        call: &SetCall,
        _event: &Event<'_>,
        value: &Value<'_>,
    ) -> Result<Option<SetAnswer>, Problem> {
        match (call, value) {
            (SetCall::Add(_) | SetCall::Remove(_), _) => Ok(Some(SetAnswer::Done)),
            (SetCall::Read, Value::Nil) if self.nil_read == NilRead::Unknown => Ok(None),
            (SetCall::Read, Value::Nil) => Ok(Some(SetAnswer::Elements(BTreeSet::new()))),
            (SetCall::Read, value) => {
                let wrong = || Problem::wrong("value", &value.to_edn(), "a set, a vector or a list");
                let elements = value.elements().ok_or_else(wrong)?;
                let elements: BTreeSet<_> = elements.iter().map(element).collect::<Result<_, _>>()?;
                Ok(Some(SetAnswer::Elements(elements)))
            }
        }
    }
}
