//! Dependencies that follow from others.
//!
//! If a transaction read the value of one that wrote a key, then everyone else who wrote the key came
//! before that writer or after the reader. So
//!
//! - whoever wrote the key and must come before the reader must come before the writer, and
//! - whoever wrote the key and must come after the writer must come after the reader.
//!
//! To look at all readers and all that comes before them would take the square of the history. It is done
//! for those only that could not be put into an order.

use super::anomaly::Order;
use super::graph::{About, Edge, Graph, Link, Node, Reversed};
use super::history::{Key, Seen, Step, TransactionHistory, TransactionIndex, Value};
use super::observations::{ExternalRead, Observations};
use super::writes::Writes;
use crate::patience::Patience;

/// Nodes that one round may look at.
const STEPS_MAX: usize = 20_000_000;

/// Nodes that are looked at from one node; what is farther away is not what the scheduler met.
const REACHED_MAX: usize = 5_000;

/// New dependencies among transactions of which at least one is not taken.
pub(super) fn infer(
    history: &TransactionHistory,
    writes: &Writes,
    observations: &Observations,
    graph: &Graph,
    taken: &[bool],
    order: Order,
    patience: &Patience<'_>,
) -> Vec<Edge> {
    let reversed = graph.reversed();
    let mut inference = Inference {
        history,
        graph,
        reversed: &reversed,
        taken,
        order,
        seen: vec![0; graph.nodes()],
        round: 0,
        steps_left: STEPS_MAX,
        edges: Vec::new(),
    };
    for read in &observations.reads {
        let Seen::Value(value) = read.seen else { continue };
        if taken[read.transaction] || inference.steps_left == 0 || patience.is_over(REACHED_MAX) {
            continue;
        }
        if let Some(written) = writes.find(read.key, value) {
            inference.look_before(read, written.transaction, value);
            inference.look_after(read, written.transaction, value);
        }
    }
    inference.edges
}

struct Inference<'a> {
    history: &'a TransactionHistory,
    graph: &'a Graph,
    reversed: &'a Reversed,
    taken: &'a [bool],
    order: Order,
    /// The round in which a node was last seen.
    seen: Vec<u32>,
    round: u32,
    steps_left: usize,
    edges: Vec<Edge>,
}

impl Inference<'_> {
    /// Whoever wrote the key before the reader wrote it before the writer.
    fn look_before(&mut self, read: &ExternalRead, writer: TransactionIndex, value: Value) {
        let (graph, reversed) = (self.graph, self.reversed);
        let before = self.reach(read.transaction as Node, |node, found| found.extend(reversed.before(node)));
        // Those before the writer are known to be.
        let known = self.reach(writer as Node, |node, found| found.extend(reversed.before(node)));
        for other in difference(graph, before, &known, [read.transaction, writer]) {
            if let Some(earlier) = self.last_write(other, read.key) {
                self.infer(other, writer, read.key, (Some(earlier), Some(value)));
            }
        }
    }

    /// Whoever wrote the key after the writer wrote it after the reader.
    fn look_after(&mut self, read: &ExternalRead, writer: TransactionIndex, value: Value) {
        let graph = self.graph;
        let successors = |node, found: &mut Vec<Node>| {
            found.extend(graph.from(node).map(|edge| graph.edges()[edge].to));
        };
        let after = self.reach(writer as Node, successors);
        let known = self.reach(read.transaction as Node, successors);
        for other in difference(graph, after, &known, [read.transaction, writer]) {
            if let Some(later) = self.last_write(other, read.key) {
                self.infer(read.transaction, other, read.key, (Some(value), Some(later)));
            }
        }
    }

    /// Everything that can be reached from a node by way of what is not taken, sorted.
    fn reach(&mut self, from: Node, neighbours: impl Fn(Node, &mut Vec<Node>)) -> Vec<Node> {
        self.round += 1;
        self.seen[from as usize] = self.round;
        let mut reached = vec![from];
        let mut next = 0;
        let mut found = Vec::new();
        while let Some(node) = reached.get(next).copied().filter(|_| next < REACHED_MAX) {
            next += 1;
            self.steps_left = self.steps_left.saturating_sub(1);
            neighbours(node, &mut found);
            for node in found.drain(..) {
                if self.seen[node as usize] != self.round && !self.taken[node as usize] {
                    self.seen[node as usize] = self.round;
                    reached.push(node);
                }
            }
        }
        reached.sort_unstable();
        reached
    }

    fn last_write(&self, transaction: TransactionIndex, key: Key) -> Option<Value> {
        self.history.steps(transaction).iter().rev().find_map(|step| match step {
            Step::Write { key: other, value } if *other == key => Some(*value),
            _ => None,
        })
    }

    fn infer(
        &mut self,
        from: TransactionIndex,
        to: TransactionIndex,
        key: Key,
        (earlier, later): (Option<Value>, Option<Value>),
    ) {
        let about = Some(About { key, earlier, later });
        let (from, to) = (from as Node, to as Node);
        self.edges.push(Edge { from, to, link: Link::Rw, order: self.order, about });
    }
}

/// The transactions that are in one sorted list and not in the other, but for two.
fn difference(
    graph: &Graph,
    nodes: Vec<Node>,
    known: &[Node],
    except: [TransactionIndex; 2],
) -> impl Iterator<Item = TransactionIndex> {
    let is_new = |node: &Node| {
        graph.is_transaction(*node)
            && known.binary_search(node).is_err()
            && !except.contains(&(*node as TransactionIndex))
    };
    nodes.into_iter().filter(is_new).map(|node| node as TransactionIndex).collect::<Vec<_>>().into_iter()
}
