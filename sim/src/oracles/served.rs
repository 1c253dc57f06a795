//! A node serves nothing older than it has served, restarts included (openraft #1511: a restarted
//! leader went on with a state that its log was ahead of).
//!
//! Every answer to a read names the revision of the state that it reflects. Once a client has an answer
//! of a node, whatever is asked of that node afterwards is answered with that revision or a later one.

use std::collections::BTreeMap;

use super::timeline::Timeline;
use super::{Judgement, Violation, seconds};

/// The property's name.
pub const SERVES_NOTHING_OLDER: &str = "a node serves nothing older than it has served";

/// What each member has served.
#[derive(Debug, Default)]
pub struct Served {
    of_members: BTreeMap<u64, Timeline>,
}

impl Served {
    /// The disk of `member` has been wiped: whoever runs there from now on is another node.
    pub fn forget(&mut self, member: u64) {
        self.of_members.remove(&member);
    }

    /// A read that was sent to `member` at `invoked_ns` has been answered, now, from the state at
    /// `revision`.
    pub fn observe(&mut self, member: u64, invoked_ns: u64, completed_ns: u64, revision: u64) -> Judgement {
        let timeline = self.of_members.entry(member).or_default();
        let before = timeline.before(invoked_ns);
        timeline.reach(completed_ns, revision);
        match before {
            Some((since_ns, served)) if revision < served => {
                let evidence = format!(
                    "n{member} answered a read of {} with revision {revision}, but had answered with {served} by {}",
                    seconds(invoked_ns),
                    seconds(since_ns)
                );
                Err(Violation::new(SERVES_NOTHING_OLDER, evidence))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_state_is_convicted() {
        let mut served = Served::default();
        assert_eq!(served.observe(1, 0, 10, 5), Ok(()));
        assert_eq!(served.observe(2, 11, 12, 3), Ok(()), "another node may be behind");
        assert_eq!(served.observe(1, 9, 13, 4), Ok(()), "concurrent reads may be answered out of order");
        assert!(served.observe(1, 11, 14, 4).is_err());
    }
}
