//! What is known while the versions of one key after the other are put into order.

use std::collections::BTreeMap;

use super::anomaly::{Anomaly, AnomalyKind, Guarantee, Order};
use super::graph::{About, GraphBuilder, Link, Node};
use super::history::{Ending, Key, Seen, TransactionHistory, TransactionIndex, Value};
use super::observations::{ExternalRead, Observations};
use super::writes::{Writes, Written};

/// Anomalies of one kind that are kept.
const EXAMPLES_MAX: usize = 4;

/// A history under analysis.
pub(super) struct Analysis<'a> {
    pub(super) history: &'a TransactionHistory,
    pub(super) guarantee: Guarantee,
    pub(super) writes: &'a Writes,
    pub(super) observations: &'a Observations,
    /// For each transaction whether it certainly happened.
    pub(super) committed: Vec<bool>,
    pub(super) graph: GraphBuilder,
    pub(super) anomalies: Vec<Anomaly>,
    reported: BTreeMap<AnomalyKind, usize>,
}

/// Whether a value may be seen, and by whom it was written.
pub(super) enum Source {
    /// A committed transaction left it.
    Committed(TransactionIndex),
    /// It should not have been seen.
    Wrong,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(
        history: &'a TransactionHistory,
        guarantee: Guarantee,
        writes: &'a Writes,
        observations: &'a Observations,
    ) -> Self {
        let committed = history.transactions().iter().map(|transaction| transaction.ending == Ending::Ok);
        let mut analysis = Self {
            history,
            guarantee,
            writes,
            observations,
            committed: committed.collect(),
            graph: GraphBuilder::new(history.transactions().len()),
            anomalies: Vec::new(),
            reported: BTreeMap::new(),
        };
        analysis.commit_what_was_seen();
        analysis
    }

    /// Adds an anomaly, unless there are enough of its kind.
    pub(super) fn report(
        &mut self,
        kind: AnomalyKind,
        order: Order,
        transactions: &[TransactionIndex],
        explanation: impl FnOnce(&TransactionHistory) -> String,
    ) {
        let reported = self.reported.entry(kind).or_default();
        if *reported == EXAMPLES_MAX || !order.is_promised_by(self.guarantee) {
            return;
        }
        *reported += 1;
        let mut explanation = explanation(self.history);
        for transaction in transactions {
            explanation.push_str("\n  ");
            explanation.push_str(&self.history.describe(*transaction));
        }
        self.anomalies.push(Anomaly { kind, order, transactions: transactions.to_vec(), explanation });
    }

    /// Adds a dependency between two transactions.
    pub(super) fn link(
        &mut self,
        from: TransactionIndex,
        to: TransactionIndex,
        link: Link,
        key: Key,
        versions: (Option<Value>, Option<Value>),
    ) {
        self.link_node(from as Node, to as Node, link, Order::Data, key, versions);
    }

    /// Adds a dependency that rests on an order, between transactions or moments.
    pub(super) fn link_node(
        &mut self,
        from: Node,
        to: Node,
        link: Link,
        order: Order,
        key: Key,
        (earlier, later): (Option<Value>, Option<Value>),
    ) {
        self.graph.link(from, to, link, order, Some(About { key, earlier, later }));
    }

    /// Who wrote a value that `reader` saw. A value that should not have been seen is reported.
    pub(super) fn source(&mut self, key: Key, value: Value, reader: TransactionIndex) -> Source {
        let Some(Written { transaction, .. }) = self.writes.find(key, value).copied() else {
            self.report(AnomalyKind::Phantom, Order::Data, &[reader], |history| {
                let (key, value) = (history.key_name(key), history.value_text(value));
                format!("T{reader} read {value} in {key}, which nobody wrote.")
            });
            return Source::Wrong;
        };
        if self.history.transactions()[transaction].ending == Ending::Failed {
            self.report(AnomalyKind::G1a, Order::Data, &[transaction, reader], |history| {
                let (key, value) = (history.key_name(key), history.value_text(value));
                format!("T{reader} read {value} in {key}, which T{transaction} wrote, and T{transaction} was aborted.")
            });
            return Source::Wrong;
        }
        Source::Committed(transaction)
    }

    /// Reports a value that its own transaction replaced, if another one saw it as the last.
    pub(super) fn check_intermediate(&mut self, key: Key, value: Value, reader: TransactionIndex) -> bool {
        let written = self.writes.find(key, value).copied();
        let Some(Written { transaction, .. }) =
            written.filter(|written| !written.is_final && written.transaction != reader)
        else {
            return false;
        };
        self.report(AnomalyKind::G1b, Order::Data, &[transaction, reader], |history| {
            let (key, value) = (history.key_name(key), history.value_text(value));
            format!(
                "T{reader} read {value} in {key}, but T{transaction} wrote {key} once more after {value}."
            )
        });
        true
    }

    /// The elements of a list that was read.
    pub(super) fn elements(&self, read: &ExternalRead) -> &'a [Value] {
        match read.seen {
            Seen::List(list) => self.history.elements(list),
            Seen::Nothing | Seen::Unknown | Seen::Value(_) => &[],
        }
    }

    /// A transaction of unknown outcome happened if anybody saw what it wrote.
    fn commit_what_was_seen(&mut self) {
        let mut longest: &[Value] = &[];
        let mut key = None;
        for read in &self.observations.reads {
            if key.replace(read.key) != Some(read.key) {
                longest = &[];
            }
            match read.seen {
                Seen::Value(value) => self.commit_writer(read.key, value),
                Seen::List(list) => {
                    let elements = self.history.elements(list);
                    if longest.starts_with(elements) {
                        continue;
                    }
                    let known = longest.iter().zip(elements).take_while(|(one, other)| one == other).count();
                    elements[known..].iter().for_each(|value| self.commit_writer(read.key, *value));
                    if elements.len() > longest.len() {
                        longest = elements;
                    }
                }
                Seen::Nothing | Seen::Unknown => {}
            }
        }
    }

    fn commit_writer(&mut self, key: Key, value: Value) {
        if let Some(written) = self.writes.find(key, value)
            && self.history.transactions()[written.transaction].ending == Ending::Unknown
        {
            self.committed[written.transaction] = true;
        }
    }
}
