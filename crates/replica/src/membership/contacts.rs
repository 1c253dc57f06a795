//! Where the other nodes are, as far as this one has heard, and who is no member any more.

use std::collections::{BTreeMap, BTreeSet};

use quorate_consensus::{Member, NodeId, StoredMembership};

/// Of how many nodes something is remembered.
const NODES_MAX: usize = 1_024;

/// What a node knows of the others. Addresses are hints: who answers there has to be the very node that was
/// meant.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    /// What nodes have said of themselves in a handshake.
    heard: BTreeMap<NodeId, Member>,
    /// What the committed membership says.
    members: BTreeMap<NodeId, Member>,
    /// Members that were removed while this node looked on.
    removed: BTreeSet<NodeId>,
    /// How often a node was not found where it was looked for.
    misses: BTreeMap<NodeId, usize>,
}

impl Contacts {
    /// Notes what a node says of itself.
    pub(crate) fn hear(&mut self, node: NodeId, member: &Member) {
        // Of each member the newest incarnation is enough.
        self.heard.retain(|known, _| known.member != node.member || *known == node);
        if self.heard.len() < NODES_MAX || self.heard.contains_key(&node) {
            self.heard.insert(node, member.clone());
        }
    }

    /// Whether a node has said something of itself.
    pub(crate) fn has_heard_of(&self, node: NodeId) -> bool {
        self.heard.contains_key(&node)
    }

    /// Where clients reach a node: as it has said itself, or else as the membership says.
    pub(crate) fn client_url(&self, node: NodeId) -> Option<&str> {
        self.heard.get(&node).map(|member| member.client_url.as_str())
    }

    /// Notes the committed membership.
    pub(crate) fn note_membership(&mut self, stored: &StoredMembership) {
        let members: BTreeMap<_, _> =
            stored.membership().nodes().map(|(node, member)| (*node, member.clone())).collect();
        let gone = self.members.keys().filter(|node| !members.contains_key(node)).copied();
        self.removed.extend(gone);
        while self.removed.len() > NODES_MAX {
            self.removed.pop_first();
        }
        self.heard.retain(|node, _| !self.removed.contains(node));
        self.misses.retain(|node, _| members.contains_key(node));
        self.members = members;
    }

    /// Whether a node has been removed, as far as this one has seen.
    pub(crate) fn is_removed(&self, node: NodeId) -> bool {
        self.removed.contains(&node)
    }

    /// The members, without the places that nobody has taken, and where each may be.
    pub(crate) fn members(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        self.members.iter().filter(|(node, _)| !node.is_unclaimed()).map(|(node, member)| (*node, member))
    }

    /// Where to look for a node next, which the caller believes to be at `believed`, and the configuration at
    /// `configured`. After a miss it is another place, if there is one.
    pub(crate) fn address_of(&self, node: NodeId, believed: &str, configured: Option<&str>) -> String {
        let logged = self.members.get(&node).map_or(believed, |member| member.peer_address.as_str());
        let places = self.places_of(node, logged, configured);
        let misses = self.misses.get(&node).copied().unwrap_or(0);
        places.get(misses % places.len().max(1)).copied().unwrap_or(believed).to_owned()
    }

    /// Wherever a node may be: as it has said itself, as the log says, and as the configuration does.
    pub(crate) fn places_of<'a>(
        &'a self,
        node: NodeId,
        logged: &'a str,
        configured: Option<&'a str>,
    ) -> Vec<&'a str> {
        let heard = self.heard.get(&node).map(|member| member.peer_address.as_str());
        let mut places: Vec<&str> = Vec::new();
        for place in [heard, Some(logged), configured].into_iter().flatten() {
            if !place.is_empty() && !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Notes that a node was not found where [`Contacts::address_of`] said.
    pub(crate) fn note_miss(&mut self, node: NodeId) {
        let misses = self.misses.entry(node).or_default();
        *misses = misses.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use quorate_consensus::{CommittedLeaderId, LogId, Membership};

    use super::*;

    fn stored(nodes: &[(NodeId, &str)]) -> StoredMembership {
        let voters = nodes.iter().map(|(node, _)| *node).collect();
        let nodes: BTreeMap<_, _> =
            nodes.iter().map(|(node, address)| (*node, Member::new(*address, ""))).collect();
        let membership = Membership::new(vec![voters], nodes).expect("every voter is a node");
        StoredMembership::new(Some(LogId::new(CommittedLeaderId::new(1), 1)), membership)
    }

    #[test]
    fn a_node_is_looked_for_everywhere_in_turn() {
        let (first, second) = (NodeId::new(1, 1), NodeId::new(2, 1));
        let mut contacts = Contacts::default();
        assert_eq!(contacts.address_of(first, "believed:1", None), "believed:1");
        contacts.note_membership(&stored(&[(first, "logged:1"), (second, "other:1")]));
        contacts.hear(first, &Member::new("heard:1", ""));
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(contacts.address_of(first, "believed:1", Some("configured:1")));
            contacts.note_miss(first);
        }
        assert_eq!(places, ["heard:1", "logged:1", "configured:1", "heard:1"]);
        assert_eq!(contacts.address_of(second, "believed:2", Some("other:1")), "other:1");
    }

    #[test]
    fn who_was_a_member_and_is_none_any_more_has_been_removed() {
        let (first, second, third) = (NodeId::new(1, 1), NodeId::new(2, 1), NodeId::new(3, 1));
        let mut contacts = Contacts::default();
        contacts.note_membership(&stored(&[(first, "a:1"), (second, "b:1")]));
        contacts.note_membership(&stored(&[(first, "a:1")]));
        assert!(contacts.is_removed(second));
        assert!(!contacts.is_removed(first) && !contacts.is_removed(third), "a stranger may be newer");
    }
}
