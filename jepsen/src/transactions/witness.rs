//! An order that explains a history.
//!
//! Transactions are taken one after the other as soon as everything that must come before them is taken.
//! Lists need no more than that. A register may only be overwritten when everybody who saw its value is
//! taken; where that leaves a choice, the transaction that ended first goes first. The choice can be
//! wrong, and then no order is found although there may be one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{Graph, Node};
use super::history::{Seen, Step, TransactionHistory, TransactionIndex};
use super::observations::Observations;
use super::writes::Writes;

/// An order of all committed transactions, or how many could be ordered.
pub(super) fn find_order(
    history: &TransactionHistory,
    writes: &Writes,
    observations: &Observations,
    committed: &[bool],
    graph: &Graph,
) -> Result<Vec<TransactionIndex>, usize> {
    let wanted = committed.iter().filter(|committed| **committed).count();
    let mut longest = 0;
    for by in [By::End, By::Beginning] {
        let order = Scheduler::new(history, writes, observations, committed, graph, by).run();
        if order.len() == wanted {
            return Ok(order);
        }
        longest = longest.max(order.len());
    }
    Err(longest)
}

/// Which of several transactions goes first.
#[derive(Clone, Copy)]
enum By {
    End,
    Beginning,
}

/// A version of a register: the position of its write, or the initial one of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Initial(u32),
    Written(usize),
}

struct Scheduler<'a> {
    history: &'a TransactionHistory,
    writes: &'a Writes,
    graph: &'a Graph,
    committed: &'a [bool],
    by: By,
    /// For each node how many nodes before it are not taken.
    waiting_for: Vec<u32>,
    /// Readers of each written version that are not taken.
    readers: Vec<u32>,
    /// The same for the initial versions, by key.
    initial_readers: Vec<u32>,
    /// For each transaction the register versions that it found.
    found: Vec<Vec<(u32, Version)>>,
    /// What each register holds.
    current: Vec<Version>,
    /// Transactions that wait until nobody needs the value of a register.
    blocked: Vec<Vec<TransactionIndex>>,
    ready: BinaryHeap<Reverse<(u64, TransactionIndex)>>,
    order: Vec<TransactionIndex>,
}

impl<'a> Scheduler<'a> {
    fn new(
        history: &'a TransactionHistory,
        writes: &'a Writes,
        observations: &Observations,
        committed: &'a [bool],
        graph: &'a Graph,
        by: By,
    ) -> Self {
        let keys = history.keys_count();
        let mut scheduler = Self {
            history,
            writes,
            graph,
            committed,
            by,
            waiting_for: vec![0; graph.nodes()],
            readers: vec![0; writes.all().len()],
            initial_readers: vec![0; keys],
            found: vec![Vec::new(); committed.len()],
            current: (0..keys as u32).map(Version::Initial).collect(),
            blocked: vec![Vec::new(); keys],
            ready: BinaryHeap::new(),
            order: Vec::new(),
        };
        for edge in graph.edges() {
            scheduler.waiting_for[edge.to as usize] += 1;
        }
        for read in &observations.reads {
            let version = match read.seen {
                Seen::Nothing => Version::Initial(read.key.0),
                Seen::Value(value) => match writes.position(read.key, value) {
                    Some(position) => Version::Written(position),
                    None => continue,
                },
                Seen::List(_) | Seen::Unknown => continue,
            };
            *scheduler.readers_of(version) += 1;
            scheduler.found[read.transaction].push((read.key.0, version));
        }
        scheduler
    }

    fn run(mut self) -> Vec<TransactionIndex> {
        for node in 0..self.graph.nodes() as Node {
            if self.waiting_for[node as usize] == 0 {
                self.free(node);
            }
        }
        while let Some(Reverse((_, transaction))) = self.ready.pop() {
            match self.obstacle(transaction) {
                Some(key) => self.blocked[key as usize].push(transaction),
                None => self.take(transaction),
            }
        }
        self.order
    }

    /// Deals with a node that waits for nothing. Moments pass at once.
    fn free(&mut self, node: Node) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            if self.graph.is_transaction(node) {
                if self.committed[node as usize] {
                    self.make_ready(node as usize);
                }
                continue;
            }
            self.leave(node, &mut nodes);
        }
    }

    /// Frees those that waited for a node only.
    fn leave(&mut self, node: Node, free: &mut Vec<Node>) {
        for edge in self.graph.from(node) {
            let to = self.graph.edges()[edge].to;
            self.waiting_for[to as usize] -= 1;
            if self.waiting_for[to as usize] == 0 {
                free.push(to);
            }
        }
    }

    fn make_ready(&mut self, transaction: TransactionIndex) {
        let recorded = &self.history.transactions()[transaction];
        let is_writer = self.history.steps(transaction).iter().any(|step| matches!(step, Step::Write { .. }));
        let priority = match self.by {
            // Who only reads makes room for others.
            _ if !is_writer => 0,
            By::End => recorded.deadline().unwrap_or(u64::MAX),
            By::Beginning => recorded.invoked,
        };
        self.ready.push(Reverse((priority, transaction)));
    }

    /// A register that the transaction would overwrite too early.
    fn obstacle(&mut self, transaction: TransactionIndex) -> Option<u32> {
        let history = self.history;
        history.steps(transaction).iter().find_map(|step| {
            let Step::Write { key, .. } = step else { return None };
            let current = self.current[key.0 as usize];
            let own = self.found[transaction].contains(&(key.0, current));
            (*self.readers_of(current) > u32::from(own)).then_some(key.0)
        })
    }

    fn take(&mut self, transaction: TransactionIndex) {
        self.order.push(transaction);
        for (key, version) in std::mem::take(&mut self.found[transaction]) {
            *self.readers_of(version) -= 1;
            self.retry(key);
        }
        let history = self.history;
        for step in history.steps(transaction) {
            if let Step::Write { key, value } = step {
                let position = self.writes.position(*key, *value).expect("every write was collected");
                self.current[key.0 as usize] = Version::Written(position);
                self.retry(key.0);
            }
        }
        let mut free = Vec::new();
        self.leave(transaction as Node, &mut free);
        free.into_iter().for_each(|node| self.free(node));
    }

    fn retry(&mut self, key: u32) {
        for transaction in std::mem::take(&mut self.blocked[key as usize]) {
            self.make_ready(transaction);
        }
    }

    fn readers_of(&mut self, version: Version) -> &mut u32 {
        match version {
            Version::Initial(key) => &mut self.initial_readers[key as usize],
            Version::Written(position) => &mut self.readers[position],
        }
    }
}
