//! When each transaction can have happened.
//!
//! A transaction happens within its own interval, after the earliest moment of everything before it and
//! before the latest of everything after it. A writer whose reader was answered early must have been
//! early itself, even if nobody knows how it ended.

use super::graph::Graph;
use super::history::TransactionHistory;

/// The earliest and the latest time of each node. The graph has no cycles.
pub(super) fn windows(history: &TransactionHistory, graph: &Graph) -> Vec<(u64, u64)> {
    let mut windows = vec![(0, u64::MAX); graph.nodes()];
    for (window, transaction) in windows.iter_mut().zip(history.transactions()) {
        *window = (transaction.invoked, transaction.deadline().unwrap_or(u64::MAX));
    }
    let order = graph.topological_order();
    for node in &order {
        let (earliest, _) = windows[*node as usize];
        for edge in graph.from(*node) {
            let next = &mut windows[graph.edges()[edge].to as usize];
            next.0 = earliest.max(next.0);
        }
    }
    for node in order.iter().rev() {
        for edge in graph.from(*node) {
            let (_, latest) = windows[graph.edges()[edge].to as usize];
            let window = &mut windows[*node as usize];
            window.1 = latest.min(window.1);
        }
    }
    windows
}
