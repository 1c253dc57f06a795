//! Histories of transactions in Elle's forms: `txn` with `[[:append k v] [:r k [v]] [:w k v]]`.

use std::borrow::Cow;

use super::options::ModelName;
use super::recorder::Recorder;
use super::register::unknown_function;
use crate::event::{Event, EventKind, Problem, Value};
use crate::history::NemesisEvent;
use crate::transactions::{Seen, Step, StepMismatch, TransactionHistory, TransactionIndex};

const STEPS: &str = "a vector of steps [:r k v], [:append k v] or [:w k v]";

/// Fills a [`TransactionHistory`].
#[derive(Default)]
pub(super) struct TransactionRecorder {
    history: TransactionHistory,
}

/// The name of a key or the text of a value.
fn text<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value.label() {
        Cow::Borrowed(label) => String::from_utf8_lossy(label),
        Cow::Owned(label) => Cow::Owned(String::from_utf8_lossy(&label).into_owned()),
    }
}

impl TransactionRecorder {
    pub(super) fn into_history(self) -> TransactionHistory {
        self.history
    }

    /// The steps of an event. What reads saw is only known if it is ok.
    fn steps(&mut self, event: &Event<'_>) -> Result<Vec<Step>, Problem> {
        if event.function != "txn" {
            return Err(unknown_function(&event.function, ModelName::Transactions));
        }
        let wrong = |found: &Value<'_>| Problem::wrong("value", &found.to_edn(), STEPS);
        let steps = event.value.elements().ok_or_else(|| wrong(&event.value))?;
        let step = |step: &Value<'_>| {
            let Some([function, key, value]) = step.elements() else { return Err(wrong(step)) };
            let key = self.history.key(&text(key));
            match function.name() {
                Some(b"r" | b"read") => Ok(Step::Read { key, seen: self.seen(event.kind, value) }),
                Some(b"append") => Ok(Step::Append { key, value: self.history.value(&text(value)) }),
                Some(b"w" | b"write") => Ok(Step::Write { key, value: self.history.value(&text(value)) }),
                _ => Err(wrong(step)),
            }
        };
        steps.iter().map(step).collect()
    }

    fn seen(&mut self, kind: EventKind, value: &Value<'_>) -> Seen {
        match value {
            _ if kind != EventKind::Ok => Seen::Unknown,
            Value::Nil => Seen::Nothing,
            Value::List(elements) => {
                let elements: Vec<_> =
                    elements.iter().map(|element| self.history.value(&text(element))).collect();
                Seen::List(self.history.list(&elements))
            }
            value => Seen::Value(self.history.value(&text(value))),
        }
    }
}

impl Recorder for TransactionRecorder {
    type Open = TransactionIndex;

    fn invoke(&mut self, event: &Event<'_>, process: u64, time: u64) -> Result<Self::Open, Problem> {
        let steps = self.steps(event)?;
        Ok(self.history.invoke(process, &steps, time, event.line))
    }

    fn complete(&mut self, open: Self::Open, event: &Event<'_>, time: u64) -> Result<(), Problem> {
        match event.kind {
            EventKind::Ok => {
                let steps = self.steps(event)?;
                self.history.ok(open, &steps, time, event.line).map_err(|StepMismatch { position }| {
                    let expected = format!("the steps of the invocation; step {} differs", position + 1);
                    Problem::wrong("value", &event.value.to_edn(), expected)
                })?;
            }
            EventKind::Fail => self.history.failed(open, time, event.line),
            EventKind::Info | EventKind::Invoke => self.history.unknown(open, time, event.line),
        }
        Ok(())
    }

    fn nemesis(&mut self, event: NemesisEvent) {
        self.history.record_nemesis(event);
    }
}
