//! The search for an order of the operations on one key.
//!
//! It is the just-in-time search of Lowe (*Testing for Linearizability*, 2017), breadth first. Walk
//! through the events of the history in the order of time, and keep a *frontier*: every arrangement of
//! the operations so far that explains all answers so far, each reduced to what matters later, namely its
//! state and which of the still open operations it contains. An invocation opens an operation. When an
//! operation ends, every arrangement that lacks it is extended: by some open operations, each at most
//! once, and then by the ending one. An arrangement that cannot be extended dies. If none is left, no
//! order explains the history. If one is left at the end, its path is a witness.
//!
//! Placing operations no earlier than somebody's end needs them loses nothing: cut any valid order after
//! each operation when that operation ends, and this search walks through the cuts.
//!
//! What keeps it small, and why each is sound:
//!
//! - **Reads at once.** An operation that only observes and that the state allows is placed as soon as it
//!   is open. In any order that places it later it can be moved to here, since it changes nothing.
//! - **Dominance**, see [`Frontier`].
//! - **Unknown operations only where they help**, see `search/unknown.rs`.
//! - **Lookahead** ([`Model::is_hopeless`]): an arrangement dies as soon as it lacks an open, answered
//!   operation that nothing that follows will ever allow.
//!
//! Equal times are concurrent: at one time all invocations come before all ends.

mod unknown;

use std::collections::BTreeSet;

use super::entry::Entry;
use super::frontier::{Arrangement, Frontier, PathIndex};
use super::slots::Slots;
use crate::model::{Effect, Model};
use unknown::Twins;

/// How a search ended. Operations are positions of the entries that were searched.
pub(super) enum SearchOutcome<State> {
    /// An order that explains all answers.
    Order(Vec<usize>),
    /// There is none.
    Stuck(Stuck<State>),
    /// The limit was reached.
    OutOfSteps,
}

/// Where every arrangement died.
pub(super) struct Stuck<State> {
    /// The operation that could not be placed.
    pub(super) entry: usize,
    /// The arrangements that were tried just before it: the state and the order that leads there.
    pub(super) reached: Vec<(State, Vec<usize>)>,
    /// The other answered operations that were open then.
    pub(super) open: Vec<usize>,
}

/// Arrangements that a conviction keeps for its explanation.
const REACHED_MAX: usize = 16;

/// Steps between two questions to the caller whether to go on.
const STEPS_BETWEEN_QUESTIONS: u64 = 4_096;

/// Reached the limit of steps, or the caller ended the search.
struct OutOfSteps;

/// An arrangement, and whether its last operation is an unknown one that nothing has observed yet.
type Candidate<State> = (Arrangement<State>, bool);

/// The frontier after an event, and if it is empty the arrangements that were tried in vain.
type Extended<State> = (Frontier<State>, Vec<Arrangement<State>>);

/// An operation that began and has not ended.
#[derive(Clone, Copy)]
struct Open {
    entry: usize,
    /// Its slot, among the answered or among the unknown operations.
    slot: usize,
}

/// One search of one key.
pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    entries: &'a [Entry<M::Action>],
    lookahead: bool,
    steps_left: u64,
    /// Whether the caller lets the search go on.
    may_go_on: &'a dyn Fn() -> bool,
    steps_until_asked: u64,
    /// Operations that were placed, each with the record of the one before.
    path: Vec<(Option<PathIndex>, usize)>,
    /// The open operations with an answer, in the order in which they began.
    open: Vec<Open>,
    /// The unknown operations.
    unknown: Vec<Twins<M::Action>>,
    free_slots: BTreeSet<usize>,
    slots: usize,
    unknown_slots: usize,
}

