//! A lock that one client at a time can hold.

use std::fmt;

use super::{Effect, Model};
use crate::history::{Call, Operation};

/// A call to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MutexCall {
    /// Take the lock, which nobody may hold.
    Acquire,
    /// Give the lock back, which somebody must hold.
    Release,
}

/// The answer of a lock: done. A client that did not get the lock failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutexAnswer;

impl Call for MutexCall {
    type Answer = MutexAnswer;

    fn fits(&self, _answer: &MutexAnswer) -> bool {
        true
    }

    fn is_read(&self) -> bool {
        false
    }
}

impl fmt::Display for MutexCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Acquire => "acquire",
            Self::Release => "release",
        })
    }
}

impl fmt::Display for MutexAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("done")
    }
}

/// A lock, free at first. It does not know its holder: a client that comes back after an unknown outcome
/// has another process number and may release what it acquired before.
#[derive(Debug)]
pub struct Mutex;

impl Model for Mutex {
    type Call = MutexCall;
    type Action = MutexCall;
    /// Whether somebody holds it.
    type State = bool;

    fn prepare(operations: &[&Operation<MutexCall>]) -> (Self, Vec<MutexCall>) {
        (Self, operations.iter().map(|operation| operation.call).collect())
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, state: &bool, action: &MutexCall, next: &mut Vec<bool>) {
        match (state, action) {
            (false, MutexCall::Acquire) => next.push(true),
            (true, MutexCall::Release) => next.push(false),
            (true, MutexCall::Acquire) | (false, MutexCall::Release) => {}
        }
    }

    fn effect(&self, _action: &MutexCall) -> Effect {
        Effect::Depends
    }

    fn may_enable(&self, first: &MutexCall, second: &MutexCall) -> bool {
        first != second
    }

    fn describe(&self, state: &bool) -> String {
        if *state { "held".to_owned() } else { "free".to_owned() }
    }
}
