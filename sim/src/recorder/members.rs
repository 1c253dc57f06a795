//! Who is a member: what is seen of it, and what of its changes was met.

use std::collections::BTreeSet;

use super::Recorder;
use crate::oracles::NodeName;
use crate::oracles::members::Membership;

/// Every change of members that is counted: many seeds together have to meet all of them.
pub(super) const CHANGES: [&str; 14] = [
    "addresses changed",
    "changes refused",
    "changes while the leader was cut off",
    "clusters recovered",
    "disks wiped and replaced",
    "empty disks refused",
    "leaders removed",
    "leadership transfers",
    "learners joined",
    "learners promoted",
    "members removed",
    "members replaced",
    "members struck as they joined",
    "voters joined",
];

impl Recorder {
    /// One of the changes of members that are counted was met.
    pub fn met(&self, event: &'static str) {
        *self.seen().changes.get_mut(event).expect("every event is listed") += 1;
    }

    /// The disk of a member's machine has been wiped.
    pub fn wiped(&self, member: u64) {
        let mut seen = self.seen();
        seen.disregarded.remove(&member);
        seen.members.wiped(member);
        seen.served.forget(member);
    }

    /// From now on nothing counts that `member` says, until its disk is wiped: it belongs to a cluster that is
    /// looked at no more.
    pub fn disregard(&self, member: u64) {
        let mut seen = self.seen();
        seen.statuses.remove(&member);
        seen.disregarded.insert(member);
    }

    /// Whether a member belongs to a cluster that is looked at no more.
    pub fn disregards(&self, member: u64) -> bool {
        self.seen().disregarded.contains(&member)
    }

    /// The node on a machine, as it has said itself.
    pub fn node_on(&self, member: u64) -> NodeName {
        self.seen().members.on(member)
    }

    /// Whether a node has been removed, as far as anybody has shown.
    pub fn is_removed(&self, node: NodeName) -> bool {
        self.seen().members.is_removed(node)
    }

    /// Whether a node votes in the newest membership that anybody has shown.
    pub fn is_voter(&self, node: NodeName) -> bool {
        self.seen().members.is_voter(node)
    }

    /// Whether a node is in the newest membership that anybody has shown.
    pub fn is_member(&self, node: NodeName) -> bool {
        self.seen().members.is_member(node)
    }

    /// Judges who was elected, now that the run is over.
    pub fn judge_elections(&self) {
        let mut seen = self.seen();
        let now_ns = seen.last_time_ns;
        let judgement = seen.members.judge_elections();
        seen.judge(now_ns, judgement);
    }
}

/// What a node's fact says.
pub(super) fn membership(term: u64, voters: &[Vec<(u64, u64)>], nodes: &[(u64, u64)]) -> Membership {
    let names = |nodes: &[(u64, u64)]| -> BTreeSet<NodeName> {
        nodes
            .iter()
            .map(|(member, incarnation)| NodeName { member: *member, incarnation: *incarnation })
            .collect()
    };
    Membership { term, voters: voters.iter().map(|voters| names(voters)).collect(), nodes: names(nodes) }
}
