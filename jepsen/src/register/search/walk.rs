//! How an arrangement goes on at an event.

use super::arrangement::{Arrangement, Path};
use super::plan::{Plan, Slots, Twins};
use crate::register::rows::Kind;

/// A place in the walk through the events, with what is open there.
pub(super) struct Walk<'a> {
    pub(super) plan: &'a Plan<'a>,
    at: u32,
    /// The rows with an answer that are open during the event, the first to end first.
    open: Vec<u32>,
    writes: Slots,
    /// Values that an open operation may observe with the help of unknown compare-and-sets.
    reached_by_twins: Vec<u32>,
    pub(super) path: Path,
    /// Steps so far.
    pub(super) steps: u64,
}

impl<'a> Walk<'a> {
    /// A walk at the first event.
    pub(super) fn new(plan: &'a Plan<'a>) -> Self {
        let mut walk = Self {
            plan,
            at: 0,
            open: Vec::new(),
            writes: 0,
            reached_by_twins: Vec::new(),
            path: Path::default(),
            steps: 0,
        };
        walk.begin_if_begins(0);
        walk.look_behind_twins();
        walk
    }

    /// The event of the walk; none at the end.
    pub(super) fn at(&self) -> Option<u32> {
        ((self.at as usize) < self.plan.events.len()).then_some(self.at)
    }

    /// Goes to the next event.
    pub(super) fn go_forward(&mut self) {
        let event = self.plan.events[self.at as usize];
        if event.is_end {
            self.close(event.row);
        }
        self.at += 1;
        self.begin_if_begins(self.at);
        self.look_behind_twins();
    }

    /// Goes back to the event before.
    pub(super) fn go_back(&mut self) {
        if let Some(event) = self.plan.events.get(self.at as usize)
            && !event.is_end
        {
            self.close(event.row);
        }
        self.at -= 1;
        let event = self.plan.events[self.at as usize];
        if event.is_end {
            self.open(event.row);
        }
        self.look_behind_twins();
    }

    fn begin_if_begins(&mut self, at: u32) {
        if let Some(event) = self.plan.events.get(at as usize)
            && !event.is_end
        {
            self.open(event.row);
        }
    }

    fn open(&mut self, row: u32) {
        let rows = self.plan.rows;
        if !rows[row as usize].kind.is_required() {
            return;
        }
        let key = |row: u32| (rows[row as usize].end, row);
        let place = self.open.partition_point(|other| key(*other) < key(row));
        self.open.insert(place, row);
        if rows[row as usize].kind == Kind::Write {
            self.writes |= self.plan.slot(row);
        }
    }

    fn close(&mut self, row: u32) {
        if self.plan.rows[row as usize].kind.is_required() {
            self.open.retain(|other| *other != row);
            self.writes &= !self.plan.slot(row);
        }
    }

    /// Appends to `next` all arrangements that `arrangement` may become at this event.
    pub(super) fn follow(&mut self, arrangement: Arrangement, next: &mut Vec<Arrangement>) {
        let event = self.plan.events[self.at as usize];
        if event.is_end {
            self.end(arrangement, event.row, next);
        } else {
            next.extend(self.settled(arrangement));
        }
    }

    /// Extends an arrangement by open operations, until it contains the one that ends.
    fn end(&mut self, arrangement: Arrangement, row: u32, next: &mut Vec<Arrangement>) {
        let slot = self.plan.slot(row);
        let ending = &self.plan.rows[row as usize];
        let is_write = ending.kind == Kind::Write;
        let closed = |mut arrangement: Arrangement| {
            arrangement.done &= !slot;
            arrangement.used &= !slot;
            arrangement
        };
        let mut met: Vec<Arrangement> = Vec::new();
        let mut waiting = vec![arrangement];
        while let Some(arrangement) = waiting.pop() {
            self.steps += 1;
            if arrangement.done & slot != 0 {
                next.push(closed(arrangement.clone()));
                let may_come_now = is_write
                    && arrangement.used & slot == 0
                    && self.plan.matters_after(ending.first, self.at);
                if !may_come_now {
                    continue;
                }
            }
            if is_write && arrangement.used & slot == 0 {
                let placed = self.with_write(arrangement.clone(), row);
                next.extend(self.settled(placed).map(closed));
            }
            for successor in self.successors(&arrangement, row) {
                self.steps += 1 + met.len() as u64 / 8;
                if !met.iter().any(|other| other.dominates(&successor)) {
                    met.push(successor.clone());
                    waiting.push(successor);
                }
            }
        }
    }

