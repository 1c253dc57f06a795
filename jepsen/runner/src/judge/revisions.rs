//! How revisions grow, over all keys and workloads.
//!
//! A write takes a larger revision than any that was known to anybody before it was asked for; a linearizable read
//! shows one that is at least as large; and a stale one is not older than it says.

use super::{DisturbedClock, some};
use crate::history::{Conviction, Freshness, Revealed};
use crate::property::Property;

/// The largest revision that was known at each moment at which it grew.
#[derive(Default)]
struct Known {
    /// When, and which; both grow.
    steps: Vec<(u64, u64)>,
}

impl Known {
    /// From what was told, in any order.
    fn new(told: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut told: Vec<(u64, u64)> = told.collect();
        told.sort_unstable();
        let mut known = Self::default();
        for (when, revision) in told {
            if known.steps.last().is_none_or(|(_, largest)| *largest < revision) {
                known.steps.push((when, revision));
            }
        }
        known
    }

    /// The largest that was known before a moment; 0 if there was none.
    fn before(&self, moment: u64) -> u64 {
        let later = self.steps.partition_point(|(when, _)| *when < moment);
        later.checked_sub(1).map_or(0, |last| self.steps[last].1)
    }
}

/// Checks all revisions that clients were told.
pub(super) fn check(revealed: &[Revealed], clocks: &[DisturbedClock]) -> Vec<Conviction> {
    let known = Known::new(revealed.iter().map(|it| (it.ended, it.revision)));
    let writes = revealed.iter().filter(|it| it.freshness.is_none());
    let acknowledged = Known::new(writes.map(|it| (it.ended, it.revision)));
    let broken = revealed.iter().filter_map(|it| broken(it, &known, &acknowledged, clocks));
    some(broken.collect())
}

fn broken(
    it: &Revealed,
    known: &Known,
    acknowledged: &Known,
    clocks: &[DisturbedClock],
) -> Option<Conviction> {
    let Revealed { began, node, revision, .. } = *it;
    let before = known.before(began);
    let (property, what) = match it.freshness {
        None if revision <= before => (
            Property::RevisionsInOrder,
            format!(
                "a write at node {node} took revision {revision}, although {before} was known before it was sent"
            ),
        ),
        Some(Freshness::Linearizable) if revision < before => (
            Property::RevisionsInOrder,
            format!(
                "node {node} answered a linearizable read from revision {revision}, although {before} was known before \
             it was sent"
            ),
        ),
        Some(Freshness::Age(age)) if !is_disturbed(it, age, clocks) => {
            let moment = began.saturating_sub(age);
            let before = acknowledged.before(moment);
            if revision >= before {
                return None;
            }
            let age_ms = age / 1_000_000;
            let what = format!(
                "node {node} answered a stale read from revision {revision} and said that that is {age_ms} ms old at \
                 most, although {before} had been acknowledged by then"
            );
            (Property::AgesAsTold, what)
        }
        _ => return None,
    };
    Some(Conviction { when: began, property, what })
}

/// Whether the clock by which an age was measured was wrong while it was.
fn is_disturbed(it: &Revealed, age: u64, clocks: &[DisturbedClock]) -> bool {
    let since = it.began.saturating_sub(age);
    clocks.iter().any(|(node, from, until)| *node == it.node && *from <= it.ended && *until >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(began: u64, ended: u64, revision: u64) -> Revealed {
        Revealed { began, ended, node: 1, revision, freshness: None }
    }

    fn read(began: u64, revision: u64, freshness: Freshness) -> Revealed {
        Revealed { began, ended: began + 5, node: 2, revision, freshness: Some(freshness) }
    }

    fn is_broken(revealed: &[Revealed]) -> bool {
        !check(revealed, &[]).is_empty()
    }

    #[test]
    fn writes_take_larger_revisions_than_all_that_were_known() {
        assert!(!is_broken(&[write(0, 10, 5), write(11, 20, 6)]));
        assert!(!is_broken(&[write(0, 10, 6), write(5, 20, 5)]), "they were concurrent");
        assert!(is_broken(&[write(0, 10, 6), write(11, 20, 5)]));
        assert!(is_broken(&[write(0, 10, 6), write(11, 20, 6)]), "two writes took one revision");
    }

    #[test]
    fn a_linearizable_read_shows_what_was_known() {
        assert!(!is_broken(&[write(0, 10, 5), read(11, 5, Freshness::Linearizable)]));
        assert!(is_broken(&[write(0, 10, 5), read(11, 4, Freshness::Linearizable)]));
        let seen = read(0, 7, Freshness::Any);
        assert!(
            is_broken(&[seen, read(11, 6, Freshness::Linearizable)]),
            "somebody saw more, if only by chance"
        );
    }

    #[test]
    fn a_stale_read_is_as_old_as_it_says() {
        let writes = [write(0, 100, 5), write(150, 200, 6)];
        let with = |read| [&writes[..], &[read]].concat();
        assert!(!is_broken(&with(read(250, 5, Freshness::Age(60)))));
        assert!(is_broken(&with(read(250, 5, Freshness::Age(40)))));
        assert!(!is_broken(&with(read(250, 0, Freshness::Any))));
        let by_a_wrong_clock = with(read(250, 5, Freshness::Age(40)));
        assert_eq!(check(&by_a_wrong_clock, &[(2, 180, 230)]), []);
        assert_ne!(check(&by_a_wrong_clock, &[(1, 180, 230)]), [], "another node's clock was wrong");
    }
}
