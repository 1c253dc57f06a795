//! An answer is not older than it says: it reflects every write that was acknowledged before the moment
//! that its age points to. A linearizable answer says that it is current: its moment is that in which the
//! read was sent. This holds across keys, where the search for one order, key by key, sees nothing.
//!
//! A node measures an age by its own clock, which may be wrong by as much as the run's bound says.

use super::timeline::Timeline;
use super::{Judgement, Violation, seconds};

/// The property's name for stale reads.
pub const NOT_OLDER_THAN_IT_SAYS: &str = "a stale answer is not older than it says";
/// The property's name for linearizable reads.
pub const CURRENT_WHEN_ASKED: &str = "a linearizable answer reflects what was acknowledged before";

/// The acknowledged writes of all clients.
#[derive(Debug, Default)]
pub struct Ages {
    acknowledged: Timeline,
    /// By how many millionths a node's clock may be slow.
    drift_ppm_max: u64,
}

impl Ages {
    /// Of nodes whose clocks may be slow by so many millionths.
    pub fn with_drift(drift_ppm_max: u64) -> Self {
        Self { acknowledged: Timeline::default(), drift_ppm_max }
    }

    /// A write that took `revision` has been acknowledged.
    pub fn acknowledged(&mut self, completed_ns: u64, revision: u64) {
        self.acknowledged.reach(completed_ns, revision);
    }

    /// A linearizable read that was sent to `member` at `invoked_ns` has been answered from the state at
    /// `revision`.
    pub fn observe_linearizable(&self, member: u64, invoked_ns: u64, revision: u64) -> Judgement {
        self.judge(invoked_ns, revision, |missed| {
            let invoked = seconds(invoked_ns);
            let evidence = format!(
                "n{member} answered a linearizable read of {invoked} with revision {revision}, {missed}"
            );
            Violation::new(CURRENT_WHEN_ASKED, evidence)
        })
    }

    /// A stale read that was sent to `member` at `invoked_ns` has been answered from the state at
    /// `revision`, which the node says was current `age_ns` ago. The node said so after the read was
    /// sent, so the state was current at `invoked_ns - age_ns` or later, if the node's clock is not slow.
    pub fn observe_stale(&self, member: u64, invoked_ns: u64, age_ns: u64, revision: u64) -> Judgement {
        let true_age_ns = u128::from(age_ns) * 1_000_000 / u128::from(1_000_000 - self.drift_ppm_max);
        let true_age_ns = u64::try_from(true_age_ns).unwrap_or(u64::MAX);
        self.judge(invoked_ns.saturating_sub(true_age_ns), revision, |missed| {
            let (invoked, age) = (seconds(invoked_ns), seconds(age_ns));
            let evidence = format!(
                "n{member} answered a stale read of {invoked} with revision {revision} and an age of {age}, {missed}"
            );
            Violation::new(NOT_OLDER_THAN_IT_SAYS, evidence)
        })
    }

    /// Whether a state at `revision` was current at `as_of_ns`. If not, `violation` is told what it misses.
    fn judge(&self, as_of_ns: u64, revision: u64, violation: impl FnOnce(String) -> Violation) -> Judgement {
        match self.acknowledged.before(as_of_ns) {
            Some((since_ns, acknowledged)) if revision < acknowledged => {
                let since = seconds(since_ns);
                Err(violation(format!("but revision {acknowledged} had been acknowledged by {since}")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_writes() -> Ages {
        let mut ages = Ages::default();
        ages.acknowledged(100, 5);
        ages.acknowledged(200, 6);
        ages
    }

    #[test]
    fn a_state_older_than_its_age_is_convicted() {
        let ages = two_writes();
        assert_eq!(ages.observe_stale(1, 250, 60, 5), Ok(()), "as old as it says");
        assert_eq!(ages.observe_stale(1, 250, 10, 6), Ok(()));
        assert_eq!(ages.observe_stale(1, 250, 1_000, 0), Ok(()), "older than everything");
        let violation = ages.observe_stale(1, 250, 40, 5).expect_err("revision 6 was there 40 ns ago");
        assert_eq!(violation.property, NOT_OLDER_THAN_IT_SAYS);
    }

    #[test]
    fn an_age_may_be_wrong_by_what_the_clock_is() {
        let mut ages = Ages::with_drift(100_000);
        ages.acknowledged(1_000, 5);
        assert_eq!(ages.observe_stale(1, 1_091, 90, 4), Ok(()), "by a slow clock 100 ns take 90");
        assert!(ages.observe_stale(1, 1_091, 80, 4).is_err());
    }

    #[test]
    fn a_linearizable_read_that_misses_a_write_of_any_key_is_convicted() {
        let ages = two_writes();
        assert_eq!(ages.observe_linearizable(1, 250, 6), Ok(()));
        assert_eq!(ages.observe_linearizable(1, 250, 9), Ok(()), "others may write meanwhile");
        assert_eq!(ages.observe_linearizable(1, 200, 5), Ok(()), "sent before the acknowledgement came");
        let violation = ages.observe_linearizable(1, 201, 5).expect_err("revision 6 was acknowledged");
        assert_eq!(violation.property, CURRENT_WHEN_ASKED);
    }
}