    /// The arrangements that have one more change, which an open operation observes.
    fn successors(&mut self, arrangement: &Arrangement, ending: u32) -> Vec<Arrangement> {
        let plan = self.plan;
        let mut successors = Vec::new();
        // The changes that were tried: of equal ones the first to end serves.
        let mut tried: Vec<(Kind, u32, u32)> = Vec::new();
        for index in 0..self.open.len() {
            let row = self.open[index];
            let (operation, slot) = (&plan.rows[row as usize], plan.slot(row));
            let change = (operation.kind, operation.first, operation.second);
            let is_possible = match operation.kind {
                Kind::Write => {
                    row != ending
                        && arrangement.used & slot == 0
                        && (operation.first != arrangement.state || self.covers(arrangement, slot))
                        && self.is_observed(arrangement, operation.first)
                }
                Kind::Cas => arrangement.done & slot == 0 && operation.first == arrangement.state,
                _ => false,
            };
            if !is_possible || tried.contains(&change) {
                continue;
            }
            tried.push(change);
            let placed = if operation.kind == Kind::Write {
                self.with_write(arrangement.clone(), row)
            } else {
                let mut placed = arrangement.clone();
                placed.done |= slot;
                placed.used |= slot;
                placed.state = operation.second;
                self.path.record(&mut placed, row);
                placed
            };
            successors.extend(self.settled(placed));
        }
        self.twin_successors(arrangement, &tried, &mut successors);
        successors
    }

    fn twin_successors(
        &mut self,
        arrangement: &Arrangement,
        tried: &[(Kind, u32, u32)],
        successors: &mut Vec<Arrangement>,
    ) {
        let plan = self.plan;
        if plan.twins.is_empty() {
            return;
        }
        for index in self.useful_twins(arrangement) {
            let twins = &plan.twins[index as usize];
            let is_tried = tried.iter().any(|(kind, first, second)| match kind {
                Kind::Write => twins.is_write && *first == twins.written,
                _ => !twins.is_write && (*first, *second) == (twins.first, twins.written),
            });
            let fits = twins.is_write || twins.first == arrangement.state;
            let Some(row) = self.member(arrangement, index, twins).filter(|_| fits && !is_tried) else {
                continue;
            };
            let mut placed = arrangement.clone();
            if twins.is_write {
                self.cover(&mut placed);
            }
            placed.spend(index);
            placed.state = twins.written;
            self.path.record(&mut placed, row);
            successors.extend(self.settled(placed));
        }
    }

    /// The unknown operations whose change an open operation would observe.
    fn useful_twins(&self, arrangement: &Arrangement) -> Vec<u32> {
        let mut useful = Vec::new();
        let covers = self.covers(arrangement, 0);
        let mut add = |value: u32| {
            if value != arrangement.state || covers {
                useful.extend(self.plan.twins_that_write.get(&value).into_iter().flatten());
            }
        };
        for row in &self.open {
            let operation = &self.plan.rows[*row as usize];
            let is_missing = arrangement.done & self.plan.slot(*row) == 0;
            match operation.kind {
                Kind::Read | Kind::Cas if is_missing => add(operation.first),
                Kind::Refused if is_missing && operation.first == arrangement.state => {
                    self.plan.twins_that_write.keys().copied().for_each(&mut add)
                }
                _ => {}
            }
        }
        self.reached_by_twins.iter().copied().for_each(add);
        useful.sort_unstable();
        useful.dedup();
        useful
    }

    /// A member of the twins that has begun and that the arrangement has not placed.
    fn member(&self, arrangement: &Arrangement, index: u32, twins: &Twins) -> Option<u32> {
        let (begins, row) = *twins.members.get(arrangement.spent(index) as usize)?;
        (begins < self.at).then_some(row)
    }

    /// Whether an open operation that is missing would observe it if `value` were written now.
    fn is_observed(&self, arrangement: &Arrangement, value: u32) -> bool {
        let observes = |row: &u32| {
            let operation = &self.plan.rows[*row as usize];
            arrangement.done & self.plan.slot(*row) == 0
                && match operation.kind {
                    Kind::Read | Kind::Cas => operation.first == value,
                    Kind::Refused => operation.first == arrangement.state,
                    _ => false,
                }
        };
        self.reached_by_twins.contains(&value) || self.open.iter().any(observes)
    }

