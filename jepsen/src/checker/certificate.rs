//! Why a history is not linearizable, in words that a person can check against the history.

use std::collections::BTreeSet;
use std::fmt;

use super::entry::Entry;
use super::search::Stuck;
use crate::history::{Call, History, OperationIndex, quoted};
use crate::model::Model;

/// Operations that an explanation quotes of one kind.
const QUOTED_MAX: usize = 8;

/// A state in which the key could be when the search was stuck.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachableState {
    /// The state in words.
    pub state: String,
    /// The operation that left it; none for the initial state.
    pub set_by: Option<OperationIndex>,
}

/// The explanation of a conviction.
///
/// The operations that ended before [`Certificate::operation`] did can be ordered so that all their
/// answers are right; [`Certificate::prefix`] is such an order. No such order has a place for
/// `operation`. To check that by hand it is enough to look at the states that such orders reach while
/// `operation` is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The key.
    pub key: Vec<u8>,
    /// The operation that fits nowhere.
    pub operation: OperationIndex,
    /// The longest order found of operations that began before `operation` ended.
    pub prefix: Vec<OperationIndex>,
    /// The states that remain possible while `operation` is open, at most a few.
    pub states: Vec<ReachableState>,
    /// The other answered operations that are open when `operation` ends.
    pub concurrent: Vec<OperationIndex>,
    /// Operations that wrote what `operation` saw or expected.
    pub related: Vec<OperationIndex>,
    /// All of this in words.
    pub explanation: String,
}

impl fmt::Display for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.explanation)
    }
}

impl Certificate {
    /// Puts the end of a search into words. `all` are the operations on the key, `searched` those that
    /// the search saw.
    pub(super) fn new<M: Model>(
        model: &M,
        history: &History<M::Call>,
        all: &[Entry<M::Action>],
        searched: &[Entry<M::Action>],
        stuck: &Stuck<M::State>,
    ) -> Self {
        let convicted = &searched[stuck.entry];
        let operations = |entries: &[usize]| -> Vec<OperationIndex> {
            entries.iter().map(|entry| searched[*entry].operation).collect()
        };
        let states = stuck.reached.iter().map(|(state, order)| ReachableState {
            state: model.describe(state),
            set_by: last_change(model, searched, order),
        });
        let longest = stuck.reached.iter().map(|(_, order)| order).max_by_key(|order| order.len());
        let related = all.iter().filter(|other| {
            other.operation != convicted.operation && model.is_related(&convicted.action, &other.action)
        });
        let mut certificate = Self {
            key: history.operations()[convicted.operation].key.clone(),
            operation: convicted.operation,
            prefix: longest.map(|order| operations(order)).unwrap_or_default(),
            states: states.collect(),
            concurrent: operations(&stuck.open),
            related: related.map(|other| other.operation).collect(),
            explanation: String::new(),
        };
        certificate.explanation = certificate.explain(history, model.impossibility(&convicted.action));
        certificate
    }

    /// Every operation that the explanation names, once.
    pub fn operations(&self) -> BTreeSet<OperationIndex> {
        let set_by = self.states.iter().filter_map(|state| state.set_by);
        let others = self.concurrent.iter().chain(&self.related).copied();
        set_by.chain(others).chain([self.operation]).collect()
    }

    fn explain<C: Call>(&self, history: &History<C>, impossibility: Option<String>) -> String {
        let quote = |index: &OperationIndex| format!("operation {index}: {}", history.operations()[*index]);
        let mut lines = vec![
            format!("Key {} is not linearizable. This operation fits nowhere:", quoted(&self.key)),
            format!("  {}", quote(&self.operation)),
        ];
        lines.extend(impossibility);
        let list = |lines: &mut Vec<String>, title: &str, operations: &[OperationIndex]| {
            if !operations.is_empty() {
                lines.push(title.to_owned());
                lines.extend(operations.iter().take(QUOTED_MAX).map(|index| format!("  {}", quote(index))));
            }
            if operations.len() > QUOTED_MAX {
                lines.push(format!("  and {} more", operations.len() - QUOTED_MAX));
            }
        };
        list(&mut lines, "What it saw or expected was written by:", &self.related);
        lines.push("While it was open, the key could be in these states only:".to_owned());
        for state in self.states.iter().take(QUOTED_MAX) {
            lines.push(match &state.set_by {
                Some(index) => format!("  {}, left by {}", state.state, quote(index)),
                None => format!("  {}, the initial state", state.state),
            });
        }
        if self.states.len() > QUOTED_MAX {
            lines.push(format!("  and {} or more others", self.states.len() - QUOTED_MAX));
        }
        list(&mut lines, "Other operations that were open when it ended:", &self.concurrent);
        let tail_begin = self.prefix.len().saturating_sub(QUOTED_MAX);
        let tail: Vec<String> = self.prefix[tail_begin..].iter().map(ToString::to_string).collect();
        let order = match (tail.is_empty(), tail_begin) {
            (true, _) => return lines.join("\n"),
            (false, 0) => tail.join(", "),
            (false, _) => format!("..., {}", tail.join(", ")),
        };
        lines.push(format!("Without it {} operations can be ordered: {order}.", self.prefix.len()));
        lines.join("\n")
    }
}

/// The last operation of an order that left another state than it found.
fn last_change<M: Model>(
    model: &M,
    searched: &[Entry<M::Action>],
    order: &[usize],
) -> Option<OperationIndex> {
    let changes = |entry: &&usize| model.effect(&searched[**entry].action) != crate::model::Effect::Observes;
    order.iter().rev().find(changes).map(|entry| searched[*entry].operation)
}
