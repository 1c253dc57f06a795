//! Histories of registers: `read`, `write`, `cas`.

use super::keys::{Keys, is_mismatch, is_timeout, same_key};
use super::options::{FailedCas, Format, ImportOptions, ModelName, NilRead};
use super::recorder::Recorder;
use crate::event::{Event, EventKind, Problem, Value};
use crate::history::NemesisEvent;
use crate::register::{Ending, KeyId, OperationId, RegisterHistory, Request, ValueId};

/// Fills a [`RegisterHistory`].
pub(super) struct RegisterRecorder {
    history: RegisterHistory,
    keys: Keys,
    failed_cas: FailedCas,
    nil_read: NilRead,
}

/// The functions of a register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    CompareAndSet,
}

impl Function {
    fn of(event: &Event<'_>) -> Result<Self, Problem> {
        match event.function.as_ref() {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "cas" => Ok(Self::CompareAndSet),
            other => Err(unknown_function(other, ModelName::Register)),
        }
    }

    fn of_request(request: Request) -> Self {
        match request {
            Request::Read => Self::Read,
            Request::Write(_) => Self::Write,
            Request::CompareAndSet { .. } => Self::CompareAndSet,
        }
    }
}

/// The error of an event whose function the model does not have.
pub(super) fn unknown_function(found: &str, model: ModelName) -> Problem {
    let found = crate::event::excerpt(found.as_bytes());
    Problem::UnknownFunction { found, model: model.name(), functions: model.functions() }
}

impl RegisterRecorder {
    pub(super) fn new(format: Format, keys: Keys, options: &ImportOptions) -> Self {
        let history = match &options.initial {
            Some(value) => RegisterHistory::with_initial(value.as_bytes()),
            None => RegisterHistory::new(),
        };
        let failed_cas = match (options.failed_cas, format) {
            (FailedCas::AsMarked, Format::EtcdLog) => FailedCas::Strict,
            (other, _) => other,
        };
        Self { history, keys, failed_cas, nil_read: options.nil_read }
    }

    pub(super) fn into_history(self) -> RegisterHistory {
        self.history
    }

    fn value(&mut self, key: KeyId, value: &Value<'_>) -> ValueId {
        match value {
            Value::Nil => ValueId::INITIAL,
            value => self.history.value(key, &value.label()),
        }
    }

    /// Whether `value` is what `id` stands for.
    fn is(&self, id: ValueId, value: &Value<'_>) -> bool {
        match value {
            Value::Nil => id == ValueId::INITIAL,
            value => self.history.value_text(id) == Some(&value.label()),
        }
    }

    /// Checks that an answer repeats what was asked, if it says anything.
    fn check_repeats(&self, request: Request, value: &Value<'_>) -> Result<(), Problem> {
        let repeats = match (request, value) {
            (_, Value::Nil) => true,
            (Request::Read, _) => true,
            (Request::Write(written), value) => self.is(written, value),
            // What was expected may stand in a field of its own.
            (Request::CompareAndSet { expected, new }, value) => {
                self.is(new, value)
                    || value.pair().is_some_and(|(old, next)| self.is(expected, old) && self.is(new, next))
            }
        };
        if repeats {
            return Ok(());
        }
        Err(Problem::wrong("value", &value.to_edn(), "the value of the invocation"))
    }

    /// Whether a failed compare-and-set saw another value.
    fn is_refusal(&self, event: &Event<'_>) -> bool {
        match self.failed_cas {
            FailedCas::Dropped => false,
            FailedCas::AsMarked => is_mismatch(&event.error),
            FailedCas::Strict => {
                is_mismatch(&event.error) || (event.error.is_nil() && !is_timeout(&event.value))
            }
        }
    }
}

impl Recorder for RegisterRecorder {
    type Open = OperationId;

    fn invoke(&mut self, event: &Event<'_>, process: u64, time: u64) -> Result<OperationId, Problem> {
        let function = Function::of(event)?;
        let (key, value) = self.keys.split(event)?;
        let key = self.history.key(key.as_deref().unwrap_or_default());
        let request = match function {
            Function::Read => Request::Read,
            Function::Write => Request::Write(self.value(key, value)),
            Function::CompareAndSet => {
                let pair = event.expected.as_ref().map(|expected| (expected, value)).or_else(|| value.pair());
                let (expected, new) = pair.ok_or_else(|| {
                    Problem::wrong("value", &value.to_edn(), "[old new], the values of a compare-and-set")
                })?;
                Request::CompareAndSet { expected: self.value(key, expected), new: self.value(key, new) }
            }
        };
        Ok(self.history.invoke(process, key, request, time, event.line))
    }

    fn complete(&mut self, open: OperationId, event: &Event<'_>, time: u64) -> Result<(), Problem> {
        let operation = self.history.operation(open);
        let request = operation.request;
        if Function::of(event)? != Function::of_request(request) {
            let found = event.function.as_bytes();
            return Err(Problem::wrong("function", found, "the function of the invocation"));
        }
        let (key, value) = self.keys.split(event)?;
        same_key(self.history.key_name(operation.key), key)?;
        let ending = match event.kind {
            EventKind::Ok if request == Request::Read => match value {
                Value::Nil if self.nil_read == NilRead::Unknown => Ending::Unknown,
                value => Ending::Value(self.value(operation.key, value)),
            },
            EventKind::Ok => {
                self.check_repeats(request, value)?;
                Ending::Done
            }
            EventKind::Fail if matches!(request, Request::CompareAndSet { .. }) && self.is_refusal(event) => {
                Ending::Refused
            }
            EventKind::Fail => Ending::Failed,
            EventKind::Info | EventKind::Invoke => Ending::Unknown,
        };
        self.history.complete(open, ending, time, event.line);
        Ok(())
    }

    fn nemesis(&mut self, event: NemesisEvent) {
        self.history.record_nemesis(event);
    }
}
