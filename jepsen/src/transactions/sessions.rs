//! The order of each client's transactions, and the order of time.

use std::collections::BTreeMap;

use super::analysis::Analysis;
use super::anomaly::Order;
use super::graph::{Link, Node};
use super::history::TransactionIndex;

/// Links each committed transaction to the next one of its client.
pub(super) fn link_sessions(analysis: &mut Analysis<'_>) {
    let mut last: BTreeMap<u64, TransactionIndex> = BTreeMap::new();
    for (index, transaction) in analysis.history.transactions().iter().enumerate() {
        if !analysis.committed[index] {
            continue;
        }
        if let Some(previous) = last.insert(transaction.process, index)
            && analysis.history.transactions()[previous].deadline().is_some()
        {
            analysis.graph.link(previous as Node, index as Node, Link::Process, Order::Process, None);
        }
    }
}

/// Links each committed transaction to all that began after it had ended, through a chain of moments.
pub(super) fn link_time(analysis: &mut Analysis<'_>) {
    let transactions = analysis.history.transactions();
    let committed = (0..transactions.len()).filter(|index| analysis.committed[*index]);
    let mut ends: Vec<u64> = committed.clone().filter_map(|index| transactions[index].deadline()).collect();
    ends.sort_unstable();
    ends.dedup();
    let moments: Vec<Node> = ends.iter().map(|_| analysis.graph.moment()).collect();
    for pair in moments.windows(2) {
        analysis.graph.link(pair[0], pair[1], Link::Then, Order::RealTime, None);
    }
    for index in committed {
        let transaction = &transactions[index];
        if let Some(deadline) = transaction.deadline() {
            let moment = ends.partition_point(|end| *end < deadline);
            analysis.graph.link(index as Node, moments[moment], Link::RealTime, Order::RealTime, None);
        }
        if let Some(before) = ends.partition_point(|end| *end < transaction.invoked).checked_sub(1) {
            analysis.graph.link(moments[before], index as Node, Link::Then, Order::RealTime, None);
        }
    }
}
