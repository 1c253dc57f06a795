//! The check of a history while it is being recorded.
//!
//! A [`RegisterStream`] takes the same events as a [`RegisterHistory`] and forgets what can no longer matter,
//! so its memory is bounded by what is open and not by how long it runs. It needs values that are written
//! once; with repeated values it stays right and forgets nothing.
//!
//! From time to time the operations that it holds are checked as a history of their own, in which what is
//! open is unknown. Then a value is forgotten if it must be gone: if another value must come after it, and
//! an operation on that one has ended before anything that is open began. Nothing that is still to come can
//! find it, and if something does, that is a violation as much as a value that nothing wrote. A chain of
//! compare-and-sets is forgotten up to the last one that has ended; a write at the instant at which the
//! chain was first known to be there stands for what was before.
//!
//! Writes of unknown outcome that nobody has observed are never forgotten: they are open for ever. A refused
//! compare-and-set is held against what is known until its value is forgotten, so a conviction is certain,
//! while one that rests on it alone may be missed.

use super::check::check;
use super::clusters::{Clusters, Gathered, NONE};
use super::history::{OperationId, RegisterHistory};
use super::operation::{Ending, KeyId, Request, ValueId};
use super::rows::{self, Row};
use super::verdict::{RegisterVerdict, Spending};
use super::zones::{self, Zone};

/// Operations that are held before anything is forgotten.
const HELD_MIN: usize = 256;

/// An operation of a [`RegisterStream`] that has not ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
pub struct OpenOperation(u64);

/// A violation that a [`RegisterStream`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamViolation {
    /// The contradiction in words, with the numbers that the operations have in the stream.
    pub explanation: String,
}

/// A value as the stream knows it: what the caller named it. None is the initial value.
type Named = Option<u64>;

#[derive(Clone, Copy, Debug)]
enum Asked {
    Read,
    Write(Named),
    CompareAndSet(Named, Named),
}

#[derive(Clone, Copy, Debug)]
struct Held {
    number: u64,
    process: u64,
    asked: Asked,
    ending: Ended,
    invoked: u64,
    completed: Option<u64>,
}

/// How a held operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    Open,
    /// A read returned this value; none is the initial one.
    Value(Option<u64>),
    /// A write or a compare-and-set happened.
    Done,
    /// A compare-and-set found another value.
    Refused,
    /// It certainly did not happen.
    Failed,
    /// Nobody knows.
    Unknown,
}

/// A check of one register while its history is being recorded. Events come in the order of their times.
#[derive(Debug, Default)]
pub struct RegisterStream {
    held: Vec<Held>,
    next_number: u64,
    now: u64,
    /// Held operations at which the next check is due.
    due: usize,
}

impl RegisterStream {
    /// A register on which nothing has happened.
    pub fn new() -> Self {
        Self { due: HELD_MIN, ..Self::default() }
    }

    /// `process` reads, from `time` on.
    pub fn read(&mut self, process: u64, time: u64) -> OpenOperation {
        self.invoke(process, Asked::Read, time)
    }

    /// `process` writes `value`, from `time` on.
    pub fn write(&mut self, process: u64, value: u64, time: u64) -> OpenOperation {
        self.invoke(process, Asked::Write(Some(value)), time)
    }

    /// `process` sets `new` if the register holds `expected`, none for the initial value, from `time` on.
    pub fn compare_and_set(
        &mut self,
        process: u64,
        expected: Option<u64>,
        new: u64,
        time: u64,
    ) -> OpenOperation {
        self.invoke(process, Asked::CompareAndSet(expected, Some(new)), time)
    }

    /// An operation ends at `time`.
    ///
    /// # Errors
    /// The violation, if what is held contradicts itself. It is looked for whenever as much again is held
    /// as was left the last time.
    pub fn complete(
        &mut self,
        operation: OpenOperation,
        ending: Ended,
        time: u64,
    ) -> Result<(), StreamViolation> {
        self.now = self.now.max(time);
        let place = self.held.binary_search_by_key(&operation.0, |held| held.number);
        let held = &mut self.held[place.expect("an open operation is held")];
        held.ending = ending;
        held.completed = Some(time);
        if self.held.len() < self.due {
            return Ok(());
        }
        self.check_now()
    }

    /// Checks what is held, and forgets what can no longer matter.
    ///
    /// # Errors
    /// The violation, if what is held contradicts itself.
    pub fn check_now(&mut self) -> Result<(), StreamViolation> {
        self.held.retain(|held| {
            let says_nothing = matches!(held.asked, Asked::Read) && held.ending == Ended::Unknown;
            held.ending != Ended::Failed && !says_nothing
        });
        let history = self.history();
        if let RegisterVerdict::NotLinearizable { certificate } = check(&history, &Spending::default()) {
            let explanation = format!(
                "{}\nA value that nothing wrote may be one that was overwritten long before.",
                certificate.explanation
            );
            return Err(StreamViolation { explanation });
        }
        self.forget(&history);
        self.due = (self.held.len() * 2).max(HELD_MIN);
        Ok(())
    }

