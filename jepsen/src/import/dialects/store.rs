//! Stores with revisions: `get`, `put`, `delete`, `put-if`, `delete-if`.

use crate::event::{Event, Problem, Value};
use crate::history::Call;
use crate::import::keys::is_mismatch;
use crate::import::options::ModelName;
use crate::import::register::unknown_function;
use crate::import::typed::Dialect;
use crate::store::{Expected, StoreAnswer, StoreCall};

/// Reads the events of a store.
pub(in crate::import) struct StoreDialect;

const EXPECTED_TEXT: &str = "a text, or bytes in value_base64";

fn bytes(value: &Value<'_>) -> Result<Vec<u8>, Problem> {
    match value {
        Value::Text(text) => Ok(text.to_vec()),
        other => Err(Problem::wrong("value", &other.to_edn(), EXPECTED_TEXT)),
    }
}

/// What a conditional write demands.
fn expected(event: &Event<'_>, may_be_absent: bool) -> Result<Expected, Problem> {
    let wanted = if may_be_absent { "a revision or \"absent\"" } else { "a revision" };
    let Some(value) = &event.expected else {
        return Err(Problem::MissingField { field: "expected", expected: wanted });
    };
    if may_be_absent && value.name() == Some(b"absent") {
        return Ok(Expected::Absent);
    }
    value
        .as_number()
        .map(Expected::Revision)
        .ok_or_else(|| Problem::wrong("expected", &value.to_edn(), wanted))
}

impl Dialect for StoreDialect {
    type Call = StoreCall;

    fn call(&self, event: &Event<'_>, value: &Value<'_>) -> Result<StoreCall, Problem> {
        match event.function.as_ref() {
            "get" => Ok(StoreCall::Get),
            "put" => Ok(StoreCall::Put { value: bytes(value)? }),
            "delete" => Ok(StoreCall::Delete),
            "put-if" => Ok(StoreCall::PutIf { expected: expected(event, true)?, value: bytes(value)? }),
            "delete-if" => match expected(event, false)? {
                Expected::Revision(revision) => Ok(StoreCall::DeleteIf { revision }),
                Expected::Absent => Err(Problem::wrong("expected", b"absent", "a revision")),
            },
            other => Err(unknown_function(other, ModelName::Store)),
        }
    }

    fn answer(
        &self,
        call: &StoreCall,
        event: &Event<'_>,
        value: &Value<'_>,
    ) -> Result<Option<StoreAnswer>, Problem> {
        let revision = || {
            let expected = "the revision of the value found or written";
            event.revision.ok_or(Problem::MissingField { field: "revision", expected })
        };
        let answer = match call {
            StoreCall::Get if value.is_nil() => match event.revision {
                None => StoreAnswer::Absent,
                Some(revision) => {
                    let expected = "none, since no value was found";
                    return Err(Problem::wrong("revision", revision.to_string().as_bytes(), expected));
                }
            },
            StoreCall::Get => StoreAnswer::Found { value: bytes(value)?, revision: revision()? },
            StoreCall::Put { .. } | StoreCall::PutIf { .. } => StoreAnswer::Written { revision: revision()? },
            StoreCall::Delete | StoreCall::DeleteIf { .. } => {
                StoreAnswer::Deleted { existed: event.existed, revision: event.revision }
            }
        };
        if call.fits(&answer) {
            return Ok(Some(answer));
        }
        Err(Problem::wrong("existed", b"false", "true, since a conditional delete removes what it names"))
    }

    fn refusal(&self, call: &StoreCall, event: &Event<'_>) -> Result<Option<StoreAnswer>, Problem> {
        if !is_mismatch(&event.error) {
            return Ok(None);
        }
        if call.fits(&StoreAnswer::Mismatch) {
            return Ok(Some(StoreAnswer::Mismatch));
        }
        Err(Problem::wrong("error", b"mismatch", "another error, since the call has no condition"))
    }
}
