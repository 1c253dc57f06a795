//! The walk that follows one arrangement as far as it goes.

use super::Progress;
use super::arrangement::Arrangement;
use super::breadth::Frontier;
use super::plan::Plan;
use super::walk::Walk;

/// A search that follows the first arrangement to the end, and goes back where it dies. It remembers every
/// arrangement that it has met, so it meets none twice.
pub(super) struct Depth<'a> {
    walk: Walk<'a>,
    /// For each event up to the one of the walk, the arrangements that have not been followed.
    waiting: Vec<Vec<Arrangement>>,
    /// For each event, the arrangements that were met.
    met: Vec<Frontier>,
    comparisons: u64,
    bytes: usize,
    deepest: u32,
}

impl<'a> Depth<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, initial: &[u32]) -> Self {
        let first = initial.iter().map(|state| Arrangement::new(*state)).collect();
        Self {
            walk: Walk::new(plan),
            waiting: vec![first],
            met: Vec::new(),
            comparisons: 0,
            bytes: 0,
            deepest: 0,
        }
    }

    /// Goes on for some steps.
    pub(super) fn advance(&mut self, steps: u64) -> Progress {
        let stop = self.steps() + steps;
        let mut followed = Vec::new();
        loop {
            let Some(at) = self.walk.at() else {
                let last = self.waiting.last().and_then(|last| last.last());
                let survivor = last.expect("the last event left an arrangement");
                return Progress::Order(self.walk.path.order(survivor, self.walk.plan.rows.len()));
            };
            if self.steps() >= stop {
                return Progress::Running;
            }
            self.deepest = self.deepest.max(at);
            let waiting = self.waiting.last_mut().expect("every event has a list");
            let Some(arrangement) = waiting.pop() else {
                if at == 0 {
                    return Progress::Stuck(self.walk.plan.events[self.deepest as usize].row as usize);
                }
                self.waiting.pop();
                self.walk.go_back();
                continue;
            };
            self.walk.follow(arrangement, &mut followed);
            if self.met.len() == at as usize {
                self.met.push(Frontier::default());
            }
            let met = &mut self.met[at as usize];
            let before = met.comparisons;
            // What asks for the least change comes first, and is followed first.
            followed.reverse();
            let bytes = &mut self.bytes;
            followed.retain(|arrangement| {
                let is_new = met.insert(arrangement.clone());
                *bytes += if is_new { arrangement.bytes() } else { 0 };
                is_new
            });
            self.comparisons += met.comparisons - before;
            if !followed.is_empty() {
                self.waiting.push(std::mem::take(&mut followed));
                self.walk.go_forward();
            }
        }
    }

    /// Steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.walk.steps + self.comparisons / 8
    }

    /// Bytes kept, at most.
    pub(super) fn bytes(&self) -> usize {
        2 * self.bytes + self.walk.path.bytes() + self.met.capacity() * size_of::<Frontier>()
    }
}
