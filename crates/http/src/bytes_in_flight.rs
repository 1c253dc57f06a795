//! A budget of bytes that the whole node shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts bytes that requests hold, up to a maximum. Nobody waits for it: past the maximum the client
/// is told to come back.
#[derive(Debug)]
pub(crate) struct BytesInFlight {
    used: AtomicUsize,
    maximum: usize,
}

impl BytesInFlight {
    pub(crate) fn new(maximum: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), maximum })
    }

    /// How many bytes are held now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` of the budget, or nothing if there is not so much left.
    pub(crate) fn try_take(self: &Arc<Self>, bytes: usize) -> Option<BytesHeld> {
        let mut held = BytesHeld { budget: Arc::clone(self), bytes: 0 };
        held.try_grow(bytes).then_some(held)
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct BytesHeld {
    budget: Arc<BytesInFlight>,
    bytes: usize,
}

impl BytesHeld {
    /// Takes `more` bytes on top; tells whether there were so many left.
    pub(crate) fn try_grow(&mut self, more: usize) -> bool {
        let maximum = self.budget.maximum;
        let taken = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|sum| *sum <= maximum)
        });
        if taken.is_ok() {
            self.bytes += more;
        }
        taken.is_ok()
    }
}

impl Drop for BytesHeld {
    fn drop(&mut self) {
        let before = self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        debug_assert!(before >= self.bytes, "more bytes given back than were taken");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_up_to_the_maximum_and_gives_back() {
        let budget = BytesInFlight::new(10);
        let mut first = budget.try_take(6).expect("6 of 10");
        assert!(budget.try_take(5).is_none());
        assert!(!first.try_grow(5));
        assert!(first.try_grow(4));
        assert_eq!(budget.used(), 10);
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.try_take(usize::MAX).is_none());
    }
}
