//! A text that can be replaced, appended to, compared and deleted: one key of a map.

use std::fmt;

use super::{Effect, Model};
use crate::history::{Call, Operation, quoted};

/// A call to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueCall {
    /// Read the text.
    Get,
    /// Replace the text.
    Put(Vec<u8>),
    /// Add to the end of the text. A key that is absent becomes this text.
    Append(Vec<u8>),
    /// Remove the key, whether or not it is there.
    Delete,
    /// Replace the text if it is the expected one.
    CompareAndSet {
        /// The expected text; none if the key must be absent.
        expected: Option<Vec<u8>>,
        /// The new text.
        new: Vec<u8>,
    },
}

/// An answer of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueAnswer {
    /// To a get: the text; none if the key is absent.
    Value(Option<Vec<u8>>),
    /// To a change: done.
    Done,
    /// To a compare-and-set: the key did not hold the expected text.
    Mismatch,
}

impl Call for KeyValueCall {
    type Answer = KeyValueAnswer;

    fn fits(&self, answer: &KeyValueAnswer) -> bool {
        match answer {
            KeyValueAnswer::Value(_) => self.is_read(),
            KeyValueAnswer::Done => !self.is_read(),
            KeyValueAnswer::Mismatch => matches!(self, Self::CompareAndSet { .. }),
        }
    }

    fn is_read(&self) -> bool {
        *self == Self::Get
    }
}

impl fmt::Display for KeyValueCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get => write!(formatter, "get"),
            Self::Put(text) => write!(formatter, "put of {}", quoted(text)),
            Self::Append(text) => write!(formatter, "append of {}", quoted(text)),
            Self::Delete => write!(formatter, "delete"),
            Self::CompareAndSet { expected, new } => {
                write!(
                    formatter,
                    "compare-and-set from {} to {}",
                    described(expected.as_deref()),
                    quoted(new)
                )
            }
        }
    }
}

impl fmt::Display for KeyValueAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(text) => formatter.write_str(&described(text.as_deref())),
            Self::Done => write!(formatter, "done"),
            Self::Mismatch => write!(formatter, "another text is there"),
        }
    }
}

fn described(text: Option<&[u8]>) -> String {
    text.map_or_else(|| "absent".to_owned(), quoted)
}

/// One operation on a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValueAction {
    /// The key held this.
    Get(Option<Vec<u8>>),
    /// The key was set or deleted.
    Set(Option<Vec<u8>>),
    /// This was added to the end.
    Append(Vec<u8>),
    /// The key was changed from the first to the second.
    CompareAndSet(Option<Vec<u8>>, Vec<u8>),
    /// The key did not hold this.
    Differs(Option<Vec<u8>>),
}

impl KeyValueAction {
    /// What the key holds afterwards, whatever it held before.
    fn written(&self) -> Option<Option<&[u8]>> {
        match self {
            Self::Set(text) => Some(text.as_deref()),
            Self::CompareAndSet(_, new) => Some(Some(new)),
            Self::Get(_) | Self::Append(_) | Self::Differs(_) => None,
        }
    }

    /// What the key must hold.
    fn demanded(&self) -> Option<Option<&[u8]>> {
        match self {
            Self::Get(text) | Self::CompareAndSet(text, _) => Some(text.as_deref()),
            Self::Set(_) | Self::Append(_) | Self::Differs(_) => None,
        }
    }
}

/// One key, absent at first.
#[derive(Debug)]
pub struct KeyValue {
    /// Every text that some operation sets, and nothing for a deletion.
    written: Vec<Vec<u8>>,
    /// Whether some operation appends.
    has_appends: bool,
}

impl Model for KeyValue {
    type Call = KeyValueCall;
    type Action = KeyValueAction;
    type State = Option<Vec<u8>>;

