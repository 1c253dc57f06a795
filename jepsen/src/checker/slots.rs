//! A set of small numbers: which of the open operations a partial order contains.

/// A set of slots. Equal sets compare equal however they came about: trailing zero words are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slots {
    words: Vec<u64>,
}

impl Slots {
    /// Whether `slot` is in the set.
    pub(super) fn contains(&self, slot: usize) -> bool {
        self.words.get(slot / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// Adds a slot.
    pub(super) fn insert(&mut self, slot: usize) {
        if self.words.len() <= slot / 64 {
            self.words.resize(slot / 64 + 1, 0);
        }
        self.words[slot / 64] |= 1 << (slot % 64);
    }

    /// Removes a slot.
    pub(super) fn remove(&mut self, slot: usize) {
        if let Some(word) = self.words.get_mut(slot / 64) {
            *word &= !(1 << (slot % 64));
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// Whether every slot of this set is in `other`.
    pub(super) fn is_subset(&self, other: &Self) -> bool {
        let in_other = |(word, theirs): (&u64, &u64)| word & !theirs == 0;
        self.words.len() <= other.words.len() && self.words.iter().zip(&other.words).all(in_other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(members: &[usize]) -> Slots {
        let mut slots = Slots::default();
        members.iter().for_each(|slot| slots.insert(*slot));
        slots
    }

    #[test]
    fn a_removed_slot_leaves_no_trace() {
        let mut set = slots(&[3, 200]);
        set.remove(200);
        assert_eq!(set, slots(&[3]));
        assert!(set.contains(3) && !set.contains(200));
    }

    #[test]
    fn subsets_are_recognised_across_words() {
        assert!(slots(&[]).is_subset(&slots(&[1])));
        assert!(slots(&[1, 130]).is_subset(&slots(&[1, 2, 130])));
        assert!(!slots(&[1, 130]).is_subset(&slots(&[1, 2])));
        assert!(!slots(&[1, 2]).is_subset(&slots(&[1, 130])));
    }
}
