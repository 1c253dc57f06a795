//! The members, as a node tells of them.

use quorate_consensus::{Member, NodeId, StoredMembership, Wanted};

/// A member's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRole {
    /// A place that no node has taken yet.
    Unclaimed,
    /// Follows without a vote.
    Learner,
    /// Votes.
    Voter,
    /// Is being removed.
    Leaving,
}

/// A member, or a place for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its number.
    pub member: u64,
    /// The node that has taken the place, if one has.
    pub node: Option<NodeId>,
    /// Where peers reach it; empty for a place that is not taken.
    pub peer_address: String,
    /// Where clients reach it; empty if it has not said.
    pub client_url: String,
    /// Its part.
    pub role: MemberRole,
    /// What is to become of it.
    pub wanted: Wanted,
    /// On the leader: the last index of the log known to be on its disk.
    pub matched_index: Option<u64>,
    /// On the leader: how many entries of the log it has not got yet.
    pub lag: Option<u64>,
    /// On the leader: whether it has answered lately.
    pub is_reachable: Option<bool>,
}

/// The members of the cluster, as they were when an entry of the log had been committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembersView {
    /// The entry's index in the log. Of two views, that with the greater one is the newer.
    pub index: u64,
    /// The leader, if one is known.
    pub leader: Option<u64>,
    /// Whether the voters are just being changed: majorities of the old and of the new ones are needed.
    pub is_joint: bool,
    /// The members in the order of their numbers.
    pub members: Vec<MemberView>,
}

impl MemberView {
    fn new(node: NodeId, member: &Member, is_voter: bool) -> Self {
        let role = match member.wanted {
            Wanted::Removed => MemberRole::Leaving,
            _ if node.is_unclaimed() => MemberRole::Unclaimed,
            _ if is_voter => MemberRole::Voter,
            _ => MemberRole::Learner,
        };
        Self {
            member: node.member,
            node: Some(node).filter(|node| !node.is_unclaimed()),
            peer_address: member.peer_address.clone(),
            client_url: member.client_url.clone(),
            role,
            wanted: member.wanted,
            matched_index: None,
            lag: None,
            is_reachable: None,
        }
    }

    /// Whether it is what it is wanted to be.
    fn is_settled(&self) -> bool {
        match self.wanted {
            Wanted::Voter => self.role == MemberRole::Voter,
            Wanted::Learner => self.role == MemberRole::Learner,
            Wanted::Replacement(_) | Wanted::Removed => false,
        }
    }

    fn what_is_left(&self) -> String {
        let member = self.member;
        match (self.role, self.wanted) {
            (MemberRole::Unclaimed, _) => format!("no node has taken the place of member {member}"),
            (_, Wanted::Removed) => format!("member {member} is being removed"),
            (_, Wanted::Replacement(old)) => format!("member {member} has to catch up to replace {old}"),
            _ => format!("member {member} has to catch up"),
        }
    }
}

impl MembersView {
    /// What a membership says.
    pub(crate) fn of(stored: &StoredMembership, leader: Option<NodeId>) -> Self {
        let membership = stored.membership();
        let is_voter = |node: &NodeId| {
            membership.get_joint_config().iter().any(|configuration| configuration.contains(node))
        };
        let views = membership.nodes().map(|(node, member)| MemberView::new(*node, member, is_voter(node)));
        Self {
            index: stored.log_id().as_ref().map_or(0, |log_id| log_id.index()),
            leader: leader.map(|leader| leader.member),
            is_joint: membership.get_joint_config().len() > 1,
            members: views.collect(),
        }
    }

    /// Whether nothing is left to do about a member, be it that there is none (any more).
    pub fn is_settled(&self, member: u64) -> bool {
        !self.is_joint && self.members.iter().filter(|view| view.member == member).all(MemberView::is_settled)
    }

    /// What is left to do about a member, in words.
    pub(crate) fn what_is_left(&self, member: u64) -> String {
        let views = self.members.iter().filter(|view| view.member == member && !view.is_settled());
        let left: Vec<_> = views.map(MemberView::what_is_left).collect();
        match left.is_empty() {
            true => "a change of voters is under way".to_owned(),
            false => left.join("; "),
        }
    }
}
