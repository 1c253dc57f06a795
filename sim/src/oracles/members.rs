//! Who is a member, who votes, who leads: never two quorums.
//!
//! Nodes tell of every committed membership that they go by, of the identity of their data directory, and of
//! their votes ([`super::votes`], [`super::leaders`]). From that follows
//!
//! - that all show the same memberships, and only ones that stay (bugs #818 and #1293 of rqlite: a change of
//!   addresses counted before it was committed);
//! - that a leader had the votes of a majority of the voters, of the old and of the new ones while they change,
//!   so that no learner's, removed or former node's vote has made one (Raft dissertation section 4.2.2; the bug
//!   of 2015 in changes of single members; RethinkDB 2.2.3);
//! - that a data directory which is made anew is another node;
//! - that whoever becomes a voter has caught up before;
//! - that a node which has been removed answers no linearizable read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Judgement, NodeName, Violation, seconds};

/// The property of memberships.
pub const MEMBERSHIPS_AGREE: &str = "all nodes go by the same members";
/// The property of elections.
pub const ELECTED_BY_A_QUORUM: &str = "a leader has the votes of a majority of the voters";
/// The property of data directories.
pub const INCARNATIONS_ARE_NEW: &str = "an empty directory makes another node";
/// The property of promotions.
pub const CAUGHT_UP_BEFORE_VOTING: &str = "whoever becomes a voter has caught up";
/// The property of reads of nodes that are gone.
pub const NO_READS_OF_REMOVED: &str = "a removed node answers no linearizable read";

/// How many entries a node may be behind when it becomes a voter: twice what the leader allows, since it has
/// them on its disk before it applies them.
const BEHIND_MAX: u64 = 512;
/// For so long a request that the leader has let in before it let the node go may be under way.
const READ_GRACE_NS: u64 = 1_000_000_000;

/// A committed membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The term of its entry.
    pub term: u64,
    /// The voters: of the old and the new ones, while they change.
    pub voters: Vec<BTreeSet<NodeName>>,
    /// All nodes in it.
    pub nodes: BTreeSet<NodeName>,
}

impl Membership {
    fn votes(&self, node: NodeName) -> bool {
        self.voters.iter().any(|voters| voters.contains(&node))
    }

    /// Whether `granted` are a majority of the voters, and `leader` is one.
    fn elects(&self, leader: NodeName, granted: &BTreeSet<NodeName>) -> bool {
        let has_majority =
            |voters: &BTreeSet<NodeName>| voters.intersection(granted).count() > voters.len() / 2;
        self.votes(leader) && self.voters.iter().all(has_majority)
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |nodes: &BTreeSet<NodeName>| -> Vec<String> { nodes.iter().map(NodeName::to_string).collect() };
        let voters: Vec<String> = self.voters.iter().map(|voters| names(voters).join(" ")).collect();
        let learners: BTreeSet<_> = self.nodes.iter().copied().filter(|node| !self.votes(*node)).collect();
        write!(
            formatter,
            "term {}, voters {}; others {}",
            self.term,
            voters.join(" and "),
            names(&learners).join(" ")
        )
    }
}

/// The memberships that were shown, and what follows from them.
#[derive(Debug, Default)]
pub struct Members {
    /// By index, with the member that showed it first, and when.
    shown: BTreeMap<u64, (Membership, u64, u64)>,
    /// The node on each machine.
    running: BTreeMap<u64, NodeName>,
    /// The nodes whose directories were wiped.
    wiped: BTreeSet<NodeName>,
    /// The index at which each node's state stands.
    stands: BTreeMap<NodeName, u64>,
    /// The index of the newest membership in each node's log, which therefore reaches that far.
    goes_by: BTreeMap<NodeName, u64>,
    /// Who voted for whom in each term.
    granted: BTreeMap<(u64, NodeName), BTreeSet<NodeName>>,
    /// The leaders, with those who had voted for them by then.
    elected: BTreeMap<u64, (NodeName, BTreeSet<NodeName>)>,
    /// When nodes were removed.
    removed_ns: BTreeMap<NodeName, u64>,
}

impl Members {
    /// The node on a machine.
    pub fn on(&self, member: u64) -> NodeName {
        self.running.get(&member).copied().unwrap_or(NodeName { member, incarnation: 0 })
    }

    /// Whether a node has been removed, as far as anybody has shown.
    pub fn is_removed(&self, node: NodeName) -> bool {
        self.removed_ns.contains_key(&node)
    }

    /// Whether a node is in the newest membership.
    pub fn is_member(&self, node: NodeName) -> bool {
        self.newest().is_some_and(|newest| newest.nodes.contains(&node))
    }

    /// Whether a node votes in the newest membership.
    pub fn is_voter(&self, node: NodeName) -> bool {
        self.newest().is_some_and(|newest| newest.votes(node))
    }

    fn newest(&self) -> Option<&Membership> {
        self.shown.last_key_value().map(|(_, (membership, ..))| membership)
    }

