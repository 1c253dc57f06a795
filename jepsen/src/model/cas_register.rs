//! A register of one integer with compare-and-set by value, as in Jepsen's etcd histories.

use std::collections::BTreeSet;
use std::fmt;

use super::{Effect, Model};
use crate::history::{Call, Operation, Outcome};

/// A call to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterCall {
    /// Read the value.
    Read,
    /// Set the value.
    Write(i64),
    /// Set the second value if the register holds the first.
    Cas(i64, i64),
}

/// An answer of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterAnswer {
    /// To a read: the value, or none if nothing was written yet.
    Value(Option<i64>),
    /// To a write or a compare-and-set: done.
    Done,
    /// To a compare-and-set: the register did not hold the first value.
    Mismatch,
}

impl Call for RegisterCall {
    type Answer = RegisterAnswer;

    fn fits(&self, answer: &RegisterAnswer) -> bool {
        match answer {
            RegisterAnswer::Value(_) => *self == Self::Read,
            RegisterAnswer::Done => *self != Self::Read,
            RegisterAnswer::Mismatch => matches!(self, Self::Cas(..)),
        }
    }

    fn is_read(&self) -> bool {
        *self == Self::Read
    }
}

impl fmt::Display for RegisterCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => write!(formatter, "read"),
            Self::Write(value) => write!(formatter, "write of {value}"),
            Self::Cas(old, new) => write!(formatter, "compare-and-set from {old} to {new}"),
        }
    }
}

impl fmt::Display for RegisterAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Some(value)) => write!(formatter, "{value}"),
            Self::Value(None) => write!(formatter, "unset"),
            Self::Done => write!(formatter, "done"),
            Self::Mismatch => write!(formatter, "another value is there"),
        }
    }
}

/// One operation on a register: the call, and whether it saw a mismatch or which value it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterAction {
    /// The register held this.
    Read(Option<i64>),
    /// The register was set.
    Write(i64),
    /// The register was changed from the first to the second value.
    Cas(i64, i64),
    /// The register did not hold this.
    Differs(i64),
}

impl RegisterAction {
    fn written(self) -> Option<i64> {
        match self {
            Self::Write(value) | Self::Cas(_, value) => Some(value),
            Self::Read(_) | Self::Differs(_) => None,
        }
    }
}

/// A register of one integer, initially unset.
#[derive(Debug)]
pub struct CasRegister {
    written: BTreeSet<i64>,
}

impl Model for CasRegister {
    type Call = RegisterCall;
    type Action = RegisterAction;
    type State = Option<i64>;

    fn prepare(operations: &[&Operation<RegisterCall>]) -> (Self, Vec<RegisterAction>) {
        let actions: Vec<_> = operations
            .iter()
            .map(|operation| match (&operation.call, &operation.outcome) {
                (RegisterCall::Read, Outcome::Ok(RegisterAnswer::Value(value))) => {
                    RegisterAction::Read(*value)
                }
                (RegisterCall::Write(value), _) => RegisterAction::Write(*value),
                (RegisterCall::Cas(old, _), Outcome::Ok(RegisterAnswer::Mismatch)) => {
                    RegisterAction::Differs(*old)
                }
                (RegisterCall::Cas(old, new), _) => RegisterAction::Cas(*old, *new),
                (RegisterCall::Read, _) => panic!("a read without its value reached the model: {operation}"),
            })
            .collect();
        let written = actions.iter().filter_map(|action| action.written()).collect();
        (Self { written }, actions)
    }

    fn initial(&self) -> Option<i64> {
        None
    }

    fn step(&self, state: &Option<i64>, action: &RegisterAction, next: &mut Vec<Option<i64>>) {
        match *action {
            RegisterAction::Read(value) if *state == value => next.push(*state),
            RegisterAction::Write(value) => next.push(Some(value)),
            RegisterAction::Cas(old, new) if *state == Some(old) => next.push(Some(new)),
            RegisterAction::Differs(value) if *state != Some(value) => next.push(*state),
            RegisterAction::Read(_) | RegisterAction::Cas(..) | RegisterAction::Differs(_) => {}
        }
    }

    fn effect(&self, action: &RegisterAction) -> Effect {
        match action {
            RegisterAction::Read(_) | RegisterAction::Differs(_) => Effect::Observes,
            RegisterAction::Write(_) => Effect::Overwrites,
            RegisterAction::Cas(old, new) if old == new => Effect::Observes,
            RegisterAction::Cas(..) => Effect::Depends,
        }
    }

    fn may_enable(&self, first: &RegisterAction, second: &RegisterAction) -> bool {
        let Some(left) = first.written() else { return true };
        let mut next = Vec::new();
        self.step(&Some(left), second, &mut next);
        !next.is_empty()
    }

    fn can_replace(&self, action: &RegisterAction, other: &RegisterAction) -> bool {
        matches!((action, other), (RegisterAction::Write(value), RegisterAction::Cas(_, new)) if value == new)
    }

    fn is_related(&self, action: &RegisterAction, other: &RegisterAction) -> bool {
        match action {
            RegisterAction::Read(Some(value)) | RegisterAction::Cas(value, _) => {
                other.written() == Some(*value)
            }
            RegisterAction::Read(None) | RegisterAction::Write(_) | RegisterAction::Differs(_) => false,
        }
    }

    fn impossibility(&self, action: &RegisterAction) -> Option<String> {
        match action {
            RegisterAction::Read(Some(value)) | RegisterAction::Cas(value, _)
                if !self.written.contains(value) =>
            {
                Some(format!("No operation of this history writes {value}."))
            }
            _ => None,
        }
    }

    fn describe(&self, state: &Option<i64>) -> String {
        RegisterAnswer::Value(*state).to_string()
    }
}
