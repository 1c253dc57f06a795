//! What the leader knows when it decides about the membership.

use std::collections::{BTreeMap, BTreeSet};

use quorate_consensus::{Member, Membership, NodeId};

/// How many entries a learner may be behind and still be promoted: what is under way at high load.
const CAUGHT_UP_ENTRIES: u64 = 256;

/// What the leader knows of one other node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contact {
    /// The last index known to be on its disk.
    pub(crate) matched: Option<u64>,
    /// Whether it has answered lately.
    pub(crate) is_reachable: bool,
}

/// The committed membership, with nothing newer proposed, and what the leader knows of the nodes in it.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    /// The leader.
    pub(crate) me: NodeId,
    pub(crate) membership: Membership,
    /// The end of the leader's log.
    pub(crate) last_index: u64,
    /// The other nodes. Those that it has no word of are not in it.
    pub(crate) contacts: BTreeMap<NodeId, Contact>,
}

impl Situation {
    /// The voters of the newest configuration.
    pub(crate) fn voters(&self) -> BTreeSet<NodeId> {
        self.membership.get_joint_config().last().cloned().unwrap_or_default()
    }

    pub(crate) fn is_voter(&self, node: NodeId) -> bool {
        self.membership.get_joint_config().iter().any(|voters| voters.contains(&node))
    }

    pub(crate) fn is_joint(&self) -> bool {
        self.membership.get_joint_config().len() > 1
    }

    /// All nodes and places with that number.
    pub(crate) fn with_number(&self, member: u64) -> impl Iterator<Item = (NodeId, &Member)> {
        let nodes = self.membership.nodes().filter(move |(node, _)| node.member == member);
        nodes.map(|(node, member)| (*node, member))
    }

    pub(crate) fn is_reachable(&self, node: NodeId) -> bool {
        node == self.me || self.contacts.get(&node).is_some_and(|contact| contact.is_reachable)
    }

    /// How many entries a node is behind; `None` if nothing of it is known.
    pub(crate) fn lag(&self, node: NodeId) -> Option<u64> {
        if node == self.me {
            return Some(0);
        }
        let matched = self.contacts.get(&node)?.matched?;
        Some(self.last_index.saturating_sub(matched))
    }

    /// Whether a node can be made a voter without the others having to wait for it.
    pub(crate) fn is_caught_up(&self, node: NodeId) -> bool {
        self.is_reachable(node) && self.lag(node).is_some_and(|lag| lag <= CAUGHT_UP_ENTRIES)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! Situations, as tests put them together. Member 1 leads.

    use openraft::ChangeMembers;
    use quorate_consensus::Wanted;

    use super::*;

    const LAST_INDEX: u64 = 10_000;

    /// A member of a situation.
    pub(crate) struct Part {
        node: NodeId,
        member: Member,
        votes: bool,
        contact: Contact,
    }

    pub(crate) fn node(member: u64) -> NodeId {
        NodeId::new(member, member)
    }

    fn part(node: NodeId, wanted: Wanted, votes: bool) -> Part {
        let member = Member { wanted, ..Member::new(format!("node{}:1", node.member), "") };
        Part { node, member, votes, contact: Contact { matched: Some(LAST_INDEX), is_reachable: true } }
    }

    pub(crate) fn voter(member: u64) -> Part {
        part(node(member), Wanted::Voter, true)
    }

    pub(crate) fn learner(member: u64) -> Part {
        part(node(member), Wanted::Learner, false)
    }

    pub(crate) fn place(member: u64, wanted: Wanted) -> Part {
        part(NodeId::unclaimed(member), wanted, false).away()
    }

    impl Part {
        pub(crate) fn away(mut self) -> Self {
            self.contact = Contact { matched: None, is_reachable: false };
            self
        }

        pub(crate) fn behind(mut self, entries: u64) -> Self {
            self.contact.matched = Some(LAST_INDEX - entries);
            self
        }

        pub(crate) fn wanted(mut self, wanted: Wanted) -> Self {
            self.member.wanted = wanted;
            self
        }
    }

    pub(crate) fn situation(parts: Vec<Part>) -> Situation {
        let voters = parts.iter().filter(|part| part.votes).map(|part| part.node).collect();
        let contacts = parts.iter().map(|part| (part.node, part.contact)).collect();
        let nodes: BTreeMap<_, _> = parts.into_iter().map(|part| (part.node, part.member)).collect();
        let membership = Membership::new(vec![voters], nodes).expect("every voter is a node");
        Situation { me: node(1), membership, last_index: LAST_INDEX, contacts }
    }

    impl Situation {
        /// After a change, in all of its entries. Who is new is in reach and has everything.
        pub(crate) fn changed(&self, change: ChangeMembers<NodeId, Member>) -> Situation {
            let (mut voters, mut nodes) = (self.voters(), BTreeMap::new());
            nodes.extend(self.membership.nodes().map(|(node, member)| (*node, member.clone())));
            apply(change, &mut voters, &mut nodes);
            let mut contacts = self.contacts.clone();
            for node in nodes.keys().filter(|node| !node.is_unclaimed()) {
                let new = Contact { matched: Some(self.last_index), is_reachable: true };
                contacts.entry(*node).or_insert(new);
            }
            let membership = Membership::new(vec![voters], nodes).expect("every voter is a node");
            Situation { membership, contacts, ..self.clone() }
        }
    }

    fn apply(
        change: ChangeMembers<NodeId, Member>,
        voters: &mut BTreeSet<NodeId>,
        nodes: &mut BTreeMap<NodeId, Member>,
    ) {
        match change {
            ChangeMembers::AddVoterIds(added) => voters.extend(added),
            ChangeMembers::RemoveVoters(removed) => voters.retain(|voter| !removed.contains(voter)),
            ChangeMembers::AddNodes(added) => {
                for (node, member) in added {
                    nodes.entry(node).or_insert(member);
                }
            }
            ChangeMembers::SetNodes(set) => nodes.extend(set),
            ChangeMembers::RemoveNodes(removed) => nodes.retain(|node, _| !removed.contains(node)),
            ChangeMembers::Batch(changes) => {
                changes.into_iter().for_each(|change| apply(change, voters, nodes));
            }
            other => panic!("no part of this crate makes {other}"),
        }
    }
}
