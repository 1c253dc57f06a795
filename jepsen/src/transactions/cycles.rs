//! The shortest cycles of each kind.
//!
//! For each order (the data alone, then with that of clients, then with that of time) and for each kind
//! the search looks at the strongly connected components of the edges that the kind allows. A component
//! with two transactions holds a cycle. From every edge of the kind inside it a breadth-first search
//! looks for the shortest way back. A kind that was found without an order is not looked for with one.
//!
//! The number of steps is limited, since a broken store can leave one component of a hundred thousand
//! transactions. The limit never hides that there is a cycle: it only may leave a cycle longer than
//! need be, or named by more *rw* than the best one has.

use std::collections::{BTreeMap, VecDeque};

use super::anomaly::{AnomalyKind, Guarantee, Order};
use super::components::Components;
use super::graph::{About, Allowed, Edge, Graph, Link, Links, Node};
use super::history::{TransactionHistory, TransactionIndex};
use crate::patience::Patience;

/// Edges that the search for one kind of cycle may follow.
const STEPS_MAX: u64 = 20_000_000;

/// Cycles of one name that are kept.
const EXAMPLES_MAX: usize = 4;

/// One step of a cycle, from one transaction to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) from: TransactionIndex,
    pub(super) to: TransactionIndex,
    pub(super) link: Link,
    pub(super) order: Order,
    pub(super) about: Option<About>,
}

/// Transactions of which each is before the next, and the last before the first.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) hops: Vec<Hop>,
}

impl Cycle {
    /// Starts the cycle at the transaction that was recorded first.
    fn new(mut hops: Vec<Hop>) -> Self {
        let first = (0..hops.len()).min_by_key(|position| hops[*position].from);
        hops.rotate_left(first.expect("a cycle has hops"));
        Self { hops }
    }

    pub(super) fn kind(&self) -> AnomalyKind {
        let count = |link| self.hops.iter().filter(|hop| hop.link == link).count();
        match (count(Link::Rw), count(Link::Wr)) {
            (0, 0) => AnomalyKind::G0,
            (0, _) => AnomalyKind::G1c,
            (1, _) => AnomalyKind::GSingle,
            _ => AnomalyKind::G2,
        }
    }

    pub(super) fn order(&self) -> Order {
        self.hops.iter().map(|hop| hop.order).max().expect("a cycle has hops")
    }
}

/// How to look for one kind of cycle.
struct Shape {
    kind: AnomalyKind,
    /// Links of the components in which such a cycle lies.
    around: Links,
    /// A link that every such cycle has.
    through: Link,
    /// Links of the rest of the cycle.
    back: Links,
}

const SHAPES: [Shape; 4] = [
    Shape {
        kind: AnomalyKind::G0,
        around: Links::ALL.without(Link::Rw).without(Link::Wr),
        through: Link::Ww,
        back: Links::ALL.without(Link::Rw).without(Link::Wr),
    },
    Shape {
        kind: AnomalyKind::G1c,
        around: Links::ALL.without(Link::Rw),
        through: Link::Wr,
        back: Links::ALL.without(Link::Rw),
    },
    Shape {
        kind: AnomalyKind::GSingle,
        around: Links::ALL,
        through: Link::Rw,
        back: Links::ALL.without(Link::Rw),
    },
    Shape { kind: AnomalyKind::G2, around: Links::ALL, through: Link::Rw, back: Links::ALL },
];

/// Finds cycles of every kind that the guarantee forbids. Once the caller's limits are reached, it leaves
/// some out.
pub(super) fn find_cycles(
    graph: &Graph,
    history: &TransactionHistory,
    guarantee: Guarantee,
    patience: &Patience<'_>,
) -> Vec<Cycle> {
    let mut finder = Finder { graph, history, patience, walk: Walk::new(graph), found: Vec::new() };
    for order in [Order::Data, Order::Process, Order::RealTime] {
        if !order.is_promised_by(guarantee) || patience.is_over(graph.nodes()) {
            break;
        }
        if !Components::find(graph, Allowed { links: Links::ALL, order }).any_cyclic() {
            continue;
        }
        for shape in &SHAPES {
            let is_known = finder.found.iter().any(|cycle| cycle.kind() == shape.kind);
            if order == Order::Data || !is_known {
                finder.find(shape, order);
            }
        }
    }
    finder.found
}

struct Finder<'a> {
    graph: &'a Graph,
    history: &'a TransactionHistory,
    patience: &'a Patience<'a>,
    walk: Walk,
    found: Vec<Cycle>,
}

