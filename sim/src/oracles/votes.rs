//! A node votes once a term, and does not forget (section 5.2 and figure 2 of the Raft paper: term and
//! vote are on disk before the answer leaves).

use std::collections::BTreeMap;

use super::{Judgement, NodeName, Violation};

/// The property's name.
pub const VOTES_ARE_KEPT: &str = "a node votes once a term and does not forget";

/// A vote that a node has given, or a leader that it has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Vote {
    term: u64,
    candidate: NodeName,
    leads: bool,
}

/// The newest vote of each node, whose data directory outlives the processes on it.
#[derive(Debug, Default)]
pub struct Votes {
    newest: BTreeMap<NodeName, Vote>,
}

impl Votes {
    /// `voter` has written a vote down and is about to act on it.
    pub fn observe(&mut self, voter: NodeName, term: u64, candidate: NodeName, leads: bool) -> Judgement {
        let vote = Vote { term, candidate, leads };
        let Some(before) = self.newest.insert(voter, vote) else { return Ok(()) };
        // Within a term one may learn that another candidate than one's own was elected; nothing else.
        let is_kept = term > before.term
            || (term == before.term && (leads || !before.leads) && (candidate == before.candidate || leads));
        if is_kept {
            return Ok(());
        }
        let describe = |vote: Vote| {
            let what = if vote.leads { "accepts the leader" } else { "votes for" };
            format!("{what} {} in term {}", vote.candidate, vote.term)
        };
        let evidence = format!("{voter} {}, but before that it {}", describe(vote), describe(before));
        Err(Violation::new(VOTES_ARE_KEPT, evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(member: u64) -> NodeName {
        NodeName { member, incarnation: 7 }
    }

    #[track_caller]
    fn check(first: (u64, u64, bool), second: (u64, u64, bool), is_kept: bool) {
        let mut votes = Votes::default();
        assert_eq!(votes.observe(node(1), first.0, node(first.1), first.2), Ok(()));
        let judgement = votes.observe(node(1), second.0, node(second.1), second.2);
        assert_eq!(judgement.is_ok(), is_kept, "{first:?} then {second:?}: {judgement:?}");
        assert_eq!(votes.observe(node(2), 1, node(3), false), Ok(()), "another node votes for itself");
    }

    #[test]
    fn votes_go_forward() {
        check((4, 2, false), (4, 2, false), true);
        check((4, 2, false), (4, 2, true), true);
        check((4, 2, false), (4, 3, true), true);
        check((4, 2, true), (5, 3, false), true);
        check((4, 2, true), (4, 2, true), true);
    }

    #[test]
    fn a_second_candidate_in_a_term_is_convicted() {
        check((4, 2, false), (4, 3, false), false);
    }

    #[test]
    fn a_forgotten_vote_is_convicted() {
        check((4, 2, false), (3, 2, false), false);
        check((4, 2, true), (4, 2, false), false);
        check((4, 2, true), (3, 3, true), false);
    }
}
