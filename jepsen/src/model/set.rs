//! A set that clients add to and remove from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Effect, Model, Timed, set_order};
use crate::history::{Call, Operation, quoted};

/// Elements that a description lists.
const LISTED_MAX: usize = 12;

/// A call to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetCall {
    /// Read all elements.
    Read,
    /// Add an element, whether or not it is there.
    Add(Vec<u8>),
    /// Remove an element, whether or not it is there.
    Remove(Vec<u8>),
}

/// An answer of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAnswer {
    /// To a read.
    Elements(BTreeSet<Vec<u8>>),
    /// To a change.
    Done,
}

impl Call for SetCall {
    type Answer = SetAnswer;

    fn fits(&self, answer: &SetAnswer) -> bool {
        self.is_read() == matches!(answer, SetAnswer::Elements(_))
    }

    fn is_read(&self) -> bool {
        *self == Self::Read
    }
}

impl fmt::Display for SetCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => write!(formatter, "read"),
            Self::Add(element) => write!(formatter, "addition of {}", quoted(element)),
            Self::Remove(element) => write!(formatter, "removal of {}", quoted(element)),
        }
    }
}

impl fmt::Display for SetAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements(elements) => {
                let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
                formatter.write_str(&listed(&elements))
            }
            Self::Done => write!(formatter, "done"),
        }
    }
}

fn listed(elements: &[&[u8]]) -> String {
    let shown: Vec<_> = elements.iter().take(LISTED_MAX).map(|element| quoted(element)).collect();
    let more = elements.len().saturating_sub(LISTED_MAX);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    format!("{{{}{more}}}", shown.join(", "))
}

/// Which of the elements of a history are in the set: one bit each. Trailing zero words are dropped, so
/// equal sets compare equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Members(Vec<u64>);

impl Members {
    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether an element is one of them.
    pub(super) fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn insert(&mut self, index: usize) {
        if self.0.len() <= index / 64 {
            self.0.resize(index / 64 + 1, 0);
        }
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn with(&self, index: usize) -> Self {
        let mut members = self.clone();
        members.insert(index);
        members
    }

    fn without(&self, index: usize) -> Self {
        let mut members = self.clone();
        if let Some(word) = members.0.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
        while members.0.last() == Some(&0) {
            members.0.pop();
        }
        members
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(word, theirs)| word & !theirs == 0)
    }
}

/// One operation on a set. Elements are positions in the list of all elements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetAction {
    /// The set was this.
    Read(Members),
    /// This was added.
    Add(usize),
    /// This was removed.
    Remove(usize),
}

/// A set, empty at first.
#[derive(Debug)]
pub struct Set {
    elements: Vec<Vec<u8>>,
    /// Whether nothing is ever removed.
    only_grows: bool,
    /// Everything that some operation adds.
    added: Members,
}

impl Set {
    fn names(&self, members: &Members) -> Vec<&[u8]> {
        let present = self.elements.iter().enumerate().filter(|(index, _)| members.contains(*index));
        present.map(|(_, element)| element.as_slice()).collect()
    }
}

impl Model for Set {
    type Call = SetCall;
    type Action = SetAction;
    type State = Members;

    fn prepare(operations: &[&Operation<SetCall>]) -> (Self, Vec<SetAction>) {
        let mut numbers: BTreeMap<&[u8], usize> = BTreeMap::new();
        let mut number = |element| {
            let next = numbers.len();
            *numbers.entry(element).or_insert(next)
        };
        let mut actions = Vec::with_capacity(operations.len());
        for operation in operations {
            actions.push(match (&operation.call, operation.answer()) {
                (SetCall::Read, Some(SetAnswer::Elements(elements))) => {
                    let mut members = Members::default();
                    elements.iter().for_each(|element| members.insert(number(element)));
                    SetAction::Read(members)
                }
                (SetCall::Add(element), _) => SetAction::Add(number(element)),
                (SetCall::Remove(element), _) => SetAction::Remove(number(element)),
                (SetCall::Read, _) => panic!("a read without its elements reached the model: {operation}"),
            });
        }
        let mut elements = vec![Vec::new(); numbers.len()];
        numbers.into_iter().for_each(|(element, number)| elements[number] = element.to_vec());
        let only_grows = !actions.iter().any(|action| matches!(action, SetAction::Remove(_)));
        let mut added = Members::default();
        for action in &actions {
            if let SetAction::Add(element) = action {
                added.insert(*element);
            }
        }
        (Self { elements, only_grows, added }, actions)
    }

    fn initial(&self) -> Members {
        Members::default()
    }

    fn step(&self, state: &Members, action: &SetAction, next: &mut Vec<Members>) {
        match action {
            SetAction::Read(members) if state == members => next.push(state.clone()),
            SetAction::Read(_) => {}
            SetAction::Add(element) => next.push(state.with(*element)),
            SetAction::Remove(element) => next.push(state.without(*element)),
        }
    }

    fn effect(&self, action: &SetAction) -> Effect {
        match action {
            SetAction::Read(_) => Effect::Observes,
            SetAction::Add(_) | SetAction::Remove(_) => Effect::Depends,
        }
    }

    fn is_hopeless(&self, state: &Members, action: &SetAction) -> bool {
        match action {
            SetAction::Read(members) => {
                !members.is_subset(&self.added) || (self.only_grows && !state.is_subset(members))
            }
            SetAction::Add(_) | SetAction::Remove(_) => false,
        }
    }

    fn likely_order(&self, operations: &[Timed<'_, SetAction>]) -> Option<Vec<usize>> {
        self.only_grows.then(|| set_order::likely_order(operations))
    }

    fn impossibility(&self, action: &SetAction) -> Option<String> {
        let SetAction::Read(members) = action else { return None };
        let never = (0..self.elements.len())
            .find(|element| members.contains(*element) && !self.added.contains(*element))?;
        Some(format!("No operation of this history adds {}.", quoted(&self.elements[never])))
    }

    fn is_related(&self, action: &SetAction, other: &SetAction) -> bool {
        match (action, other) {
            (SetAction::Read(members), SetAction::Remove(element)) => members.contains(*element),
            _ => false,
        }
    }

    fn describe(&self, state: &Members) -> String {
        listed(&self.names(state))
    }
}