impl Finder<'_> {
    /// Adds the shortest cycles of one shape, one for each component.
    fn find(&mut self, shape: &Shape, order: Order) {
        let components = Components::find(self.graph, Allowed { links: shape.around, order });
        let mut shortest: BTreeMap<u32, Cycle> = BTreeMap::new();
        let explained: Vec<u32> = match shape.kind {
            // What a cycle with fewer rw explains is not told again.
            AnomalyKind::G2 => {
                self.found.iter().map(|cycle| components.of(cycle.hops[0].from as Node)).collect()
            }
            _ => Vec::new(),
        };
        let back = Allowed { links: shape.back, order };
        let mut steps_left = STEPS_MAX;
        let mut steps_told = 0;
        for (position, edge) in self.graph.edges().iter().enumerate() {
            if edge.link != shape.through || edge.order > order {
                continue;
            }
            let Some(component) = components.cyclic_with(edge.from, edge.to) else { continue };
            let best = shortest.get(&component).map_or(usize::MAX, |cycle| cycle.hops.len());
            let is_certain = best == usize::MAX && shape.kind != AnomalyKind::GSingle;
            let steps = (STEPS_MAX - steps_left) as usize;
            if self.patience.is_over(steps - std::mem::replace(&mut steps_told, steps)) {
                break;
            }
            if best <= 2 || explained.contains(&component) || (steps_left == 0 && !is_certain) {
                continue;
            }
            let cycle = match self.contradicted_by_time(edge, order) {
                Some(cycle) => Some(cycle),
                None => self.walk.around(self.graph, &components, position, back, best - 1, &mut steps_left),
            };
            if let Some(cycle) = cycle {
                shortest.insert(component, cycle);
            }
        }
        let mut cycles: Vec<Cycle> = shortest.into_values().collect();
        cycles.sort_by_key(|cycle| (cycle.hops.len(), cycle.hops[0].from));
        cycles.truncate(EXAMPLES_MAX);
        self.found.extend(cycles);
    }

    /// The cycle of two transactions of which the second ended before the first began. It is the most
    /// frequent one and needs no search.
    fn contradicted_by_time(&self, edge: &Edge, order: Order) -> Option<Cycle> {
        if order < Order::RealTime || !self.graph.is_transaction(edge.to) {
            return None;
        }
        let (from, to) = (edge.from as usize, edge.to as usize);
        let transactions = self.history.transactions();
        transactions[to].is_before(&transactions[from]).then(|| {
            let there = Hop { from, to, link: edge.link, order: edge.order, about: edge.about };
            let back = Hop { from: to, to: from, link: Link::RealTime, order: Order::RealTime, about: None };
            Cycle::new(vec![there, back])
        })
    }
}

/// A breadth-first search, with its tables kept from one use to the next.
struct Walk {
    round: u32,
    /// The round in which a node was last reached.
    reached: Vec<u32>,
    distance: Vec<u32>,
    /// The edge by which it was reached.
    via: Vec<usize>,
}

impl Walk {
    fn new(graph: &Graph) -> Self {
        let nodes = graph.nodes();
        Self { round: 0, reached: vec![0; nodes], distance: vec![0; nodes], via: vec![0; nodes] }
    }

    /// The shortest cycle through an edge, of at most `hops_max` hops.
    fn around(
        &mut self,
        graph: &Graph,
        components: &Components,
        through: usize,
        back: Allowed,
        hops_max: usize,
        steps_left: &mut u64,
    ) -> Option<Cycle> {
        let edge = &graph.edges()[through];
        let component = components.of(edge.from);
        self.round += 1;
        self.reach(edge.to, 1, through);
        let mut queue = VecDeque::from([(edge.to, 1)]);
        while let Some((node, distance)) = queue.pop_front() {
            if node == edge.from {
                return Some(self.cycle(graph, edge.from));
            }
            if self.distance[node as usize] < distance {
                continue;
            }
            for position in graph.from(node) {
                *steps_left = steps_left.saturating_sub(1);
                let next = &graph.edges()[position];
                let cost = u32::from(next.link != Link::Then);
                let farther = distance + cost;
                let is_worse = self.reached[next.to as usize] == self.round
                    && self.distance[next.to as usize] <= farther;
                if !back.contains(next)
                    || components.of(next.to) != component
                    || is_worse
                    || farther as usize > hops_max
                {
                    continue;
                }
                self.reach(next.to, farther, position);
                match cost {
                    0 => queue.push_front((next.to, farther)),
                    _ => queue.push_back((next.to, farther)),
                }
            }
        }
        None
    }

    fn reach(&mut self, node: Node, distance: u32, via: usize) {
        self.reached[node as usize] = self.round;
        self.distance[node as usize] = distance;
        self.via[node as usize] = via;
    }

    /// The way by which a node was reached from itself.
    fn cycle(&self, graph: &Graph, node: Node) -> Cycle {
        let mut edges = Vec::new();
        let mut at = node;
        loop {
            let edge = &graph.edges()[self.via[at as usize]];
            edges.push(edge);
            at = edge.from;
            if at == node {
                break;
            }
        }
        edges.reverse();
        let mut hops: Vec<Hop> = Vec::new();
        for edge in edges {
            let to = edge.to as usize;
            match hops.last_mut() {
                Some(hop) if edge.link == Link::Then => {
                    hop.to = to;
                    hop.order = hop.order.max(edge.order);
                    if let (Some(about), Some(at_the_end)) = (&mut hop.about, edge.about) {
                        about.later = at_the_end.later;
                    }
                }
                _ => {
                    let from = edge.from as usize;
                    hops.push(Hop { from, to, link: edge.link, order: edge.order, about: edge.about });
                }
            }
        }
        Cycle::new(hops)
    }
}
