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
