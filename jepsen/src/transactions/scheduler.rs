//! Takes transactions one after the other, and looks ahead where registers leave a choice.
//!
//! A register may be overwritten when everybody who saw its value is taken. So once a value is written,
//! each of its readers comes before each other writer of the key. A writer is only taken if that closes
//! no circle among those that are not taken; otherwise it has to wait for another one.
//!
//! That can still go wrong. Then some of the last choices are taken back and made anew, each transaction
//! at another instant of its interval; the oftener it goes wrong at one place, the more are taken back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{Graph, Node, Reversed};
use super::history::{Key, Seen, Step, TransactionHistory, TransactionIndex};
use super::observations::Observations;
use super::windows::windows;
use super::writes::Writes;
use crate::patience::Patience;

/// Nodes that looking ahead may look at for one history. Past it the scheduler takes what it can.
const STEPS_MAX: u64 = 1_000_000_000;

/// Choices that are taken back at first.
const TAKEN_BACK_MIN: usize = 16;

/// How often choices are made anew before twice as many are taken back.
const ATTEMPTS_EACH: usize = 8;

/// How often choices are made anew without getting any farther.
const ATTEMPTS_MAX: usize = 64;

/// A version of a register: the position of its write, or the initial one of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Initial(Key),
    Written(usize),
}

