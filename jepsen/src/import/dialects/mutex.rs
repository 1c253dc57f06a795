//! Locks: `acquire`, `release`.

use crate::event::{Event, Problem, Value};
use crate::import::options::ModelName;
use crate::import::register::unknown_function;
use crate::import::typed::Dialect;
use crate::model::{MutexAnswer, MutexCall};

/// Reads the events of a lock.
pub(in crate::import) struct MutexDialect;

impl Dialect for MutexDialect {
    type Call = MutexCall;

    fn call(&self, event: &Event<'_>, _value: &Value<'_>) -> Result<MutexCall, Problem> {
        match event.function.as_ref() {
            "acquire" | "lock" => Ok(MutexCall::Acquire),
            "release" | "unlock" => Ok(MutexCall::Release),
            other => Err(unknown_function(other, ModelName::Mutex)),
        }
    }

    fn answer(
        &self,
        _call: &MutexCall,
        _event: &Event<'_>,
        _value: &Value<'_>,
    ) -> Result<Option<MutexAnswer>, Problem> {
        Ok(Some(MutexAnswer))
    }
}
