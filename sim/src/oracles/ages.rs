//! A stale answer is not older than it says: it reflects every write that was acknowledged before the
//! moment that its age points to.

use super::timeline::Timeline;
use super::{Judgement, Violation, seconds};

/// The property's name.
pub const NOT_OLDER_THAN_IT_SAYS: &str = "a stale answer is not older than it says";

/// The acknowledged writes of all clients.
#[derive(Debug, Default)]
pub struct Ages {
    acknowledged: Timeline,
}

impl Ages {
    /// A write that took `revision` has been acknowledged.
    pub fn acknowledged(&mut self, completed_ns: u64, revision: u64) {
        self.acknowledged.reach(completed_ns, revision);
    }

    /// A stale read that was sent to `member` at `invoked_ns` has been answered from the state at
    /// `revision`, which the node says was current `age_ns` ago. The node said so after the read was
    /// sent, so the state was current at `invoked_ns - age_ns` or later.
    pub fn observe(&self, member: u64, invoked_ns: u64, age_ns: u64, revision: u64) -> Judgement {
        let current_as_of = invoked_ns.saturating_sub(age_ns);
        match self.acknowledged.before(current_as_of) {
            Some((since_ns, acknowledged)) if revision < acknowledged => {
                let evidence = format!(
                    "n{member} answered a stale read of {} with revision {revision} and an age of {}, but revision \
                     {acknowledged} had been acknowledged by {}",
                    seconds(invoked_ns),
                    seconds(age_ns),
                    seconds(since_ns)
                );
                Err(Violation::new(NOT_OLDER_THAN_IT_SAYS, evidence))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_older_than_its_age_is_convicted() {
        let mut ages = Ages::default();
        ages.acknowledged(100, 5);
        ages.acknowledged(200, 6);
        assert_eq!(ages.observe(1, 250, 60, 5), Ok(()), "as old as it says");
        assert_eq!(ages.observe(1, 250, 10, 6), Ok(()));
        assert_eq!(ages.observe(1, 250, 1_000, 0), Ok(()), "older than everything");
        assert!(ages.observe(1, 250, 40, 5).is_err());
    }
}