    /// How many operations are held.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    fn invoke(&mut self, process: u64, asked: Asked, time: u64) -> OpenOperation {
        self.now = self.now.max(time);
        let number = self.next_number;
        self.next_number += 1;
        self.held.push(Held { number, process, asked, ending: Ended::Open, invoked: time, completed: None });
        OpenOperation(number)
    }

    /// What is held, as a history.
    fn history(&self) -> RegisterHistory {
        let mut history = RegisterHistory::new();
        let key = history.key(b"");
        for held in &self.held {
            let mut value = |named: Named| match named {
                Some(value) => history.value(key, value.to_string().as_bytes()),
                None => ValueId::INITIAL,
            };
            let request = match held.asked {
                Asked::Read => Request::Read,
                Asked::Write(named) => Request::Write(value(named)),
                Asked::CompareAndSet(expected, new) => {
                    Request::CompareAndSet { expected: value(expected), new: value(new) }
                }
            };
            let ending = match held.ending {
                Ended::Open => None,
                Ended::Value(named) => Some(Ending::Value(value(named))),
                Ended::Done => Some(Ending::Done),
                Ended::Refused => Some(Ending::Refused),
                Ended::Failed => Some(Ending::Failed),
                Ended::Unknown => Some(Ending::Unknown),
            };
            let id = history.invoke(held.process, key, request, held.invoked, 0);
            if let (Some(ending), Some(completed)) = (ending, held.completed) {
                history.complete(id, ending, completed, 0);
            }
        }
        history
    }

    /// Forgets what can no longer matter. `history` is what is held.
    fn forget(&mut self, history: &RegisterHistory) {
        let key = KeyId(0);
        let mut rows = Vec::new();
        rows::fill(&mut rows, history, key);
        let values = history.of_key(key).value_count();
        let Gathered::Clusters(clusters) = Clusters::gather(&rows, values) else { return };
        let Ok(zones) = zones::order(&rows, &clusters) else { return };
        let open = self.held.iter().filter(|held| held.ending == Ended::Open);
        // Times of rows are one more than recorded.
        let horizon = open.map(|held| held.invoked).min().unwrap_or(self.now) + 1;
        let mut is_forgotten = vec![false; clusters.all.len()];
        let mut stands_for: Vec<(OperationId, u64)> = Vec::new();
        for (zone, is_gone) in zones.iter().zip(gone(&zones, horizon)) {
            let kept_from = if is_gone { NONE } else { last_settled(&rows, &clusters, zone, horizon) };
            let mut next = zone.head;
            while next != kept_from {
                is_forgotten[next as usize] = true;
                next = clusters.all[next as usize].next;
            }
            if kept_from != NONE && kept_from != zone.head {
                let writer = clusters.all[kept_from as usize].writer().expect("a compare-and-set wrote it");
                stands_for.push((rows[writer].operation, zone.low.saturating_sub(1)));
            }
        }
        let mut keeps = vec![true; history.len()];
        for row in &rows {
            let value = row.written().unwrap_or(row.first);
            keeps[row.operation as usize] = !is_forgotten[value as usize];
        }
        for (operation, instant) in stands_for {
            let held = &mut self.held[operation as usize];
            if let Asked::CompareAndSet(_, new) = held.asked {
                held.asked = Asked::Write(new);
                held.ending = Ended::Done;
                (held.invoked, held.completed) = (instant, Some(instant));
            }
        }
        let mut keeps = keeps.into_iter();
        self.held.retain(|held| keeps.next() == Some(true) || held.ending == Ended::Open);
    }
}

/// For each zone, whether it must be over for everything that begins at `horizon` or later.
fn gone(zones: &[Zone], horizon: u64) -> Vec<bool> {
    let is_settled = |zone: &&Zone| zone.low < horizon;
    let last = zones.iter().filter(is_settled).map(|zone| zone.high).max().unwrap_or(0);
    let latest = zones.iter().position(|zone| is_settled(&zone) && zone.high == last);
    let others =
        zones.iter().enumerate().filter(|(index, zone)| Some(*index) != latest && zone.low < horizon);
    let second = others.map(|(_, zone)| zone.high).max().unwrap_or(0);
    let after = |index: usize| if Some(index) == latest { second } else { last };
    zones.iter().enumerate().map(|(index, zone)| zone.low < after(index)).collect()
}

/// The first cluster of a chain that is still there for what begins at `horizon` or later.
fn last_settled(rows: &[Row], clusters: &Clusters, zone: &Zone, horizon: u64) -> u32 {
    let mut settled = zone.head;
    loop {
        let next = clusters.all[settled as usize].next;
        let writer = clusters.all.get(next as usize).and_then(|cluster| cluster.writer());
        match writer {
            Some(writer) if rows[writer].end < horizon => settled = next,
            _ => return settled,
        }
    }
}
