//! Operations of unknown outcome in the search.
//!
//! They never end, so without care each would double the search. Four rules keep them cheap:
//!
//! - **Only to be observed.** After an unknown operation the next must not overwrite;
//!   `entry.rs` has the argument. Just in time the next is one that is open now. So an unknown operation
//!   is tried only where a chain of [`Model::may_enable`] leads from it to an open, answered operation.
//! - **Symmetry.** Of open unknown operations with equal actions only the first is tried. None of them
//!   ever ends, so they can be exchanged for each other.
//! - **The less able first.** Of two unknown operations that would leave the same state now, the one that
//!   [`Model::can_replace`] the other waits: it can do later whatever the other could have done. In any
//!   order that has it the other way round the two can be exchanged, without more unknown operations.
//! - **Retirement.** An unknown operation that every arrangement contains, or that is hopeless in all of
//!   them, is forgotten.

use std::collections::BTreeSet;

use super::{Candidate, Open, OutOfSteps, Search};
use crate::checker::entry::Entry;
use crate::checker::frontier::Arrangement;
use crate::model::{Effect, Model};

/// Unknown operations with equal actions, in the order in which they began.
pub(super) struct Twins<Action> {
    action: Action,
    effect: Effect,
    members: Vec<Open>,
}

impl<M: Model> Search<'_, M> {
    /// Opens an operation whose outcome is unknown.
    pub(super) fn begin_unknown(&mut self, entry: usize) {
        let Entry { action, effect, .. } = &self.entries[entry];
        let open = Open { entry, slot: self.unknown_slots };
        self.unknown_slots += 1;
        match self.unknown.iter_mut().find(|twins| twins.action == *action) {
            Some(twins) => twins.members.push(open),
            None => self.unknown.push(Twins { action: action.clone(), effect: *effect, members: vec![open] }),
        }
    }

    /// The unknown operations that it can be of use to place before the next event, as positions in
    /// `unknown`: those from which a chain of operations leads to one that an arrangement lacks.
    pub(super) fn helpful(&mut self, arrangements: &[Candidate<M::State>]) -> Result<Vec<usize>, OutOfSteps> {
        self.retire(arrangements)?;
        let entries = self.entries;
        let is_lacking = |open: &&Open| {
            entries[open.entry].effect != Effect::Overwrites
                && arrangements.iter().any(|(arrangement, _)| !arrangement.placed.contains(open.slot))
        };
        let mut targets: Vec<_> =
            self.open.iter().filter(is_lacking).map(|open| entries[open.entry].action.clone()).collect();
        let mut helpful = BTreeSet::new();
        while let Some(target) = targets.pop() {
            for index in 0..self.unknown.len() {
                if helpful.contains(&index) {
                    continue;
                }
                self.spend(1)?;
                let twins = &self.unknown[index];
                if self.model.may_enable(&twins.action, &target) {
                    helpful.insert(index);
                    targets.extend((twins.effect != Effect::Overwrites).then(|| twins.action.clone()));
                }
            }
        }
        Ok(helpful.into_iter().collect())
    }

    /// Forgets unknown operations that no arrangement can use any more.
    fn retire(&mut self, arrangements: &[Candidate<M::State>]) -> Result<(), OutOfSteps> {
        self.spend((self.unknown.len() * arrangements.len()) as u64)?;
        let model = self.model;
        for twins in &mut self.unknown {
            let is_spent = |open: &Open| {
                arrangements.iter().all(|(arrangement, _)| arrangement.spent.contains(open.slot))
            };
            twins.members.retain(|open| !is_spent(open));
        }
        self.unknown.retain(|twins| {
            let is_hopeless =
                |(arrangement, _): &Candidate<M::State>| model.is_hopeless(&arrangement.state, &twins.action);
            !twins.members.is_empty() && !arrangements.iter().all(is_hopeless)
        });
        Ok(())
    }

    /// Appends every arrangement that has one more unknown operation of the `helpful` ones, and the reads
    /// that follow at once.
    pub(super) fn place_unknown(
        &mut self,
        arrangement: &Arrangement<M::State>,
        ends_unknown: bool,
        helpful: &[usize],
        successors: &mut Vec<Candidate<M::State>>,
    ) -> Result<(), OutOfSteps> {
        let mut candidates = Vec::new();
        for index in helpful {
            let twins = &self.unknown[*index];
            let left = twins.members.iter().find(|open| !arrangement.spent.contains(open.slot)).copied();
            let is_allowed = !(ends_unknown && twins.effect == Effect::Overwrites);
            let Some(open) = left.filter(|_| is_allowed) else { continue };
            let mut states = Vec::new();
            self.spend(1)?;
            self.model.step(&arrangement.state, &self.unknown[*index].action, &mut states);
            states.retain(|state| *state != arrangement.state);
            candidates.push((*index, open, states));
        }
        for (index, open, states) in &candidates {
            self.spend(candidates.len() as u64)?;
            let can_wait = candidates.iter().any(|(other, _, others)| {
                let (action, other) = (&self.unknown[*index].action, &self.unknown[*other].action);
                action != other && others == states && self.model.can_replace(action, other)
            });
            for state in states.iter().filter(|_| !can_wait) {
                let mut successor = Arrangement { state: state.clone(), ..arrangement.clone() };
                successor.spent.insert(open.slot);
                self.record(&mut successor, open.entry);
                let is_observed = self.place_reads(&mut successor)?;
                if !self.is_hopeless(&successor)? {
                    successors.push((successor, !is_observed));
                }
            }
        }
        Ok(())
    }
}