pub(super) struct Scheduler<'a> {
    history: &'a TransactionHistory,
    writes: &'a Writes,
    graph: &'a Graph,
    reversed: Reversed,
    committed: &'a [bool],
    /// For each node when it can be taken, by its own times and by those of what is before and after it.
    windows: Vec<(u64, u64)>,
    /// For each node how many nodes before it are not taken.
    waiting_for: Vec<u32>,
    taken: Vec<bool>,
    /// For each written version its readers.
    readers: Vec<Vec<TransactionIndex>>,
    /// The same for the initial versions, by key.
    initial_readers: Vec<Vec<TransactionIndex>>,
    /// What each register holds.
    current: Vec<Version>,
    ready: BinaryHeap<Reverse<(u64, TransactionIndex)>>,
    /// Those that are free but would close a circle.
    waiting: Vec<TransactionIndex>,
    order: Vec<TransactionIndex>,
    /// Every node that was taken, in order.
    trail: Vec<Node>,
    /// What registers held before: the length of the order then, the register, and its version.
    overwritten: Vec<(usize, Key, Version)>,
    /// The choices up to this length of the order are made anew.
    anew_until: usize,
    attempts: usize,
    /// The round of looking ahead in which a node was last seen.
    seen: Vec<u32>,
    round: u32,
    steps_left: u64,
    patience: &'a Patience<'a>,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(
        history: &'a TransactionHistory,
        writes: &'a Writes,
        observations: &Observations,
        committed: &'a [bool],
        graph: &'a Graph,
        patience: &'a Patience<'a>,
    ) -> Self {
        let keys = history.keys_count();
        let mut scheduler = Self {
            history,
            writes,
            graph,
            reversed: graph.reversed(),
            committed,
            windows: windows(history, graph),
            waiting_for: vec![0; graph.nodes()],
            taken: vec![false; graph.nodes()],
            readers: vec![Vec::new(); writes.all().len()],
            initial_readers: vec![Vec::new(); keys],
            current: (0..keys as u32).map(|key| Version::Initial(Key(key))).collect(),
            ready: BinaryHeap::new(),
            waiting: Vec::new(),
            order: Vec::new(),
            trail: Vec::new(),
            overwritten: Vec::new(),
            anew_until: 0,
            attempts: 0,
            seen: vec![0; graph.nodes()],
            round: 0,
            steps_left: STEPS_MAX,
            patience,
        };
        for edge in graph.edges() {
            scheduler.waiting_for[edge.to as usize] += 1;
        }
        for read in &observations.reads {
            match read.seen {
                Seen::Nothing => scheduler.initial_readers[read.key.0 as usize].push(read.transaction),
                Seen::Value(value) => {
                    if let Some(position) = writes.position(read.key, value) {
                        scheduler.readers[position].push(read.transaction);
                    }
                }
                Seen::List(_) | Seen::Unknown => {}
            }
        }
        scheduler
    }

    /// The transactions that could be taken, in order, and for each node whether it was.
    pub(super) fn run(mut self) -> (Vec<TransactionIndex>, Vec<bool>) {
        for node in 0..self.graph.nodes() as Node {
            if self.waiting_for[node as usize] == 0 && !self.taken[node as usize] {
                self.free(node);
            }
        }
        let wanted = self.committed.iter().filter(|committed| **committed).count();
        let mut at_this_length = 0;
        loop {
            self.take_all();
            if self.order.len() > self.anew_until {
                self.anew_until = self.order.len();
                at_this_length = 0;
            }
            at_this_length += 1;
            if self.order.len() == wanted || at_this_length > ATTEMPTS_MAX || self.steps_left == 0 {
                return (self.order, self.taken);
            }
            self.attempts += 1;
            self.take_back(TAKEN_BACK_MIN << (at_this_length / ATTEMPTS_EACH));
        }
    }

    /// Takes transactions as long as any can be taken.
    fn take_all(&mut self) {
        loop {
            let taken_before = self.order.len();
            while let Some(Reverse((_, transaction))) = self.ready.pop() {
                if self.can_take(transaction) {
                    self.take(transaction);
                } else {
                    self.waiting.push(transaction);
                }
            }
            if self.order.len() == taken_before {
                return;
            }
            for transaction in std::mem::take(&mut self.waiting) {
                self.make_ready(transaction);
            }
        }
    }

    /// Takes back the last transactions, and everything that they freed.
    fn take_back(&mut self, count: usize) {
        let length = self.order.len().saturating_sub(count);
        let mut free = std::mem::take(&mut self.waiting);
        while self.order.len() > length {
            let node = self.trail.pop().expect("every transaction of the order left a trail");
            self.taken[node as usize] = false;
            for edge in self.graph.from(node) {
                self.waiting_for[self.graph.edges()[edge].to as usize] += 1;
            }
            if self.graph.is_transaction(node) {
                self.order.pop();
                free.push(node as usize);
            }
            while let Some((_, key, version)) = self.overwritten.pop_if(|last| last.0 >= self.order.len()) {
                self.current[key.0 as usize] = version;
            }
        }
        for transaction in free {
            if self.waiting_for[transaction] == 0 {
                self.make_ready(transaction);
            }
        }
    }

    /// Deals with a node that waits for nothing. Moments pass at once.
    fn free(&mut self, node: Node) {
        let mut nodes = vec![node];
        while let Some(node) = nodes.pop() {
            if !self.graph.is_transaction(node) {
                self.leave(node, &mut nodes);
            } else if self.committed[node as usize] {
                self.make_ready(node as usize);
            }
        }
    }

    /// Takes a node, and frees those that waited for it only.
    fn leave(&mut self, node: Node, free: &mut Vec<Node>) {
        self.taken[node as usize] = true;
        self.trail.push(node);
        for edge in self.graph.from(node) {
            let to = self.graph.edges()[edge].to;
            self.waiting_for[to as usize] -= 1;
            if self.waiting_for[to as usize] == 0 {
                free.push(to);
            }
        }
    }

    fn make_ready(&mut self, transaction: TransactionIndex) {
        let (earliest, latest) = self.windows[transaction];
        let priority = match self.written_keys(transaction).next() {
            // Who only reads makes room for others.
            None => 0,
            // Of the others, who has to be first goes first.
            Some(_) if self.order.len() >= self.anew_until => latest,
            Some(_) => {
                let length = latest.saturating_sub(earliest).saturating_add(1);
                earliest.saturating_add(scattered(self.attempts, transaction) % length)
            }
        };
        self.ready.push(Reverse((priority, transaction)));
    }

    fn take(&mut self, transaction: TransactionIndex) {
        for key in self.written_keys(transaction) {
            self.overwritten.push((self.order.len(), key, self.current[key.0 as usize]));
        }
        self.order.push(transaction);
        self.set(transaction);
        let mut free = Vec::new();
        self.leave(transaction as Node, &mut free);
        free.into_iter().for_each(|node| self.free(node));
    }

    /// Lets the registers hold what a transaction wrote.
    fn set(&mut self, transaction: TransactionIndex) {
        let history = self.history;
        for step in history.steps(transaction) {
            if let Step::Write { key, value } = step {
                let position = self.writes.position(*key, *value).expect("every write was collected");
                self.current[key.0 as usize] = Version::Written(position);
            }
        }
    }

    /// The registers that a transaction writes; one may be named more than once.
    fn written_keys(&self, transaction: TransactionIndex) -> impl Iterator<Item = Key> + use<'a> {
        self.history.steps(transaction).iter().filter_map(|step| match step {
            Step::Write { key, .. } => Some(*key),
            Step::Read { .. } | Step::Append { .. } => None,
        })
    }

    fn readers(&self, version: Version) -> &[TransactionIndex] {
        match version {
            Version::Initial(key) => &self.initial_readers[key.0 as usize],
            Version::Written(position) => &self.readers[position],
        }
    }

    /// Those that saw what a register holds and are not taken.
    fn current_readers(&self, key: Key) -> impl Iterator<Item = TransactionIndex> + '_ {
        let readers = self.readers(self.current[key.0 as usize]).iter().copied();
        readers.filter(|reader| !self.taken[*reader])
    }

    fn can_take(&mut self, transaction: TransactionIndex) -> bool {
        let is_needed = |key| self.current_readers(key).any(|reader| reader != transaction);
        if self.written_keys(transaction).any(is_needed) {
            return false;
        }
        let before: Vec<(Key, Version)> =
            self.written_keys(transaction).map(|key| (key, self.current[key.0 as usize])).collect();
        self.set(transaction);
        self.taken[transaction] = true;
        let readers: Vec<TransactionIndex> =
            before.iter().flat_map(|(key, _)| self.current_readers(*key)).collect();
        let closes_circle = readers.into_iter().any(|reader| self.comes_before_itself(reader));
        self.taken[transaction] = false;
        for (key, version) in before.into_iter().rev() {
            self.current[key.0 as usize] = version;
        }
        !closes_circle
    }

    /// Whether a transaction has to wait for itself, as the registers are now.
    fn comes_before_itself(&mut self, transaction: TransactionIndex) -> bool {
        self.round += 1;
        let mut nodes = vec![transaction as Node];
        let mut before = Vec::new();
        while let Some(node) = nodes.pop() {
            self.steps_left = if self.patience.is_over(1) { 0 } else { self.steps_left.saturating_sub(1) };
            before.extend_from_slice(self.reversed.before(node));
            if self.graph.is_transaction(node) {
                for key in self.written_keys(node as usize) {
                    let readers = self.current_readers(key).filter(|reader| *reader != node as usize);
                    before.extend(readers.map(|reader| reader as Node));
                }
            }
            for other in before.drain(..) {
                if other as usize == transaction {
                    return self.steps_left > 0;
                }
                if !self.taken[other as usize] && self.seen[other as usize] != self.round {
                    self.seen[other as usize] = self.round;
                    nodes.push(other);
                }
            }
        }
        false
    }
}

/// A number that looks random and is the same every time (Steele, Lea and Flood's SplitMix64).
fn scattered(attempt: usize, transaction: TransactionIndex) -> u64 {
    let mut number = ((attempt as u64) << 32 | transaction as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
