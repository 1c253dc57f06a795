//! A text that can be replaced and appended to, as in the key-value histories of Porcupine.

use std::fmt;

use super::{Effect, Model};
use crate::history::{Call, Operation, quoted};

/// A call to a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextCall {
    /// Read the text. The answer is the whole text.
    Get,
    /// Replace the text. The answer is empty.
    Put(String),
    /// Add to the end of the text. The answer is empty.
    Append(String),
}

/// The answer to a call: the text that a get read, nothing for the others.
#[derive(Clone, Debug, PartialEq)]
pub struct TextAnswer(pub Option<String>);

impl Call for TextCall {
    type Answer = TextAnswer;

    fn fits(&self, answer: &TextAnswer) -> bool {
        self.is_read() == answer.0.is_some()
    }

    fn is_read(&self) -> bool {
        *self == Self::Get
    }
}

impl fmt::Display for TextCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get => write!(formatter, "get"),
            Self::Put(text) => write!(formatter, "put of {}", quoted(text.as_bytes())),
            Self::Append(text) => write!(formatter, "append of {}", quoted(text.as_bytes())),
        }
    }
}

impl fmt::Display for TextAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(formatter, "{}", quoted(text.as_bytes())),
            None => write!(formatter, "done"),
        }
    }
}

/// One operation on a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextAction {
    /// The text was this.
    Get(String),
    /// The text became this.
    Put(String),
    /// This was added to the end.
    Append(String),
}

/// A text, initially empty.
#[derive(Debug)]
pub struct Text {
    /// Every text that some put sets.
    puts: Vec<String>,
}

impl Model for Text {
    type Call = TextCall;
    type Action = TextAction;
    type State = String;

    fn prepare(operations: &[&Operation<TextCall>]) -> (Self, Vec<TextAction>) {
        let actions: Vec<_> = operations
            .iter()
            .map(|operation| match (&operation.call, operation.answer()) {
                (TextCall::Get, Some(TextAnswer(Some(text)))) => TextAction::Get(text.clone()),
                (TextCall::Put(text), _) => TextAction::Put(text.clone()),
                (TextCall::Append(text), _) => TextAction::Append(text.clone()),
                (TextCall::Get, _) => panic!("a get without its text reached the model: {operation}"),
            })
            .collect();
        let puts = actions
            .iter()
            .filter_map(|action| match action {
                TextAction::Put(text) => Some(text.clone()),
                TextAction::Get(_) | TextAction::Append(_) => None,
            })
            .collect();
        (Self { puts }, actions)
    }

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, action: &TextAction, next: &mut Vec<String>) {
        match action {
            TextAction::Get(text) if state == text => next.push(state.clone()),
            TextAction::Get(_) => {}
            TextAction::Put(text) => next.push(text.clone()),
            TextAction::Append(text) => next.push(format!("{state}{text}")),
        }
    }

    fn effect(&self, action: &TextAction) -> Effect {
        match action {
            TextAction::Get(_) => Effect::Observes,
            TextAction::Put(_) => Effect::Overwrites,
            TextAction::Append(_) => Effect::Depends,
        }
    }

    /// A text only grows until a put replaces it, so a get needs a state, or some put, that its text
    /// begins with.
    fn is_hopeless(&self, state: &String, action: &TextAction) -> bool {
        match action {
            TextAction::Get(text) => {
                !text.starts_with(state) && !self.puts.iter().any(|put| text.starts_with(put))
            }
            TextAction::Put(_) | TextAction::Append(_) => false,
        }
    }

    fn describe(&self, state: &String) -> String {
        quoted(state.as_bytes())
    }
}