impl<'a, M: Model> Search<'a, M> {
    /// A search of `entries`, which must be in the order in which they began.
    pub(super) fn new(
        model: &'a M,
        entries: &'a [Entry<M::Action>],
        lookahead: bool,
        steps_max: u64,
        may_go_on: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            model,
            entries,
            lookahead,
            steps_left: steps_max,
            may_go_on,
            steps_until_asked: STEPS_BETWEEN_QUESTIONS,
            path: Vec::new(),
            open: Vec::new(),
            unknown: Vec::new(),
            free_slots: BTreeSet::new(),
            slots: 0,
            unknown_slots: 0,
        }
    }

    /// Searches.
    pub(super) fn run(mut self) -> SearchOutcome<M::State> {
        self.walk().unwrap_or(SearchOutcome::OutOfSteps)
    }

    fn walk(&mut self) -> Result<SearchOutcome<M::State>, OutOfSteps> {
        let mut frontier = Frontier::new();
        let (placed, spent) = (Slots::default(), Slots::default());
        frontier.insert(Arrangement { state: self.model.initial(), placed, spent, last: None });
        for (is_end, entry) in events(self.entries) {
            let (next, tried) =
                if is_end { self.end(frontier, entry)? } else { self.begin(frontier, entry)? };
            if next.is_empty() {
                return Ok(SearchOutcome::Stuck(self.stuck(tried, entry)));
            }
            frontier = next;
        }
        let survivor = frontier.into_arrangements().next().expect("a frontier that is not empty");
        Ok(SearchOutcome::Order(self.order(survivor.last)))
    }

    /// Opens an operation.
    fn begin(
        &mut self,
        frontier: Frontier<M::State>,
        entry: usize,
    ) -> Result<Extended<M::State>, OutOfSteps> {
        if !self.entries[entry].is_required() {
            self.begin_unknown(entry);
            return Ok((frontier, Vec::new()));
        }
        let slot = self.free_slots.pop_first().unwrap_or(self.slots);
        self.slots = self.slots.max(slot + 1);
        self.open.push(Open { entry, slot });
        let mut next = Frontier::new();
        let mut tried = Vec::new();
        for mut arrangement in frontier.into_arrangements() {
            self.place_reads(&mut arrangement)?;
            if self.is_hopeless(&arrangement)? {
                tried.push(arrangement);
            } else {
                self.insert(&mut next, arrangement)?;
            }
        }
        Ok((next, tried))
    }

    /// Closes an operation. Every arrangement that lacks it is extended, by open operations, until it
    /// contains it.
    fn end(&mut self, frontier: Frontier<M::State>, entry: usize) -> Result<Extended<M::State>, OutOfSteps> {
        let ending = *self.open.iter().find(|open| open.entry == entry).expect("an operation ends once");
        let mut waiting: Vec<_> =
            frontier.into_arrangements().map(|arrangement| (arrangement, false)).collect();
        waiting.reverse();
        let is_lacking = waiting.iter().any(|(arrangement, _)| !arrangement.placed.contains(ending.slot));
        let helpful = if is_lacking { self.helpful(&waiting)? } else { Vec::new() };
        let mut next = Frontier::new();
        // An arrangement that ends with an unknown operation may not go on in every way, so the two kinds
        // do not dominate each other.
        let mut seen = [Frontier::new(), Frontier::new()];
        while let Some((mut arrangement, ends_unknown)) = waiting.pop() {
            if arrangement.placed.contains(ending.slot) {
                arrangement.placed.remove(ending.slot);
                self.insert(&mut next, arrangement)?;
            } else if self.insert(&mut seen[usize::from(ends_unknown)], arrangement.clone())? {
                self.place_answered(&arrangement, ends_unknown, &mut waiting)?;
                self.place_unknown(&arrangement, ends_unknown, &helpful, &mut waiting)?;
            }
        }
        self.open.retain(|open| open.entry != entry);
        self.free_slots.insert(ending.slot);
        let tried = if next.is_empty() {
            seen.into_iter().flat_map(Frontier::into_arrangements).collect()
        } else {
            Vec::new()
        };
        Ok((next, tried))
    }

    /// Appends every arrangement that has one more answered operation, and the reads that follow at once.
    fn place_answered(
        &mut self,
        arrangement: &Arrangement<M::State>,
        ends_unknown: bool,
        successors: &mut Vec<Candidate<M::State>>,
    ) -> Result<(), OutOfSteps> {
        let mut states = Vec::new();
        for index in 0..self.open.len() {
            let open = self.open[index];
            let entry = &self.entries[open.entry];
            // Reads are placed at once where they fit, so those that are left do not fit here.
            let is_candidate = !arrangement.placed.contains(open.slot)
                && entry.effect != Effect::Observes
                && !(ends_unknown && entry.effect == Effect::Overwrites);
            if !is_candidate {
                continue;
            }
            self.spend(1)?;
            self.model.step(&arrangement.state, &entry.action, &mut states);
            for state in states.drain(..) {
                let mut successor = Arrangement { state, ..arrangement.clone() };
                successor.placed.insert(open.slot);
                self.record(&mut successor, open.entry);
                self.place_reads(&mut successor)?;
                if !self.is_hopeless(&successor)? {
                    successors.push((successor, false));
                }
            }
        }
        Ok(())
    }

    /// Places the open operations that only observe and that the state allows. Returns whether there
    /// were any.
    fn place_reads(&mut self, arrangement: &mut Arrangement<M::State>) -> Result<bool, OutOfSteps> {
        let mut any = false;
        let mut states = Vec::new();
        for index in 0..self.open.len() {
            let open = self.open[index];
            let entry = &self.entries[open.entry];
            if entry.effect == Effect::Observes && !arrangement.placed.contains(open.slot) {
                self.spend(1)?;
                self.model.step(&arrangement.state, &entry.action, &mut states);
                if let Some(state) = states.pop() {
                    debug_assert!(
                        state == arrangement.state && states.is_empty(),
                        "an observation changed the state"
                    );
                    arrangement.placed.insert(open.slot);
                    self.record(arrangement, open.entry);
                    any = true;
                }
            }
        }
        Ok(any)
    }

    /// Whether the arrangement lacks an open, answered operation that can never follow it.
    fn is_hopeless(&mut self, arrangement: &Arrangement<M::State>) -> Result<bool, OutOfSteps> {
        if !self.lookahead {
            return Ok(false);
        }
        for index in 0..self.open.len() {
            let open = self.open[index];
            if !arrangement.placed.contains(open.slot) {
                self.spend(1)?;
                if self.model.is_hopeless(&arrangement.state, &self.entries[open.entry].action) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Records that `entry` was placed last.
    fn record(&mut self, arrangement: &mut Arrangement<M::State>, entry: usize) {
        self.path.push((arrangement.last, entry));
        arrangement.last = Some(self.path.len() - 1);
    }

    /// Adds to a frontier and pays for the comparisons. Returns whether the arrangement was new.
    fn insert(
        &mut self,
        frontier: &mut Frontier<M::State>,
        arrangement: Arrangement<M::State>,
    ) -> Result<bool, OutOfSteps> {
        let (is_new, comparisons) = frontier.insert(arrangement);
        self.spend(comparisons + 1)?;
        Ok(is_new)
    }

    fn spend(&mut self, steps: u64) -> Result<(), OutOfSteps> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(OutOfSteps)?;
        self.steps_until_asked = self.steps_until_asked.saturating_sub(steps);
        if self.steps_until_asked == 0 {
            self.steps_until_asked = STEPS_BETWEEN_QUESTIONS;
            if !(self.may_go_on)() {
                return Err(OutOfSteps);
            }
        }
        Ok(())
    }

    /// The order that a record of the path ends.
    fn order(&self, mut last: Option<PathIndex>) -> Vec<usize> {
        let mut order = Vec::new();
        while let Some(index) = last {
            let (before, entry) = self.path[index];
            order.push(entry);
            last = before;
        }
        order.reverse();
        order
    }

    /// What there is to say when none of the arrangements that were tried survived the event of `entry`.
    fn stuck(&self, tried: Vec<Arrangement<M::State>>, entry: usize) -> Stuck<M::State> {
        let mut reached: Vec<(M::State, Vec<usize>)> = Vec::new();
        for arrangement in tried {
            let is_known = reached.iter().any(|(state, _)| *state == arrangement.state);
            if !is_known && reached.len() < REACHED_MAX {
                reached.push((arrangement.state, self.order(arrangement.last)));
            }
        }
        let open = self.open.iter().map(|open| open.entry).filter(|other| *other != entry).collect();
        Stuck { entry, reached, open }
    }
}

/// Beginnings and ends in the order of time; true marks an end.
fn events<Action>(entries: &[Entry<Action>]) -> Vec<(bool, usize)> {
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(entries.len() * 2);
    for (index, entry) in entries.iter().enumerate() {
        events.push((entry.invoked, false, index));
        events.extend(entry.completed.map(|completed| (completed, true, index)));
    }
    events.sort_unstable();
    events.into_iter().map(|(_, is_end, entry)| (is_end, entry)).collect()
}
