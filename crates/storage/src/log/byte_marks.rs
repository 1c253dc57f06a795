//! How many bytes of log lie between two indexes, without asking the disk.

use std::collections::VecDeque;

/// A new mark is set after this many bytes.
const MARK_BYTES: u64 = 64 << 10;

/// The cumulative size of the log at some of its indexes; in between it is taken to grow evenly. Exact
/// enough to decide when to snapshot and what to keep.
#[derive(Debug, Default)]
pub(crate) struct ByteMarks {
    /// (index of an entry, bytes of all entries up to and with it), both rising.
    marks: VecDeque<(u64, u64)>,
    /// The newest entry, which has no mark of its own yet.
    newest: Option<(u64, u64)>,
}

impl ByteMarks {
    /// An entry was appended.
    pub(crate) fn append(&mut self, index: u64, bytes: u64) {
        let before = match self.end() {
            Some((_, total)) => total,
            None => {
                self.marks.push_back((index.saturating_sub(1), 0));
                0
            }
        };
        let newest = (index, before + bytes);
        let marked = self.marks.back().map_or(0, |(_, total)| *total);
        if newest.1 - marked >= MARK_BYTES {
            self.marks.push_back(newest);
            self.newest = None;
        } else {
            self.newest = Some(newest);
        }
    }

    /// The entries behind `last` are gone.
    pub(crate) fn truncate_after(&mut self, last: Option<u64>) {
        let Some(last) = last else {
            *self = Self::default();
            return;
        };
        if self.end().is_none_or(|(end, _)| end <= last) {
            return;
        }
        let total = self.total_at(last);
        self.newest = None;
        while self.marks.back().is_some_and(|(index, _)| *index > last) {
            self.marks.pop_back();
        }
        if self.marks.back().is_none_or(|(index, _)| *index < last) {
            self.marks.push_back((last, total));
        }
    }

    /// The entries up to and with `index` are gone.
    pub(crate) fn purge(&mut self, index: u64) {
        while self.marks.len() > 1 && self.marks[1].0 <= index {
            self.marks.pop_front();
        }
    }

    /// Bytes of the entries behind `index`.
    pub(crate) fn bytes_after(&self, index: Option<u64>) -> u64 {
        let end = self.end().map_or(0, |(_, total)| total);
        let start = match index {
            Some(index) => self.total_at(index),
            None => self.marks.front().map_or(0, |(_, total)| *total),
        };
        end.saturating_sub(start)
    }

    /// The greatest index with at least `bytes` of entries behind it.
    pub(crate) fn index_before_last(&self, bytes: u64) -> Option<u64> {
        let (_, end) = self.end()?;
        let target = end.checked_sub(bytes)?;
        // The marks are coarse; the mark at or before the target keeps a little more than asked for.
        let at = self.marks.partition_point(|(_, total)| *total <= target);
        self.marks.get(at.checked_sub(1)?).map(|(index, _)| *index)
    }

    fn end(&self) -> Option<(u64, u64)> {
        self.newest.or(self.marks.back().copied())
    }

    /// The cumulative size at `index`, between marks by proportion.
    fn total_at(&self, index: u64) -> u64 {
        let after = self.marks.partition_point(|(marked, _)| *marked <= index);
        let Some((low_index, low)) = after.checked_sub(1).and_then(|at| self.marks.get(at)).copied() else {
            return self.marks.front().map_or(0, |(_, total)| *total);
        };
        let Some((high_index, high)) = self.marks.get(after).copied().or(self.newest) else { return low };
        if index >= high_index {
            return high;
        }
        let share =
            u128::from(high - low) * u128::from(index - low_index) / u128::from(high_index - low_index);
        low + share as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(count: u64, bytes: u64) -> ByteMarks {
        let mut marks = ByteMarks::default();
        for index in 0..count {
            marks.append(index, bytes);
        }
        marks
    }

    #[test]
    fn the_size_behind_an_index_is_found() {
        let marks = marks(1000, 1000);
        assert_eq!(marks.bytes_after(Some(999)), 0);
        assert_eq!(marks.bytes_after(Some(998)), 1000);
        // The entry 0 is only told from the mark before it by its index, which is the same.
        assert_eq!(marks.bytes_after(None), 1_000_000);
        let half = marks.bytes_after(Some(499));
        assert!((499_000..=501_000).contains(&half), "{half}");
    }

    #[test]
    fn at_least_what_is_asked_for_is_kept() {
        let marks = marks(1000, 1000);
        for keep in [0, 1000, 70_000, 500_000, 999_000] {
            let index = marks.index_before_last(keep).expect("the log is longer");
            let kept = marks.bytes_after(Some(index));
            assert!((keep..keep + 2 * MARK_BYTES).contains(&kept), "{keep} {index} {kept}");
        }
        assert_eq!(marks.index_before_last(2_000_000), None);
    }

    #[test]
    fn truncating_and_purging_forget() {
        let mut marks = marks(1000, 1000);
        marks.truncate_after(Some(499));
        assert_eq!(marks.bytes_after(Some(499)), 0);
        marks.append(500, 10);
        assert_eq!(marks.bytes_after(Some(499)), 10);
        marks.purge(300);
        let left = marks.bytes_after(Some(300));
        assert!((195_000..=205_000).contains(&left), "{left}");
        marks.truncate_after(None);
        assert_eq!(marks.bytes_after(None), 0);
    }
}
