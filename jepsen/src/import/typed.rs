//! Histories of every model that the general search checks.

use super::keys::{Keys, same_key};
use super::recorder::Recorder;
use crate::event::{Event, EventKind, Problem, Value};
use crate::history::{Call, History, NemesisEvent, OperationIndex};

/// The lines on which an operation begins and ends; 0 if it does not end.
pub type Lines = (u32, u32);

/// How one model reads its calls and answers.
pub(super) trait Dialect {
    /// The calls of the model.
    type Call: Call;

    /// The call that an event invokes. `value` is its value without the key.
    fn call(&self, event: &Event<'_>, value: &Value<'_>) -> Result<Self::Call, Problem>;

    /// The answer to `call` in an event that is ok; none if it says nothing.
    fn answer(
        &self,
        call: &Self::Call,
        event: &Event<'_>,
        value: &Value<'_>,
    ) -> Result<Option<<Self::Call as Call>::Answer>, Problem>;

    /// What an operation saw that failed; none if it just did not happen.
    fn refusal(
        &self,
        _call: &Self::Call,
        _event: &Event<'_>,
    ) -> Result<Option<<Self::Call as Call>::Answer>, Problem> {
        Ok(None)
    }
}

/// Fills a [`History`].
pub(super) struct TypedRecorder<D: Dialect> {
    dialect: D,
    keys: Keys,
    history: History<D::Call>,
    lines: Vec<Lines>,
}

impl<D: Dialect> TypedRecorder<D> {
    pub(super) fn new(dialect: D, keys: Keys) -> Self {
        Self { dialect, keys, history: History::new(), lines: Vec::new() }
    }

    pub(super) fn into_history(self) -> (History<D::Call>, Vec<Lines>) {
        (self.history, self.lines)
    }
}

impl<D: Dialect> Recorder for TypedRecorder<D> {
    type Open = (OperationIndex, String);

    fn invoke(&mut self, event: &Event<'_>, process: u64, time: u64) -> Result<Self::Open, Problem> {
        let (key, value) = self.keys.split(event)?;
        let call = self.dialect.call(event, value)?;
        let operation = self.history.invoke(process, key.as_deref().unwrap_or_default(), call, time);
        self.lines.push((event.line, 0));
        Ok((operation, event.function.to_string()))
    }

    fn complete(&mut self, open: Self::Open, event: &Event<'_>, time: u64) -> Result<(), Problem> {
        let (index, function) = open;
        if event.function != function {
            let found = event.function.as_bytes();
            return Err(Problem::wrong("function", found, "the function of the invocation"));
        }
        let (key, value) = self.keys.split(event)?;
        let operation = &self.history.operations()[index];
        same_key(&operation.key, key)?;
        let call = &operation.call;
        let answer = match event.kind {
            EventKind::Ok => self.dialect.answer(call, event, value)?,
            EventKind::Fail => self.dialect.refusal(call, event)?,
            EventKind::Info | EventKind::Invoke => None,
        };
        self.lines[index].1 = event.line;
        match (answer, event.kind) {
            (Some(answer), _) if call.fits(&answer) => self.history.ok(index, answer, time),
            (Some(_), _) => {
                let expected = format!("an answer to a {call}");
                return Err(Problem::wrong("value", &event.value.to_edn(), expected));
            }
            (None, EventKind::Fail) => self.history.failed(index, time),
            (None, _) => self.history.unknown(index, time),
        }
        Ok(())
    }

    fn nemesis(&mut self, event: NemesisEvent) {
        self.history.record_nemesis(event);
    }
}
