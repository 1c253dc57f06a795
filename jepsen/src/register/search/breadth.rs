//! The walk that keeps every arrangement of one event.

use super::Progress;
use super::arrangement::Arrangement;
use super::plan::Plan;
use super::walk::Walk;

/// Arrangements of which none dominates another.
#[derive(Default)]
pub(super) struct Frontier {
    members: Vec<Arrangement>,
    pub(super) comparisons: u64,
}

impl Frontier {
    /// Adds an arrangement unless another dominates it, and removes those that it dominates. Returns
    /// whether it was added.
    pub(super) fn insert(&mut self, arrangement: Arrangement) -> bool {
        self.comparisons += self.members.len() as u64;
        if self.members.iter().any(|other| other.dominates(&arrangement)) {
            return false;
        }
        self.members.retain(|other| !arrangement.dominates(other));
        self.members.push(arrangement);
        true
    }

    pub(super) fn bytes(&self) -> usize {
        self.members.iter().map(Arrangement::bytes).sum()
    }
}

/// A search that keeps all arrangements of an event before it goes on to the next.
pub(super) struct Breadth<'a> {
    walk: Walk<'a>,
    /// The arrangements at the event that have not gone on yet.
    waiting: Vec<Arrangement>,
    next: Frontier,
    bytes: usize,
}

impl<'a> Breadth<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, initial: &[u32]) -> Self {
        let waiting = initial.iter().map(|state| Arrangement::new(*state)).collect();
        Self { walk: Walk::new(plan), waiting, next: Frontier::default(), bytes: 0 }
    }

    /// Goes on for some steps.
    pub(super) fn advance(&mut self, steps: u64) -> Progress {
        let stop = self.steps() + steps;
        let mut followed = Vec::new();
        while let Some(at) = self.walk.at() {
            while let Some(arrangement) = self.waiting.pop() {
                if self.steps() >= stop {
                    self.waiting.push(arrangement);
                    return Progress::Running;
                }
                self.walk.follow(arrangement, &mut followed);
                for arrangement in followed.drain(..) {
                    self.next.insert(arrangement);
                }
            }
            if self.next.members.is_empty() {
                return Progress::Stuck(self.walk.plan.events[at as usize].row as usize);
            }
            self.bytes = self.next.bytes();
            self.waiting.append(&mut self.next.members);
            self.waiting.reverse();
            self.walk.go_forward();
        }
        let survivor = self.waiting.last().expect("the last event left an arrangement");
        Progress::Order(self.walk.path.order(survivor, self.walk.plan.rows.len()))
    }

    /// Steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.walk.steps + self.next.comparisons / 8
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.walk.path.bytes()
    }
}
