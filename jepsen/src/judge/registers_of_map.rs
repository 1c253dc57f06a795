//! Maps that are registers: without appends, a key is a register that a delete sets back.

use crate::history::Outcome;
use crate::import::Typed;
use crate::model::{KeyValueAnswer, KeyValueCall};
use crate::register::{Ending, KeyId, RegisterHistory, Request, ValueId};

/// The same history as registers; none if somebody appends, which no register can do.
pub(super) fn registers_of_map(typed: &Typed<KeyValueCall>) -> Option<RegisterHistory> {
    let operations = typed.history.operations();
    if operations.iter().any(|operation| matches!(operation.call, KeyValueCall::Append(_))) {
        return None;
    }
    let mut registers = RegisterHistory::new();
    let value = |registers: &mut RegisterHistory, key: KeyId, text: &Option<Vec<u8>>| match text {
        None => ValueId::INITIAL,
        Some(text) => registers.value(key, text),
    };
    for (operation, (begin, end)) in operations.iter().zip(&typed.lines) {
        let key = registers.key(&operation.key);
        let request = match &operation.call {
            KeyValueCall::Get => Request::Read,
            KeyValueCall::Put(text) => Request::Write(registers.value(key, text)),
            KeyValueCall::Append(_) => return None,
            KeyValueCall::Delete => Request::Write(ValueId::INITIAL),
            KeyValueCall::CompareAndSet { expected, new } => Request::CompareAndSet {
                expected: value(&mut registers, key, expected),
                new: registers.value(key, new),
            },
        };
        let ending = match &operation.outcome {
            Outcome::Ok(KeyValueAnswer::Value(text)) => Ending::Value(value(&mut registers, key, text)),
            Outcome::Ok(KeyValueAnswer::Done) => Ending::Done,
            Outcome::Ok(KeyValueAnswer::Mismatch) => Ending::Refused,
            Outcome::Failed => Ending::Failed,
            Outcome::Unknown => Ending::Unknown,
        };
        let id = registers.invoke(operation.process, key, request, operation.invoked, *begin);
        if let Some(completed) = operation.completed {
            registers.complete(id, ending, completed, *end);
        }
    }
    typed.history.nemesis().iter().for_each(|event| registers.record_nemesis(event.clone()));
    Some(registers)
}
