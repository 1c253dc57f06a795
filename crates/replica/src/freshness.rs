//! How old the local state can be.
//!
//! The state is *current as of* the beginning of a ReadIndex round whose index has been applied here:
//! it reflects every write that was acknowledged before. Reads that run rounds keep the mark recent;
//! when there are none, a background task runs one now and then, so that stale reads can state their
//! age and `/readyz` tells the truth.
//!
//! The first mark after a start has a second meaning. A node may have served, before it went down,
//! entries that it had applied but not flushed (a quorum of others had). Until one round has succeeded
//! its state might be older than what it once showed, so until then it answers no reads at all, stale
//! ones included.

use std::sync::Mutex;
use std::time::Duration;

use quorate_environment::Moment;

/// The latest moment as of which the local state is known to have been current.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    current_as_of: Mutex<Option<Moment>>,
}

impl Freshness {
    /// Notes that the local state includes everything acknowledged before `moment`.
    pub(crate) fn note(&self, moment: Moment) {
        let mut current_as_of = self.current_as_of.lock().expect("no code panics while it holds the mark");
        *current_as_of = (*current_as_of).max(Some(moment));
    }

    /// The age of the local state at `now`, or `None` if no round has succeeded since the start.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        let current_as_of = *self.current_as_of.lock().expect("no code panics while it holds the mark");
        current_as_of.map(|moment| now.saturating_since(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_age_counts_from_the_latest_round_whatever_order_they_finish_in() {
        let freshness = Freshness::default();
        assert_eq!(freshness.age(at(5)), None);
        freshness.note(at(30));
        freshness.note(at(20));
        assert_eq!(freshness.age(at(100)), Some(Duration::from_millis(70)));
    }
}
