//! Why a register cannot have behaved so: the few operations that contradict each other, in words.
//!
//! A certificate is a small history of its own. Operations may be left out of a history, or asked for less,
//! if whatever explains the whole still explains the rest: reads may always go; a compare-and-set may be
//! taken for a plain write; a write may go once nobody observes its value and no refused compare-and-set
//! could tell the difference. What is left is searched, and must still be impossible.

mod minimal;
mod window;
mod words;

use std::collections::BTreeSet;

use super::clusters::Contradiction;
use super::history::{OperationId, RegisterHistory};
use super::operation::KeyId;
use super::rows::{INITIAL, Kind, NEVER, Row};
use super::search::{Budget, SearchOutcome, search};
use super::verdict::RegisterCertificate;

/// Steps that making one certificate smaller may take.
const STEPS_MAX: u64 = 2_000_000;
/// Bytes that it may keep.
const BYTES_MAX: usize = 64 << 20;

/// Operations that contradict each other.
struct Small {
    /// In the order in which they began, possibly asked for less than in the history.
    rows: Vec<Row>,
    /// What the register may have held at first.
    initial: Vec<u32>,
    is_minimal: bool,
}

/// Whether an order explains `rows`; none if a limit was reached.
fn is_explained(rows: &[Row], initial: &[u32], steps_left: &mut u64) -> Option<bool> {
    let budget = Budget { steps_max: *steps_left, bytes_max: BYTES_MAX, is_time_up: &|| false };
    let (outcome, steps) = search(rows, initial, budget);
    *steps_left = steps_left.saturating_sub(steps + rows.len() as u64);
    match outcome {
        SearchOutcome::Order(_) => Some(true),
        SearchOutcome::Stuck(_) => Some(false),
        SearchOutcome::Limit(_) => None,
    }
}

/// The certificate of what sorting found.
pub(super) fn of_contradiction(
    history: &RegisterHistory,
    key: KeyId,
    rows: &[Row],
    values: usize,
    contradiction: &Contradiction,
) -> RegisterCertificate {
    let involved = Involved::new(rows, values).close(contradiction);
    let mut small = Small { rows: involved, initial: vec![INITIAL], is_minimal: false };
    let mut steps = STEPS_MAX;
    let is_explained = is_explained(&small.rows, &small.initial, &mut steps);
    assert!(is_explained != Some(true), "no contradiction: {contradiction:?} of {:?}", small.rows);
    minimal::reduce(&mut small, &mut steps);
    let reason = words::of_contradiction(history, rows, contradiction);
    finish(history, key, small, reason)
}

/// The certificate of a search that could not place `stuck`.
pub(super) fn of_search(
    history: &RegisterHistory,
    key: KeyId,
    rows: &[Row],
    values: usize,
    stuck: usize,
) -> RegisterCertificate {
    let mut steps = STEPS_MAX;
    let mut small = window::find(rows, values, stuck, &mut steps);
    minimal::reduce(&mut small, &mut steps);
    let is_whole = small.initial == [INITIAL];
    let reason = words::of_search(history, &rows[stuck], is_whole);
    finish(history, key, small, reason)
}

fn finish(history: &RegisterHistory, key: KeyId, small: Small, reason: Vec<String>) -> RegisterCertificate {
    let operations: Vec<OperationId> = small.rows.iter().map(|row| row.operation).collect();
    let explanation = words::explain(history, key, &operations, reason);
    RegisterCertificate { key, operations, is_minimal: small.is_minimal, explanation }
}

/// Gathers the operations that a contradiction rests on.
struct Involved<'a> {
    rows: &'a [Row],
    /// The writer of each value.
    writers: Vec<Option<usize>>,
    chosen: BTreeSet<usize>,
}

impl<'a> Involved<'a> {
    fn new(rows: &'a [Row], values: usize) -> Self {
        let mut writers = vec![None; values];
        for (index, row) in rows.iter().enumerate() {
            if let Some(value) = row.written() {
                let writer: &mut Option<usize> = &mut writers[value as usize];
                *writer = writer.or(Some(index));
            }
        }
        Self { rows, writers, chosen: BTreeSet::new() }
    }

