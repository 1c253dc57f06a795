//! Sequential objects: what a store that does one thing at a time would answer.
//!
//! A [`Model`] is prepared from all operations on one key. Preparation reduces each operation, the call
//! together with its answer, to an *action*: the constraint and the change that it means for the state.
//! The search then asks one question again and again: from this state, may this action be next, and
//! which state does it leave?
//!
//! The other methods only make the search faster or its explanations better. Each says what it promises,
//! and a method that answers with its default is always right.

mod cas_register;
mod counter;
mod key_action;
mod key_observations;
mod key_value;
mod mutex;
mod revision_order;
mod revisioned_key;
mod set;
mod set_order;
mod text;

use crate::history::{Call, Operation};

pub use cas_register::{CasRegister, RegisterAction, RegisterAnswer, RegisterCall};
pub use counter::{Counter, CounterAction, CounterAnswer, CounterCall};
pub use key_action::{KeyAction, KeyState, Presence, RevisionTaken, UNREAD, ValueIndex};
pub use key_value::{KeyValue, KeyValueAction, KeyValueAnswer, KeyValueCall};
pub use mutex::{Mutex, MutexAnswer, MutexCall};
pub use revisioned_key::RevisionedKey;
pub use set::{Members, Set, SetAction, SetAnswer, SetCall};
pub use text::{Text, TextAction, TextAnswer, TextCall};

/// How an action treats the state, whichever state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It may demand something of the state and never changes it.
    Observes,
    /// Neither whether it is possible nor what it leaves can gain from the state before it. Precisely: if
    /// it can follow some change of the state, it could also have come instead of that change, and what
    /// it then leaves allows at least as much.
    Overwrites,
    /// It changes the state, and the state matters to it.
    Depends,
}

/// An operation on one key: what it means, and when.
#[derive(Clone, Copy, Debug)]
pub struct Timed<'a, Action> {
    /// What it means for the state.
    pub action: &'a Action,
    /// When it began.
    pub invoked: u64,
    /// When it ended; none if its outcome is unknown.
    pub completed: Option<u64>,
}

/// A sequential object.
pub trait Model: Sized {
    /// The calls that clients make, and with them the answers.
    type Call: Call;
    /// One operation, reduced to what the search needs. Equal actions are interchangeable.
    type Action: Clone + Ord;
    /// The state of one key.
    type State: Clone + Ord;

    /// Reduces the operations on one key. There is one action for each operation, in the same order.
    /// Failed operations and unknown reads are never among them.
    fn prepare(operations: &[&Operation<Self::Call>]) -> (Self, Vec<Self::Action>);

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// Appends to `next` every state that `action` can leave when it happens in `state`: none if it
    /// cannot happen there, several if the operation's outcome is unknown and leaves a choice.
    fn step(&self, state: &Self::State, action: &Self::Action, next: &mut Vec<Self::State>);

    /// How the action treats the state. An action that [`Effect::Observes`] leaves the state that it
    /// found.
    fn effect(&self, action: &Self::Action) -> Effect;

    /// Whether `second` may be possible directly after `first`. Wrong only on the side of `true`.
    fn may_enable(&self, _first: &Self::Action, _second: &Self::Action) -> bool {
        true
    }

    /// Whether `action` is possible wherever `other` is and leaves the same states there, and enables what
    /// `other` enables. Wrong only on the side of `false`.
    fn can_replace(&self, _action: &Self::Action, _other: &Self::Action) -> bool {
        false
    }

    /// Whether `action` is impossible in `state` and in every state that can ever follow it. Wrong only
    /// on the side of `false`.
    fn is_hopeless(&self, _state: &Self::State, _action: &Self::Action) -> bool {
        false
    }

    /// An order that is likely to explain `operations`, which are in the order in which they began, as
    /// positions among them. It is checked, and only if it does not explain them there is a search.
    fn likely_order(&self, _operations: &[Timed<'_, Self::Action>]) -> Option<Vec<usize>> {
        None
    }

    /// Whether an explanation why `action` cannot be placed should quote `other`.
    fn is_related(&self, _action: &Self::Action, _other: &Self::Action) -> bool {
        false
    }

    /// Why `action` is impossible in every order, if that can be said without looking at orders.
    fn impossibility(&self, _action: &Self::Action) -> Option<String> {
        None
    }

    /// The state in words.
    fn describe(&self, state: &Self::State) -> String;
}
