//! Counters: `add`, `increment`, `decrement`, `read`.

use crate::event::{Event, Problem, Value};
use crate::import::options::{ModelName, NilRead};
use crate::import::register::unknown_function;
use crate::import::typed::Dialect;
use crate::model::{CounterAnswer, CounterCall};

/// Reads the events of a counter.
pub(in crate::import) struct CounterDialect {
    pub(in crate::import) nil_read: NilRead,
}

fn integer(value: &Value<'_>) -> Result<i64, Problem> {
    value.as_integer().ok_or_else(|| Problem::wrong("value", &value.to_edn(), "an integer of 64 bits"))
}

impl Dialect for CounterDialect {
    type Call = CounterCall;

    fn call(&self, event: &Event<'_>, value: &Value<'_>) -> Result<CounterCall, Problem> {
        let amount = || if value.is_nil() { Ok(1) } else { integer(value) };
        match event.function.as_ref() {
            "read" => Ok(CounterCall::Read),
            "add" => integer(value).map(CounterCall::Add),
            "increment" | "inc" => amount().map(CounterCall::Add),
            "decrement" | "dec" => amount().map(|amount| CounterCall::Add(amount.saturating_neg())),
            other => Err(unknown_function(other, ModelName::Counter)),
        }
    }

    fn answer(
        &self,
        call: &CounterCall,
        _event: &Event<'_>,
        value: &Value<'_>,
    ) -> Result<Option<CounterAnswer>, Problem> {
        match (call, value) {
            (CounterCall::Add(_), _) => Ok(Some(CounterAnswer::Done)),
            (CounterCall::Read, Value::Nil) if self.nil_read == NilRead::Unknown => Ok(None),
            (CounterCall::Read, Value::Nil) => Ok(Some(CounterAnswer::Value(0))),
            (CounterCall::Read, value) => integer(value).map(|number| Some(CounterAnswer::Value(number))),
        }
    }
}