    /// The operations that contradict each other, those that link them, and the writers of what they saw.
    fn close(mut self, contradiction: &Contradiction) -> Vec<Row> {
        match *contradiction {
            Contradiction::NeverWritten(row) => self.chosen.extend([row]),
            Contradiction::TakenTwice(one, other) => self.chosen.extend([one, other]),
            Contradiction::Circle(row) => {
                self.choose_path(self.rows[row].second, self.rows[row].first);
                self.chosen.extend([row]);
            }
            Contradiction::TooEarly(one, other) => self.choose_linked(one, other),
            Contradiction::Crossed([low, high, other_low, other_high]) => {
                self.choose_linked(low, high);
                self.choose_linked(other_low, other_high);
            }
            Contradiction::Held { refused, before, after } => {
                let value = self.rows[refused].first;
                for row in before.into_iter().chain([after]) {
                    self.choose_path(value, self.value_of(row));
                    self.choose_path(self.value_of(row), value);
                    self.chosen.insert(row);
                }
                self.chosen.insert(refused);
            }
        }
        self.choose_observers();
        self.with_writers()
    }

    /// The value that an operation saw or left.
    fn value_of(&self, row: usize) -> u32 {
        self.rows[row].written().unwrap_or(self.rows[row].first)
    }

    /// Chooses two operations of one chain and what links them.
    fn choose_linked(&mut self, one: usize, other: usize) {
        self.chosen.extend([one, other]);
        // The chain of the initial value has no first operation; then its last one stands for both.
        let from = if one == other { INITIAL } else { self.value_of(one) };
        let (one, other) = (from, self.value_of(other));
        if !self.choose_path(one, other) {
            self.choose_path(other, one);
        }
    }

    /// Chooses the compare-and-sets that lead from one value to another, if they do.
    fn choose_path(&mut self, from: u32, to: u32) -> bool {
        let mut path = Vec::new();
        let mut value = to;
        while value != from {
            let Some(writer) = self.writers[value as usize] else { return false };
            let is_cas = matches!(self.rows[writer].kind, Kind::Cas | Kind::MaybeCas);
            if !is_cas || path.len() > self.rows.len() {
                return false;
            }
            path.push(writer);
            value = self.rows[writer].first;
        }
        self.chosen.extend(path);
        true
    }

    /// Chooses for each unknown operation among the chosen somebody who saw what it wrote, directly or
    /// through further unknown compare-and-sets.
    fn choose_observers(&mut self) {
        let unknown: Vec<u32> = self
            .chosen
            .iter()
            .filter(|index| !self.rows[**index].kind.is_required())
            .filter_map(|index| self.rows[*index].written())
            .collect();
        for value in unknown {
            let observers = self.observers(value);
            self.chosen.extend(observers);
        }
    }

    /// The shortest chain of operations that shows that `value` was written.
    fn observers(&self, value: u32) -> Vec<usize> {
        // Values that were reached, with the unknown compare-and-sets that lead there.
        let mut reached: Vec<(u32, Vec<usize>)> = vec![(value, Vec::new())];
        let mut index = 0;
        while let Some((value, path)) = reached.get(index).cloned() {
            index += 1;
            let sees = |row: &Row| matches!(row.kind, Kind::Read | Kind::Cas) && row.first == value;
            if let Some(observer) = self.rows.iter().position(sees) {
                return path.into_iter().chain([observer]).collect();
            }
            for (link, row) in self.rows.iter().enumerate() {
                let is_link = row.kind == Kind::MaybeCas && row.first == value;
                if is_link && !reached.iter().any(|(value, _)| *value == row.second) {
                    let path = path.iter().copied().chain([link]).collect();
                    reached.push((row.second, path));
                }
            }
        }
        Vec::new()
    }

    /// The chosen rows and the writers of what they saw. A compare-and-set that only serves as a writer
    /// counts as a plain write.
    fn with_writers(self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.chosen.iter().map(|index| self.rows[*index]).collect();
        let sees = |row: &&Row| matches!(row.kind, Kind::Read | Kind::Cas | Kind::MaybeCas | Kind::Refused);
        let seen: BTreeSet<u32> = rows.iter().filter(sees).map(|row| row.first).collect();
        let writers: BTreeSet<usize> = seen
            .iter()
            .filter_map(|value| self.writers[*value as usize])
            .filter(|writer| !self.chosen.contains(writer))
            .collect();
        rows.extend(writers.into_iter().map(|writer| as_write(self.rows[writer])));
        rows.sort_by_key(|row| (row.begin, row.operation));
        rows
    }
}

/// A compare-and-set, asked only for what it left.
fn as_write(row: Row) -> Row {
    let kind = match row.kind {
        Kind::Cas => Kind::Write,
        Kind::MaybeCas => Kind::MaybeWrite,
        other => return Row { kind: other, ..row },
    };
    Row { kind, first: row.second, second: INITIAL, ..row }
}

/// An operation of which only this remains: that it may have written its value, at any time.
fn as_possible_write(row: Row) -> Option<Row> {
    row.written()?;
    Some(Row { kind: Kind::MaybeWrite, end: NEVER, ..as_write(row) })
}
