//! The dependencies between transactions, as a graph.
//!
//! The first nodes are the transactions of the history, by their index. Further nodes stand for moments:
//! "everything that ended by now", "everyone who saw the last version". An edge into such a node says
//! why its source is before the moment, and [`Link::Then`] leads on from there at no cost. So an order
//! that holds between many pairs costs a few edges a transaction and not one a pair.

use super::anomaly::Order;
use super::history::{Key, Value};

/// A transaction or a moment.
pub(super) type Node = u32;

/// Why one transaction is before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// The second replaced what the first wrote, or appended after it.
    Ww,
    /// The second read what the first wrote.
    Wr,
    /// The second wrote after what the first read.
    Rw,
    /// The same client sent the first and then the second.
    Process,
    /// The first ended before the second began.
    RealTime,
    /// Goes on from a moment.
    Then,
}

/// A set of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Links(u8);

impl Links {
    pub(super) const ALL: Self = Self(u8::MAX);

    pub(super) const fn without(self, link: Link) -> Self {
        Self(self.0 & !(1 << link as u8))
    }

    pub(super) fn contains(self, link: Link) -> bool {
        self.0 & (1 << link as u8) != 0
    }
}

/// What a dependency is about. It is quoted in explanations only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) key: Key,
    /// The version that the first transaction wrote or read; none for the initial one.
    pub(super) earlier: Option<Value>,
    /// The version that the second transaction wrote or read.
    pub(super) later: Option<Value>,
}

/// One dependency.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) link: Link,
    /// Which order beyond the data the dependency rests on.
    pub(super) order: Order,
    pub(super) about: Option<About>,
}

/// Collects edges.
#[derive(Debug)]
pub(super) struct GraphBuilder {
    transactions: u32,
    nodes: u32,
    edges: Vec<Edge>,
}

impl GraphBuilder {
    pub(super) fn new(transactions: usize) -> Self {
        let transactions = u32::try_from(transactions).expect("fewer than 2^32 transactions fit into memory");
        Self { transactions, nodes: transactions, edges: Vec::new() }
    }

    /// Adds a node that stands for a moment.
    pub(super) fn moment(&mut self) -> Node {
        let node = self.nodes;
        self.nodes = node.checked_add(1).expect("fewer than 2^32 nodes fit into memory");
        node
    }

    /// Adds an edge. Nothing comes before itself.
    pub(super) fn link(&mut self, from: Node, to: Node, link: Link, order: Order, about: Option<About>) {
        if from != to {
            self.edges.push(Edge { from, to, link, order, about });
        }
    }

    pub(super) fn build(self) -> Graph {
        let mut offsets = vec![0; self.nodes as usize + 1];
        for edge in &self.edges {
            offsets[edge.from as usize + 1] += 1;
        }
        for node in 0..self.nodes as usize {
            offsets[node + 1] += offsets[node];
        }
        let mut edges = self.edges;
        // Stable, so that the graph depends on nothing but the history.
        edges.sort_by_key(|edge| edge.from);
        Graph { transactions: self.transactions, offsets, edges }
    }
}

/// A finished graph.
#[derive(Debug)]
pub(super) struct Graph {
    transactions: u32,
    offsets: Vec<usize>,
    edges: Vec<Edge>,
}

impl Graph {
    pub(super) fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether the node is a transaction and not a moment.
    pub(super) fn is_transaction(&self, node: Node) -> bool {
        node < self.transactions
    }

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The same graph with further edges between its nodes.
    pub(super) fn with(self, further: impl IntoIterator<Item = Edge>) -> Self {
        let mut edges = self.edges;
        edges.extend(further);
        GraphBuilder { transactions: self.transactions, nodes: self.offsets.len() as u32 - 1, edges }.build()
    }

    /// The nodes in an order that every edge keeps to; those on a cycle, and after one, are left out.
    pub(super) fn topological_order(&self) -> Vec<Node> {
        let mut waiting_for = vec![0_u32; self.nodes()];
        for edge in &self.edges {
            waiting_for[edge.to as usize] += 1;
        }
        let is_free = |node: &Node| waiting_for[*node as usize] == 0;
        let mut order: Vec<Node> = (0..self.nodes() as Node).filter(is_free).collect();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for edge in self.from(node) {
                let to = self.edges[edge].to;
                waiting_for[to as usize] -= 1;
                if waiting_for[to as usize] == 0 {
                    order.push(to);
                }
            }
        }
        order
    }

    /// For each node the nodes with an edge to it.
    pub(super) fn reversed(&self) -> Reversed {
        let mut offsets = vec![0; self.nodes() + 1];
        for edge in &self.edges {
            offsets[edge.to as usize + 1] += 1;
        }
        for node in 0..self.nodes() {
            offsets[node + 1] += offsets[node];
        }
        let mut next = offsets.clone();
        let mut sources = vec![0; self.edges.len()];
        for edge in &self.edges {
            let position = &mut next[edge.to as usize];
            sources[*position] = edge.from;
            *position += 1;
        }
        Reversed { offsets, sources }
    }

    /// The edges that leave a node, as positions in [`Graph::edges`].
    pub(super) fn from(&self, node: Node) -> std::ops::Range<usize> {
        self.offsets[node as usize]..self.offsets[node as usize + 1]
    }
}

/// Where the edges of a graph come from.
#[derive(Debug)]
pub(super) struct Reversed {
    offsets: Vec<usize>,
    sources: Vec<Node>,
}

impl Reversed {
    /// The nodes with an edge to this one.
    pub(super) fn before(&self, node: Node) -> &[Node] {
        &self.sources[self.offsets[node as usize]..self.offsets[node as usize + 1]]
    }
}

/// The edges that a search may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) links: Links,
    pub(super) order: Order,
}

impl Allowed {
    pub(super) fn contains(self, edge: &Edge) -> bool {
        self.links.contains(edge.link) && edge.order <= self.order
    }
}