    fn prepare(operations: &[&Operation<KeyValueCall>]) -> (Self, Vec<KeyValueAction>) {
        let action = |operation: &&Operation<KeyValueCall>| match (&operation.call, operation.answer()) {
            (KeyValueCall::Get, Some(KeyValueAnswer::Value(text))) => KeyValueAction::Get(text.clone()),
            (KeyValueCall::Put(text), _) => KeyValueAction::Set(Some(text.clone())),
            (KeyValueCall::Append(text), _) => KeyValueAction::Append(text.clone()),
            (KeyValueCall::Delete, _) => KeyValueAction::Set(None),
            (KeyValueCall::CompareAndSet { expected, .. }, Some(KeyValueAnswer::Mismatch)) => {
                KeyValueAction::Differs(expected.clone())
            }
            (KeyValueCall::CompareAndSet { expected, new }, _) => {
                KeyValueAction::CompareAndSet(expected.clone(), new.clone())
            }
            (KeyValueCall::Get, _) => panic!("a get without its text reached the model: {operation}"),
        };
        let actions: Vec<_> = operations.iter().map(action).collect();
        let written = actions.iter().filter_map(KeyValueAction::written);
        let written = written.map(|text| text.unwrap_or_default().to_vec()).collect();
        let has_appends = actions.iter().any(|action| matches!(action, KeyValueAction::Append(_)));
        (Self { written, has_appends }, actions)
    }

    fn initial(&self) -> Option<Vec<u8>> {
        None
    }

    fn step(&self, state: &Self::State, action: &KeyValueAction, next: &mut Vec<Self::State>) {
        match action {
            KeyValueAction::Get(text) if state == text => next.push(state.clone()),
            KeyValueAction::Set(text) => next.push(text.clone()),
            KeyValueAction::Append(text) => {
                next.push(Some([state.as_deref().unwrap_or_default(), text].concat()));
            }
            KeyValueAction::CompareAndSet(expected, new) if state == expected => next.push(Some(new.clone())),
            KeyValueAction::Differs(text) if state != text => next.push(state.clone()),
            KeyValueAction::Get(_) | KeyValueAction::CompareAndSet(..) | KeyValueAction::Differs(_) => {}
        }
    }

    fn effect(&self, action: &KeyValueAction) -> Effect {
        match action {
            KeyValueAction::Get(_) | KeyValueAction::Differs(_) => Effect::Observes,
            KeyValueAction::Set(_) => Effect::Overwrites,
            KeyValueAction::CompareAndSet(expected, new) if expected.as_ref() == Some(new) => {
                Effect::Observes
            }
            KeyValueAction::Append(_) | KeyValueAction::CompareAndSet(..) => Effect::Depends,
        }
    }

    fn may_enable(&self, first: &KeyValueAction, second: &KeyValueAction) -> bool {
        match (first.written(), second.demanded()) {
            (Some(left), Some(demanded)) => left == demanded,
            _ => true,
        }
    }

    /// A text only grows until a write replaces it, so what is demanded must begin with the state or with
    /// what some operation writes.
    fn is_hopeless(&self, state: &Self::State, action: &KeyValueAction) -> bool {
        let Some(demanded) = action.demanded() else { return false };
        if state.as_deref() == demanded {
            return false;
        }
        let wanted = demanded.unwrap_or_default();
        let may_follow =
            |text: &[u8]| if self.has_appends { wanted.starts_with(text) } else { wanted == text };
        let grows =
            self.has_appends && demanded.is_some() && may_follow(state.as_deref().unwrap_or_default());
        !grows && !self.written.iter().any(|text| may_follow(text))
    }

    fn is_related(&self, action: &KeyValueAction, other: &KeyValueAction) -> bool {
        match (action.demanded(), other) {
            (Some(Some(wanted)), KeyValueAction::Append(text)) => wanted.ends_with(text),
            (Some(wanted), other) => other.written() == Some(wanted),
            (None, _) => false,
        }
    }

    fn impossibility(&self, action: &KeyValueAction) -> Option<String> {
        let wanted = action.demanded()??;
        let is_written = self.has_appends || self.written.iter().any(|text| text == wanted);
        (!is_written).then(|| format!("No operation of this history writes {}.", quoted(wanted)))
    }

    fn describe(&self, state: &Self::State) -> String {
        described(state.as_deref())
    }
}
