//! A number that clients add to.

use std::fmt;

use super::{Effect, Model};
use crate::history::{Call, Operation};

/// A call to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterCall {
    /// Read the number.
    Read,
    /// Add to the number; less than 0 subtracts.
    Add(i64),
}

/// An answer of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterAnswer {
    /// To a read.
    Value(i64),
    /// To an addition.
    Done,
}

impl Call for CounterCall {
    type Answer = CounterAnswer;

    fn fits(&self, answer: &CounterAnswer) -> bool {
        self.is_read() == matches!(answer, CounterAnswer::Value(_))
    }

    fn is_read(&self) -> bool {
        *self == Self::Read
    }
}

impl fmt::Display for CounterCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => write!(formatter, "read"),
            Self::Add(amount) => write!(formatter, "addition of {amount}"),
        }
    }
}

impl fmt::Display for CounterAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value}"),
            Self::Done => write!(formatter, "done"),
        }
    }
}

/// One operation on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterAction {
    /// The number was this.
    Read(i64),
    /// This was added.
    Add(i64),
}

/// A counter, 0 at first. It does not overflow: its numbers have twice the bits of the amounts.
#[derive(Debug)]
pub struct Counter {
    only_grows: bool,
}

impl Model for Counter {
    type Call = CounterCall;
    type Action = CounterAction;
    type State = i128;

    fn prepare(operations: &[&Operation<CounterCall>]) -> (Self, Vec<CounterAction>) {
        let action = |operation: &&Operation<CounterCall>| match (operation.call, operation.answer()) {
            (CounterCall::Read, Some(CounterAnswer::Value(value))) => CounterAction::Read(*value),
            (CounterCall::Add(amount), _) => CounterAction::Add(amount),
            (CounterCall::Read, _) => panic!("a read without its value reached the model: {operation}"),
        };
        let actions: Vec<_> = operations.iter().map(action).collect();
        let only_grows =
            actions.iter().all(|action| !matches!(action, CounterAction::Add(amount) if *amount < 0));
        (Self { only_grows }, actions)
    }

    fn initial(&self) -> i128 {
        0
    }

    fn step(&self, state: &i128, action: &CounterAction, next: &mut Vec<i128>) {
        match *action {
            CounterAction::Read(value) if *state == i128::from(value) => next.push(*state),
            CounterAction::Read(_) => {}
            CounterAction::Add(amount) => next.push(state + i128::from(amount)),
        }
    }

    fn effect(&self, action: &CounterAction) -> Effect {
        match action {
            CounterAction::Read(_) | CounterAction::Add(0) => Effect::Observes,
            CounterAction::Add(_) => Effect::Depends,
        }
    }

    fn is_hopeless(&self, state: &i128, action: &CounterAction) -> bool {
        match action {
            CounterAction::Read(value) => self.only_grows && *state > i128::from(*value),
            CounterAction::Add(_) => false,
        }
    }

    fn describe(&self, state: &i128) -> String {
        state.to_string()
    }
}
