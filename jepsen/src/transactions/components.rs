//! Strongly connected components: what can reach itself lies on a cycle.
//!
//! Tarjan's algorithm (*Depth-first search and linear graph algorithms*, 1972), with the stack of calls
//! kept by hand because a history is deeper than a thread's stack.

use super::graph::{Allowed, Graph, Node};

const UNVISITED: u32 = u32::MAX;

/// The components of a part of a graph.
#[derive(Debug)]
pub(super) struct Components {
    of: Vec<u32>,
    /// For each component how many transactions it holds.
    transactions: Vec<u32>,
}

impl Components {
    pub(super) fn find(graph: &Graph, allowed: Allowed) -> Self {
        let mut search = Search {
            graph,
            allowed,
            next: 0,
            visited: vec![UNVISITED; graph.nodes()],
            lowest: vec![0; graph.nodes()],
            stack: Vec::new(),
            found: Self { of: vec![UNVISITED; graph.nodes()], transactions: Vec::new() },
        };
        for node in 0..graph.nodes() as Node {
            if search.visited[node as usize] == UNVISITED {
                search.run(node);
            }
        }
        search.found
    }

    /// The component that holds a node.
    pub(super) fn of(&self, node: Node) -> u32 {
        self.of[node as usize]
    }

    /// Whether any two transactions lie on a cycle.
    pub(super) fn any_cyclic(&self) -> bool {
        self.transactions.iter().any(|transactions| *transactions > 1)
    }

    /// The component that holds both nodes, if there is a cycle in it.
    pub(super) fn cyclic_with(&self, from: Node, to: Node) -> Option<u32> {
        let component = self.of(from);
        (component == self.of(to) && self.transactions[component as usize] > 1).then_some(component)
    }
}

struct Search<'a> {
    graph: &'a Graph,
    allowed: Allowed,
    next: u32,
    /// When a node was first met.
    visited: Vec<u32>,
    /// The earliest node on the stack that a node is known to reach.
    lowest: Vec<u32>,
    stack: Vec<Node>,
    found: Components,
}

impl Search<'_> {
    fn run(&mut self, root: Node) {
        let mut calls = vec![(root, self.enter(root))];
        while let Some((node, edges)) = calls.last_mut() {
            let node = *node;
            let Some(edge) = edges.next() else {
                calls.pop();
                self.leave(node, calls.last().map(|(caller, _)| *caller));
                continue;
            };
            let edge = &self.graph.edges()[edge];
            if !self.allowed.contains(edge) {
                continue;
            }
            let to = edge.to;
            if self.visited[to as usize] == UNVISITED {
                let edges = self.enter(to);
                calls.push((to, edges));
            } else if self.found.of(to) == UNVISITED {
                self.lower(node, self.visited[to as usize]);
            }
        }
    }

    fn enter(&mut self, node: Node) -> std::ops::Range<usize> {
        self.visited[node as usize] = self.next;
        self.lowest[node as usize] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.graph.from(node)
    }

    fn leave(&mut self, node: Node, caller: Option<Node>) {
        let lowest = self.lowest[node as usize];
        if let Some(caller) = caller {
            self.lower(caller, lowest);
        }
        if lowest != self.visited[node as usize] {
            return;
        }
        let component = self.found.transactions.len() as u32;
        let mut transactions = 0;
        loop {
            let member = self.stack.pop().expect("the root of a component is on the stack");
            self.found.of[member as usize] = component;
            transactions += u32::from(self.graph.is_transaction(member));
            if member == node {
                break;
            }
        }
        self.found.transactions.push(transactions);
    }

    fn lower(&mut self, node: Node, reached: u32) {
        let lowest = &mut self.lowest[node as usize];
        *lowest = reached.min(*lowest);
    }
}
