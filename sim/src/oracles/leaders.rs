//! At most one leader a term (Election Safety, figure 3 of the Raft paper).

use std::collections::BTreeMap;

use super::{Judgement, NodeName, Violation};

/// The property's name.
pub const ONE_LEADER_A_TERM: &str = "at most one leader a term";

/// Who led each term.
#[derive(Debug, Default)]
pub struct Leaders {
    of_terms: BTreeMap<u64, (NodeName, u64)>,
}

impl Leaders {
    /// Member `witness` has accepted `leader` as the leader of `term`.
    pub fn observe(&mut self, witness: u64, term: u64, leader: NodeName) -> Judgement {
        let (known, first_witness) = *self.of_terms.entry(term).or_insert((leader, witness));
        if known == leader {
            return Ok(());
        }
        let evidence =
            format!("term {term} is led by {known} for n{first_witness} and by {leader} for n{witness}");
        Err(Violation::new(ONE_LEADER_A_TERM, evidence))
    }

    /// How many terms had a leader.
    pub fn terms(&self) -> u64 {
        self.of_terms.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_of_one_term_are_convicted() {
        let node = |member| NodeName { member, incarnation: 7 };
        let mut leaders = Leaders::default();
        assert_eq!(leaders.observe(1, 4, node(1)), Ok(()));
        assert_eq!(leaders.observe(2, 4, node(1)), Ok(()));
        assert_eq!(leaders.observe(2, 5, node(2)), Ok(()));
        let violation = leaders.observe(3, 4, node(3)).expect_err("a second leader");
        assert_eq!(violation.property, ONE_LEADER_A_TERM);
    }

    #[test]
    fn another_incarnation_is_another_leader() {
        let mut leaders = Leaders::default();
        assert_eq!(leaders.observe(1, 4, NodeName { member: 1, incarnation: 7 }), Ok(()));
        assert!(leaders.observe(1, 4, NodeName { member: 1, incarnation: 8 }).is_err());
    }
}
