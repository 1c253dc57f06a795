//! One way in which the operations so far may have happened.

use super::plan::Slots;

/// A record of a search: a row that was placed, and the record of the one before.
type PathIndex = u32;
const NO_PATH: PathIndex = u32::MAX;
/// Records that a path can hold.
const RECORDS_MAX: usize = u32::MAX as usize;

/// What was placed, as a tree with its root at the beginning of the history.
#[derive(Default)]
pub(super) struct Path {
    records: Vec<(PathIndex, u32)>,
}

impl Path {
    /// Records that `arrangement` contains `row` now.
    pub(super) fn record(&mut self, arrangement: &mut Arrangement, row: u32) {
        assert!(self.records.len() < RECORDS_MAX, "a search ends by its limits before");
        self.records.push((arrangement.last, row));
        arrangement.last = self.records.len() as PathIndex - 1;
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<(PathIndex, u32)>()
    }

    /// The rows of an arrangement in their order, out of `rows`. A write that was first covered and then
    /// placed counts where it was placed.
    pub(super) fn order(&self, arrangement: &Arrangement, rows: usize) -> Vec<u32> {
        let mut is_placed = vec![false; rows];
        let mut order = Vec::new();
        let mut last = arrangement.last;
        while last != NO_PATH {
            let (before, row) = self.records[last as usize];
            if !std::mem::replace(&mut is_placed[row as usize], true) {
                order.push(row);
            }
            last = before;
        }
        order.reverse();
        order
    }
}

/// One way in which the operations so far may have happened.
#[derive(Clone, Debug)]
pub(super) struct Arrangement {
    /// What the register holds.
    pub(super) state: u32,
    /// The open operations that it contains, covered writes included.
    pub(super) done: Slots,
    /// The open writes and compare-and-sets that were placed, and not only covered.
    pub(super) used: Slots,
    /// How many of each twins were placed, in the order of the twins.
    pub(super) spent: Vec<(u32, u32)>,
    last: PathIndex,
}

impl Arrangement {
    pub(super) fn new(state: u32) -> Self {
        Self { state, done: 0, used: 0, spent: Vec::new(), last: NO_PATH }
    }

    /// Whether this one can do all that `other` can.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.state == other.state
            && other.done & !self.done == 0
            && self.used & !other.used == 0
            && self.spent.iter().all(|(twins, count)| *count <= other.spent(*twins))
    }

    /// How many of the twins were placed.
    pub(super) fn spent(&self, twins: u32) -> u32 {
        match self.spent.binary_search_by_key(&twins, |(twins, _)| *twins) {
            Ok(index) => self.spent[index].1,
            Err(_) => 0,
        }
    }

    /// Counts one more of the twins.
    pub(super) fn spend(&mut self, twins: u32) {
        match self.spent.binary_search_by_key(&twins, |(twins, _)| *twins) {
            Ok(index) => self.spent[index].1 += 1,
            Err(index) => self.spent.insert(index, (twins, 1)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.spent.capacity() * size_of::<(u32, u32)>()
    }
}
