//! Whose turn it is: which client has an operation open, and what time it is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::options::Order;
use crate::event::{Event, EventKind, Problem};

/// The latest time that a history can hold.
const TIME_MAX: u64 = u64::MAX - 2;

/// What tells the time of the events of a file. The first event of a client decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Time,
    Index,
    Line,
}

enum Turn<Open> {
    /// An operation is open that was invoked on this line.
    Open(Open, u32),
    /// The outcome of an operation became unknown on this line.
    Ended(u32),
}

/// What an event of a client does.
pub(super) enum Next<Open> {
    /// It begins an operation.
    Invokes,
    /// It ends this one.
    Completes(Open),
}

/// The clients of a file. `Open` is what a recorder wants back when an operation ends.
pub(super) struct Turns<Open> {
    order: Order,
    clock: Option<Clock>,
    /// The latest time so far, and its line.
    now: (u64, u32),
    /// Order is never observed: only looked up.
    clients: HashMap<u64, Turn<Open>, BuildHasherDefault<ProcessHasher>>,
}

impl<Open> Turns<Open> {
    pub(super) fn new(order: Order) -> Self {
        Self { order, clock: None, now: (0, 0), clients: HashMap::default() }
    }

    /// The time of an event of a client.
    pub(super) fn time(&mut self, event: &Event<'_>) -> Result<u64, Problem> {
        let clock = *self.clock.get_or_insert(match (self.order, event.time, event.index) {
            (Order::Line, ..) | (Order::Time, None, None) => Clock::Line,
            (Order::Time, Some(_), _) => Clock::Time,
            (Order::Time, None, Some(_)) => Clock::Index,
        });
        let (before, line) = self.now;
        let time = match clock {
            Clock::Time => event.time.ok_or(Problem::TimeMissing)?,
            Clock::Index => event.index.ok_or(Problem::TimeMissing)?,
            // Several events may share one line.
            Clock::Line => u64::from(event.line).max(before + 1),
        };
        if time < before {
            return Err(Problem::TimeGoesBack { time, before, line });
        }
        if time > TIME_MAX {
            return Err(Problem::wrong("time", time.to_string().as_bytes(), "less than 2^64 - 2"));
        }
        self.now = (time, event.line);
        Ok(time)
    }

    /// The time of an event of a nemesis, which orders nothing.
    pub(super) fn time_of_nemesis(&self, event: &Event<'_>) -> u64 {
        let own = match self.clock {
            Some(Clock::Line) => None,
            Some(Clock::Index) => event.index,
            Some(Clock::Time) => event.time,
            None => event.time.filter(|_| self.order == Order::Time),
        };
        own.unwrap_or(self.now.0)
    }

    /// What an event of `process` does.
    pub(super) fn next(&mut self, process: u64, event: &Event<'_>) -> Result<Next<Open>, Problem> {
        if event.kind == EventKind::Invoke {
            return match self.clients.get(&process) {
                None => Ok(Next::Invokes),
                Some(Turn::Open(_, line)) => Err(Problem::StillOpen { process, line: *line }),
                Some(Turn::Ended(line)) => Err(Problem::ProcessEnded { process, line: *line }),
            };
        }
        match self.clients.remove(&process) {
            Some(Turn::Open(open, _)) => Ok(Next::Completes(open)),
            Some(Turn::Ended(_)) | None => Err(Problem::NothingOpen { process }),
        }
    }

    /// An operation of `process` began.
    pub(super) fn began(&mut self, process: u64, open: Open, event: &Event<'_>) {
        self.clients.insert(process, Turn::Open(open, event.line));
    }

    /// The outcome of the operation of `process` became unknown: the process must not go on.
    pub(super) fn became_unknown(&mut self, process: u64, event: &Event<'_>) {
        self.clients.insert(process, Turn::Ended(event.line));
    }
}

/// Spreads the small numbers of processes. The standard hasher would cost more than the rest of a line.
#[derive(Default)]
struct ProcessHasher(u64);

impl Hasher for ProcessHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}