    /// Places a write with an answer.
    fn with_write(&mut self, mut arrangement: Arrangement, row: u32) -> Arrangement {
        self.cover(&mut arrangement);
        arrangement.used |= self.plan.slot(row);
        arrangement.state = self.plan.rows[row as usize].first;
        self.path.record(&mut arrangement, row);
        arrangement
    }

    /// Whether a write, even of what is there already, would cover an open one other than `itself`.
    fn covers(&self, arrangement: &Arrangement, itself: Slots) -> bool {
        self.writes & !arrangement.done & !itself != 0
    }

    /// Covers the open writes: a write is about to follow.
    fn cover(&mut self, arrangement: &mut Arrangement) {
        let covered = self.writes & !arrangement.done;
        if covered == 0 {
            return;
        }
        for row in &self.open {
            if covered & self.plan.slot(*row) != 0 {
                self.path.record(arrangement, *row);
            }
        }
        arrangement.done |= covered;
    }

    /// Places what the value allows and what does not change it; none if one that is left can never be served.
    fn settled(&mut self, mut arrangement: Arrangement) -> Option<Arrangement> {
        self.steps += 1;
        let mut is_hopeless = false;
        for index in 0..self.open.len() {
            let row = self.open[index];
            let slot = self.plan.slot(row);
            if arrangement.done & slot != 0 {
                continue;
            }
            let operation = &self.plan.rows[row as usize];
            let is_there = operation.first == arrangement.state;
            match operation.kind {
                // A write of what is there already changes nothing either, and is still free to be placed.
                Kind::Read | Kind::Write if is_there => {}
                Kind::Refused if !is_there => {}
                Kind::Read | Kind::Cas if !is_there => {
                    is_hopeless |= !self.can_be_served(&arrangement, row, operation.first);
                    continue;
                }
                _ => continue,
            }
            arrangement.done |= slot;
            self.path.record(&mut arrangement, row);
        }
        (!is_hopeless).then_some(arrangement)
    }

    /// Whether something may still write `value` before `row` ends.
    fn can_be_served(&self, arrangement: &Arrangement, row: u32, value: u32) -> bool {
        let plan = self.plan;
        let is_left = |other: &u32| {
            let (operation, slot) = (&plan.rows[*other as usize], plan.slot(*other));
            match operation.kind {
                Kind::Write => operation.first == value && arrangement.used & slot == 0,
                Kind::Cas => operation.second == value && arrangement.done & slot == 0,
                _ => false,
            }
        };
        let is_left_twin = |index: &u32| {
            let twins = &plan.twins[*index as usize];
            (arrangement.spent(*index) as usize) < twins.members.len()
        };
        plan.has_later_writer(row, self.at)
            || self.open.iter().any(is_left)
            || plan.twins_that_write.get(&value).is_some_and(|twins| twins.iter().any(is_left_twin))
    }

    /// Finds the values from which unknown compare-and-sets lead to what open operations observe.
    fn look_behind_twins(&mut self) {
        self.reached_by_twins.clear();
        if self.plan.twins_that_expect.is_empty() || self.at().is_none() {
            return;
        }
        let observed = self.open.iter().map(|row| &self.plan.rows[*row as usize]);
        let observed = observed.filter(|row| matches!(row.kind, Kind::Read | Kind::Cas));
        let mut targets: Vec<u32> = observed.map(|row| row.first).collect();
        let has_refused = self.open.iter().any(|row| self.plan.rows[*row as usize].kind == Kind::Refused);
        if has_refused {
            self.reached_by_twins.extend(self.plan.twins_that_expect.keys());
            return;
        }
        while let Some(target) = targets.pop() {
            for index in self.plan.twins_that_write.get(&target).into_iter().flatten() {
                let twins = &self.plan.twins[*index as usize];
                let has_begun = twins.members.first().is_some_and(|(begins, _)| *begins < self.at);
                if !twins.is_write && has_begun && !self.reached_by_twins.contains(&twins.first) {
                    self.reached_by_twins.push(twins.first);
                    targets.push(twins.first);
                }
            }
        }
    }
}
