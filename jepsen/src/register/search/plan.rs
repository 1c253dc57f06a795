//! What a search knows of its rows before it begins: events, slots, twins, and who can serve whom.

use std::collections::BTreeMap;

use crate::register::rows::{Kind, Row};

/// How many operations with an answer may be open at once: the bits of [`Slots`].
pub(super) const OPEN_MAX: usize = 128;

/// A set of open operations.
pub(super) type Slots = u128;

/// The beginning or the end of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) row: u32,
    pub(super) is_end: bool,
}

/// Unknown operations that ask the same. Any of them that has begun can stand for any other.
pub(super) struct Twins {
    pub(super) is_write: bool,
    pub(super) first: u32,
    /// What the operation leaves.
    pub(super) written: u32,
    /// The event at which each begins, and its row, in that order.
    pub(super) members: Vec<(u32, u32)>,
}

/// The rows of one key, prepared for a search.
pub(super) struct Plan<'a> {
    pub(super) rows: &'a [Row],
    pub(super) events: Vec<Event>,
    /// The slot of each row with an answer.
    slots: Vec<u8>,
    pub(super) twins: Vec<Twins>,
    /// The twins that write a value, or expect it, by value.
    pub(super) twins_that_write: BTreeMap<u32, Vec<u32>>,
    pub(super) twins_that_expect: BTreeMap<u32, Vec<u32>>,
    /// For each value the last event at which an operation that observes it may still be open.
    observed_until: Vec<u32>,
    /// The last event at which a refused compare-and-set is open.
    refused_until: u32,
    /// For each row that observes a value, the event at which the last writer of it begins that begins
    /// before the row ends.
    last_writer: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// Prepares rows; none if too many are open at once.
    pub(super) fn new(rows: &'a [Row]) -> Option<Self> {
        let events = events(rows);
        let slots = slots(rows, &events)?;
        let values = rows.iter().map(|row| row.first.max(row.second) as usize + 1).max().unwrap_or(1);
        let mut plan = Self {
            rows,
            slots,
            twins: Vec::new(),
            twins_that_write: BTreeMap::new(),
            twins_that_expect: BTreeMap::new(),
            observed_until: vec![0; values],
            refused_until: 0,
            last_writer: vec![0; rows.len()],
            events: Vec::new(),
        };
        let mut last_writer_of = vec![0; values];
        let mut twins: BTreeMap<(bool, u32, u32), u32> = BTreeMap::new();
        for (at, event) in (0_u32..).zip(&events) {
            let row = &rows[event.row as usize];
            let observes = matches!(row.kind, Kind::Read | Kind::Cas);
            match (event.is_end, row.written()) {
                (false, Some(value)) => last_writer_of[value as usize] = at,
                (true, _) if observes => {
                    plan.last_writer[event.row as usize] = last_writer_of[row.first as usize];
                    let until = &mut plan.observed_until[row.first as usize];
                    *until = at.max(*until);
                }
                (true, _) if row.kind == Kind::Refused => plan.refused_until = at,
                _ => {}
            }
            if !row.kind.is_required() {
                plan.add_twin(&mut twins, event.row, at);
            }
        }
        plan.events = events;
        Some(plan)
    }

    fn add_twin(&mut self, known: &mut BTreeMap<(bool, u32, u32), u32>, row: u32, at: u32) {
        let Row { kind, first, .. } = self.rows[row as usize];
        let written = self.rows[row as usize].written().expect("an unknown operation writes");
        let is_write = kind == Kind::MaybeWrite;
        let next = self.twins.len() as u32;
        let twins = *known.entry((is_write, first, written)).or_insert(next);
        if twins == next {
            self.twins.push(Twins { is_write, first, written, members: Vec::new() });
            self.twins_that_write.entry(written).or_default().push(twins);
            if !is_write {
                self.twins_that_expect.entry(first).or_default().push(twins);
                self.observed_until[first as usize] = u32::MAX;
            }
        }
        self.twins[twins as usize].members.push((at, row));
    }

    /// The slot of a row with an answer, as a set.
    pub(super) fn slot(&self, row: u32) -> Slots {
        1 << self.slots[row as usize]
    }

    /// Whether it can make a difference after event `at` that the register then held `value`.
    pub(super) fn matters_after(&self, value: u32, at: u32) -> bool {
        self.observed_until[value as usize] > at || self.refused_until > at
    }

    /// Whether a writer of the value that `row` observes begins after event `at`, in time for it.
    pub(super) fn has_later_writer(&self, row: u32, at: u32) -> bool {
        self.last_writer[row as usize] > at
    }
}

/// Beginnings and ends in the order of time. At one time all beginnings come first.
fn events(rows: &[Row]) -> Vec<Event> {
    let mut ends: Vec<u32> =
        (0..rows.len() as u32).filter(|row| rows[*row as usize].kind.is_required()).collect();
    ends.sort_by_key(|row| rows[*row as usize].end);
    let mut ends = ends.into_iter().peekable();
    let mut events = Vec::with_capacity(rows.len() * 2);
    for (row, begins) in (0..).zip(rows) {
        while let Some(ending) = ends.next_if(|ending| rows[*ending as usize].end < begins.begin) {
            events.push(Event { row: ending, is_end: true });
        }
        events.push(Event { row, is_end: false });
    }
    events.extend(ends.map(|row| Event { row, is_end: true }));
    events
}

fn slots(rows: &[Row], events: &[Event]) -> Option<Vec<u8>> {
    let mut slots = vec![0; rows.len()];
    let mut used: Slots = 0;
    for event in events.iter().filter(|event| rows[event.row as usize].kind.is_required()) {
        if event.is_end {
            used &= !(1 << slots[event.row as usize]);
            continue;
        }
        let slot = used.trailing_ones();
        if slot as usize == OPEN_MAX {
            return None;
        }
        used |= 1 << slot;
        slots[event.row as usize] = slot as u8;
    }
    Some(slots)
}