    /// The directory on a machine has been opened.
    pub fn opened(&mut self, node: NodeName) -> Judgement {
        self.running.insert(node.member, node);
        if self.wiped.contains(&node) {
            let evidence = format!("{node} runs again from a directory that was made anew");
            return Err(Violation::new(INCARNATIONS_ARE_NEW, evidence));
        }
        Ok(())
    }

    /// The directory on a machine has been wiped.
    pub fn wiped(&mut self, member: u64) {
        if let Some(node) = self.running.remove(&member) {
            self.wiped.insert(node);
        }
    }

    /// The state of a node stands at an index.
    pub fn stands(&mut self, member: u64, index: u64) {
        self.stands.insert(self.on(member), index);
    }

    /// The index at which the state of the node on a machine stands, if it has said so.
    pub fn stands_at(&self, member: u64) -> Option<u64> {
        self.stands.get(&self.on(member)).copied()
    }

    /// A member votes for a candidate, or accepts it as the leader.
    pub fn voted(&mut self, member: u64, term: u64, candidate: NodeName, leads: bool) {
        let voter = self.on(member);
        let granted = self.granted.entry((term, candidate)).or_default();
        if !leads {
            granted.insert(voter);
        } else if let Entry::Vacant(first) = self.elected.entry(term) {
            let mut granted = granted.clone();
            granted.insert(candidate);
            first.insert((candidate, granted));
        }
    }

    /// A member goes by a committed membership. `entry_term` is the term of the entry that was applied at its
    /// place, if one was.
    pub fn show(
        &mut self,
        now_ns: u64,
        member: u64,
        index: u64,
        membership: Membership,
        entry_term: Option<u64>,
    ) -> Judgement {
        let reaches = self.goes_by.entry(self.on(member)).or_default();
        *reaches = index.max(*reaches);
        if let Some((known, first, _)) = self.shown.get(&index)
            && *known != membership
        {
            let evidence = format!("at index {index} n{first} has {known}, and n{member} {membership}");
            return Err(Violation::new(MEMBERSHIPS_AGREE, evidence));
        }
        check_term(index, member, membership.term, entry_term)?;
        let is_newest = self.shown.last_key_value().is_none_or(|(newest, _)| *newest < index);
        if self.shown.contains_key(&index) || !is_newest {
            self.shown.entry(index).or_insert((membership, member, now_ns));
            return Ok(());
        }
        let caught_up = self.check_promoted(index, &membership);
        let before = self.newest().map(|before| before.nodes.clone()).unwrap_or_default();
        for gone in before.difference(&membership.nodes) {
            self.removed_ns.entry(*gone).or_insert(now_ns);
        }
        self.shown.insert(index, (membership, member, now_ns));
        caught_up
    }

    /// An entry has been applied.
    pub fn applied(&self, index: u64, term: u64) -> Judgement {
        match self.shown.get(&index) {
            Some((shown, member, _)) => check_term(index, *member, shown.term, Some(term)),
            None => Ok(()),
        }
    }

    /// Whoever votes in a membership and did not in the one before has nearly everything.
    fn check_promoted(&self, index: u64, membership: &Membership) -> Judgement {
        let Some(before) = self.newest() else { return Ok(()) };
        let promoted = membership
            .voters
            .iter()
            .flatten()
            .filter(|node| !before.votes(**node) && **node == self.on(node.member));
        for node in promoted {
            // One that has all entries and was struck before it could apply any has caught up.
            let reaches = self.stands.get(node).max(self.goes_by.get(node));
            let behind = index.saturating_sub(reaches.copied().unwrap_or(0));
            if behind > BEHIND_MAX || reaches.is_none() {
                let evidence =
                    format!("{node} becomes a voter at index {index}, and is {behind} entries behind");
                return Err(Violation::new(CAUGHT_UP_BEFORE_VOTING, evidence));
            }
        }
        Ok(())
    }

    /// A linearizable read that was sent to a machine at `invoked_ns` has been answered.
    pub fn read(&self, member: u64, invoked_ns: u64) -> Judgement {
        // Where a disk has just been wiped, the answer is of the node before, and was under way.
        let Some(node) = self.running.get(&member) else { return Ok(()) };
        match self.removed_ns.get(node) {
            Some(removed_ns) if removed_ns + READ_GRACE_NS < invoked_ns => {
                let (removed, invoked) = (seconds(*removed_ns), seconds(invoked_ns));
                let evidence = format!("{node} was removed by {removed}, and answered a read of {invoked}");
                Err(Violation::new(NO_READS_OF_REMOVED, evidence))
            }
            _ => Ok(()),
        }
    }

    /// Judges all elections, now that all memberships are known: a leader may go by one that was committed
    /// only after its election.
    pub fn judge_elections(&self) -> Judgement {
        for (term, (leader, granted)) in &self.elected {
            let is_elected = self.shown.values().any(|(membership, ..)| membership.elects(*leader, granted));
            if !is_elected && !self.shown.is_empty() {
                let granted: Vec<String> = granted.iter().map(NodeName::to_string).collect();
                let evidence =
                    format!("{leader} leads term {term} with the votes of {granted:?}, which elect nobody");
                return Err(Violation::new(ELECTED_BY_A_QUORUM, evidence));
            }
        }
        Ok(())
    }
}

