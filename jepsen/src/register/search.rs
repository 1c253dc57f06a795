//! The search for an order of the operations on one register, where values repeat.
//!
//! It walks through the events of the key in the order of time. An arrangement is one way in which the
//! operations so far may have happened, reduced to what matters later: the value, and what has become of
//! each open operation. Operations are placed no earlier than somebody's end needs them (just in time,
//! Lowe 2017). What keeps the number of arrangements small, and why each is sound:
//!
//! - **Reads at once.** A read or a refused compare-and-set that the value allows is placed as soon as it is
//!   open: it changes nothing.
//! - **Covered writes.** A write that nobody observes before the next write can be put directly before
//!   that one. So when a write is placed, every other open write is *covered*: it may be forgotten when it
//!   ends. It is still free to be placed where it is observed. Without this rule the set of open writes that
//!   have happened would double the search for each of them.
//! - **Only to be observed.** Hence a write is placed only where an open operation observes it, or at its
//!   own end.
//! - **Twins.** Of open writes of one value, the one that ends first is placed first; of unknown operations
//!   that ask the same, any.
//! - **Dominance.** Of two arrangements with the same value, one that has placed all that the other has,
//!   and used none of the writes that the other has left, can do all that the other can.
//! - **Lookahead.** An arrangement dies as soon as an open read has no writer left that could serve it.
//!
//! Two walks over the same arrangements compete: [`Breadth`] keeps all of them at one
//! event and decides wrong histories, [`Depth`] follows the first to the end and finds an order of right ones
//! early. Each gets a slice of steps in turn; whichever ends first has the answer, which does not depend on
//! the other.

mod arrangement;
mod breadth;
mod depth;
mod plan;
mod walk;

use super::rows::Row;
use super::verdict::LimitReached;
use breadth::Breadth;
use depth::Depth;
use plan::Plan;

/// Steps of the first slice; each further slice is half as long again.
const FIRST_SLICE: u64 = 20_000;
/// Steps of the longest slice: limits are looked at in between.
const SLICE_MAX: u64 = 200_000;

/// How a search ended. Rows are positions among those that were searched.
pub(super) enum SearchOutcome {
    /// An order that explains every answer.
    Order(Vec<u32>),
    /// There is none: no arrangement survives the end of this row.
    Stuck(usize),
    /// A limit was reached.
    Limit(LimitReached),
}

/// What one search may spend.
#[derive(Clone, Copy)]
pub(super) struct Budget<'a> {
    pub(super) steps_max: u64,
    pub(super) bytes_max: usize,
    pub(super) is_time_up: &'a (dyn Fn() -> bool + Sync),
}

/// What a walk has come to when its slice is used up.
enum Progress {
    Running,
    Order(Vec<u32>),
    Stuck(usize),
}

/// Searches `rows`, which are in the order in which they began, from a register that holds one of
/// `initial`.
///
/// Returns the steps that it took as well.
pub(super) fn search(rows: &[Row], initial: &[u32], budget: Budget<'_>) -> (SearchOutcome, u64) {
    let Some(plan) = Plan::new(rows) else {
        return (SearchOutcome::Limit(LimitReached::Clients(plan::OPEN_MAX)), 0);
    };
    let mut breadth = Breadth::new(&plan, initial);
    let mut depth = Depth::new(&plan, initial);
    let mut slice = FIRST_SLICE;
    loop {
        for turn in 0..2 {
            let progress = if turn == 0 { depth.advance(slice) } else { breadth.advance(slice) };
            let steps = breadth.steps() + depth.steps();
            let bytes = breadth.bytes() + depth.bytes();
            let outcome = match progress {
                Progress::Order(order) => SearchOutcome::Order(order),
                Progress::Stuck(row) => SearchOutcome::Stuck(row),
                Progress::Running if steps > budget.steps_max => {
                    SearchOutcome::Limit(LimitReached::Steps(budget.steps_max))
                }
                Progress::Running if bytes > budget.bytes_max => {
                    SearchOutcome::Limit(LimitReached::Memory(budget.bytes_max))
                }
                Progress::Running if (budget.is_time_up)() => SearchOutcome::Limit(LimitReached::Time),
                Progress::Running => continue,
            };
            return (outcome, steps);
        }
        slice = (slice + slice / 2).min(SLICE_MAX);
    }
}
