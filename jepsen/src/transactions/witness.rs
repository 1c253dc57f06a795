//! An order that explains a history.
//!
//! Transactions are taken one after the other as soon as everything that must come before them is taken.
//! Lists need no more than that. The order of the values of a register is not always known, and there the
//! [`Scheduler`] has to choose. If it gets stuck, what it could not take is looked through for
//! dependencies that nobody had inferred, and it starts again with them. They either help it to choose
//! better, or close a cycle, which convicts. If there are none, nobody knows.

use super::anomaly::{Guarantee, Order};
use super::cycles::{Cycle, find_cycles};
use super::graph::Graph;
use super::history::{TransactionHistory, TransactionIndex};
use super::observations::Observations;
use super::saturation::infer;
use super::scheduler::Scheduler;
use super::writes::Writes;
use crate::patience::Patience;

/// How often the scheduler may start again.
const ROUNDS_MAX: usize = 50;

/// How many transactions it may look at in all, once it has started three times.
const TRANSACTIONS_MAX: usize = 1_000_000;

/// What the search for an order came to.
pub(super) enum Search {
    /// An order of all committed transactions.
    Order(Vec<TransactionIndex>),
    /// There is none.
    Cycles(Vec<Cycle>),
    /// Only so many transactions could be ordered, perhaps because the caller's limits were reached.
    Stuck(usize),
}

/// Looks for an order of all committed transactions. The graph has no cycles.
pub(super) fn find_order(
    history: &TransactionHistory,
    guarantee: Guarantee,
    writes: &Writes,
    observations: &Observations,
    committed: &[bool],
    mut graph: Graph,
    patience: &Patience<'_>,
) -> Search {
    let wanted = committed.iter().filter(|committed| **committed).count();
    let orders = [Order::RealTime, Order::Process, Order::Data];
    let strongest = orders.into_iter().find(|order| order.is_promised_by(guarantee)).unwrap_or(Order::Data);
    let mut longest = 0;
    for _ in 0..(TRANSACTIONS_MAX / wanted.max(1)).clamp(3, ROUNDS_MAX) {
        let (order, taken) = Scheduler::new(history, writes, observations, committed, &graph, patience).run();
        if order.len() == wanted {
            return Search::Order(order);
        }
        longest = longest.max(order.len());
        if patience.is_over(wanted) {
            break;
        }
        let inferred = infer(history, writes, observations, &graph, &taken, strongest, patience);
        if inferred.is_empty() {
            break;
        }
        graph = graph.with(inferred);
        let cycles = find_cycles(&graph, history, guarantee, patience);
        if !cycles.is_empty() {
            return Search::Cycles(cycles);
        }
    }
    Search::Stuck(longest)
}