fn check_term(index: u64, member: u64, shown: u64, applied: Option<u64>) -> Judgement {
    match applied {
        Some(applied) if applied != shown => {
            let evidence = format!(
                "n{member} went by a membership at index {index} of term {shown}, where an entry of term {applied} was committed"
            );
            Err(Violation::new(MEMBERSHIPS_AGREE, evidence))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(member: u64) -> NodeName {
        NodeName { member, incarnation: 7 }
    }

    fn membership(voters: &[&[u64]], learners: &[u64]) -> Membership {
        let voters: Vec<BTreeSet<_>> =
            voters.iter().map(|voters| voters.iter().copied().map(node).collect()).collect();
        let nodes = voters.iter().flatten().copied().chain(learners.iter().copied().map(node)).collect();
        Membership { term: 1, voters, nodes }
    }

    /// Three voters, and a learner that has entry 5.
    fn cluster() -> Members {
        let mut members = Members::default();
        for member in 1..=4 {
            assert_eq!(members.opened(node(member)), Ok(()));
        }
        assert_eq!(members.show(10, 1, 1, membership(&[&[1, 2, 3]], &[4]), Some(1)), Ok(()));
        members.stands(4, 5);
        members
    }

    fn property(judgement: Judgement) -> &'static str {
        judgement.expect_err("it is wrong").property
    }

    #[test]
    fn nodes_that_go_by_different_members_are_convicted() {
        let mut members = cluster();
        assert_eq!(members.show(11, 2, 1, membership(&[&[1, 2, 3]], &[4]), None), Ok(()));
        let other = members.show(12, 3, 1, membership(&[&[1, 2]], &[]), None);
        assert_eq!(property(other), MEMBERSHIPS_AGREE);
        let vanished = members.show(12, 3, 2, membership(&[&[1, 2]], &[]), Some(2));
        assert_eq!(property(vanished), MEMBERSHIPS_AGREE);
        assert_eq!(property(members.applied(1, 2)), MEMBERSHIPS_AGREE);
    }

    #[track_caller]
    fn check_election(voters: &[u64], is_elected: bool) {
        let mut members = cluster();
        for voter in voters {
            members.voted(*voter, 3, node(1), false);
        }
        members.voted(1, 3, node(1), true);
        assert_eq!(members.judge_elections().is_ok(), is_elected, "{voters:?}");
    }

    #[test]
    fn a_leader_without_a_majority_of_the_voters_is_convicted() {
        check_election(&[1, 2], true);
        check_election(&[2], true);
        check_election(&[1], false);
        check_election(&[1, 4], false);
    }

    #[test]
    fn while_voters_change_a_majority_of_both_is_needed() {
        let joint = membership(&[&[1, 2, 3], &[1, 4]], &[]);
        let granted = |members: &[u64]| members.iter().copied().map(node).collect();
        assert!(joint.elects(node(1), &granted(&[1, 2, 4])));
        assert!(!joint.elects(node(1), &granted(&[1, 2, 3])));
        assert!(!joint.elects(node(1), &granted(&[1, 4])));
    }

    #[test]
    fn a_voter_that_has_nothing_is_convicted() {
        let mut members = cluster();
        assert_eq!(members.show(20, 1, 9, membership(&[&[1, 2, 3, 4]], &[]), None), Ok(()));
        let mut members = cluster();
        let far = members.show(20, 1, 900, membership(&[&[1, 2, 3, 4]], &[]), None);
        assert_eq!(property(far), CAUGHT_UP_BEFORE_VOTING);
        let mut members = cluster();
        members.wiped(4);
        assert_eq!(members.opened(NodeName { member: 4, incarnation: 8 }), Ok(()));
        let mut promoted = membership(&[&[1, 2, 3]], &[]);
        promoted.voters[0].insert(NodeName { member: 4, incarnation: 8 });
        assert_eq!(property(members.show(20, 1, 9, promoted, None)), CAUGHT_UP_BEFORE_VOTING);
    }

    #[test]
    fn a_wiped_node_that_comes_back_as_itself_is_convicted() {
        let mut members = cluster();
        assert_eq!(members.opened(node(2)), Ok(()), "a restart");
        members.wiped(2);
        assert_eq!(property(members.opened(node(2))), INCARNATIONS_ARE_NEW);
    }

    #[test]
    fn a_read_of_a_node_that_is_gone_is_convicted() {
        let mut members = cluster();
        assert_eq!(members.show(20, 1, 2, membership(&[&[1, 2, 3]], &[]), None), Ok(()));
        assert!(members.is_removed(node(4)));
        assert_eq!(members.read(4, 21), Ok(()), "it was let in before");
        assert_eq!(property(members.read(4, READ_GRACE_NS + 21)), NO_READS_OF_REMOVED);
        assert_eq!(members.read(3, READ_GRACE_NS + 21), Ok(()));
        members.wiped(4);
        assert_eq!(members.read(4, READ_GRACE_NS + 21), Ok(()), "nobody is there yet");
    }
}
