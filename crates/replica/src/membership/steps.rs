//! The next step from what the members are to what they are wanted to be.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use quorate_consensus::{Member, NodeId, Wanted};
use quorate_environment::mutant::{self, Mutant};

use super::plan::want;
use super::situation::Situation;

/// What the leader does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Changes the membership, in an entry or in two.
    Change {
        /// What for, in words.
        why: String,
        change: ChangeMembers<NodeId, Member>,
    },
    /// Hands leadership to that voter: this node is to be removed, and somebody else has to do it.
    HandOver { to: NodeId },
}

/// The next step, if there is something to do that can be done now.
///
/// `is_told` says that the nodes have had time to learn of the newest membership: one that leaves is still
/// told that it is no voter any more, and so goes without having to ask.
pub(crate) fn next_step(situation: &Situation, is_told: bool) -> Option<Step> {
    if situation.is_joint() {
        let why = "finishing a change of voters".to_owned();
        return Some(Step::Change { why, change: ChangeMembers::AddVoterIds(BTreeSet::new()) });
    }
    let nodes = || situation.membership.nodes().map(|(node, member)| (*node, member));
    let claimed = nodes().filter(|(node, _)| !node.is_unclaimed());
    let steps = claimed.filter_map(|(node, member)| match member.wanted {
        Wanted::Voter if !situation.is_voter(node) => promote(situation, node),
        Wanted::Replacement(old) => replace(situation, (node, member), old),
        _ => None,
    });
    // Voters come before voters go.
    let mut steps = steps.chain(nodes().filter_map(|(node, member)| match member.wanted {
        Wanted::Removed => remove(situation, node, is_told),
        _ => None,
    }));
    steps.next()
}

/// Whether a learner may become a voter now.
fn is_ready(situation: &Situation, node: NodeId) -> bool {
    situation.is_caught_up(node) || mutant::active(Mutant::PromotionBeforeCatchUp)
}

fn promote(situation: &Situation, node: NodeId) -> Option<Step> {
    let change = ChangeMembers::AddVoterIds(BTreeSet::from([node]));
    is_ready(situation, node).then(|| Step::Change { why: format!("promoting {node}"), change })
}

/// Puts a node that has caught up in the place of another.
fn replace(situation: &Situation, (node, member): (NodeId, &Member), old: NodeId) -> Option<Step> {
    if !is_ready(situation, node) {
        return None;
    }
    let Some(old_member) = situation.membership.get_node(&old) else {
        // It has been removed meanwhile.
        let why = format!("{node} has nobody to replace any more, and becomes a voter");
        return Some(Step::Change { why, change: want(node, member, Wanted::Voter) });
    };
    let why = format!("putting {node} in the place of {old}");
    if !situation.is_voter(old) {
        let changes = vec![want(node, member, Wanted::Learner), want(old, old_member, Wanted::Removed)];
        return Some(Step::Change { why, change: ChangeMembers::Batch(changes) });
    }
    if old == situation.me {
        // Where no other voter can lead, the new one becomes a voter first.
        return hand_over(situation)
            .or_else(|| promote(situation, node).filter(|_| !situation.is_voter(node)));
    }
    let mut changes = vec![want(node, member, Wanted::Voter), want(old, old_member, Wanted::Removed)];
    if !situation.is_voter(node) {
        changes.push(ChangeMembers::AddVoterIds(BTreeSet::from([node])));
    }
    changes.push(ChangeMembers::RemoveVoters(BTreeSet::from([old])));
    Some(Step::Change { why, change: ChangeMembers::Batch(changes) })
}

fn remove(situation: &Situation, node: NodeId, is_told: bool) -> Option<Step> {
    if node == situation.me && mutant::active(Mutant::LeaderIgnoresOwnRemoval) {
        return None;
    }
    if !situation.is_voter(node) {
        let change = ChangeMembers::RemoveNodes(BTreeSet::from([node]));
        let is_due = is_told || !situation.is_reachable(node);
        return is_due.then(|| Step::Change { why: format!("removing {node}"), change });
    }
    if node == situation.me {
        return hand_over(situation);
    }
    if situation.voters().len() == 1 {
        return None;
    }
    let change = ChangeMembers::RemoveVoters(BTreeSet::from([node]));
    Some(Step::Change { why: format!("taking its vote from {node}, which is to be removed"), change })
}

/// Hands leadership to the voter that stays, is in reach and has the most complete log.
fn hand_over(situation: &Situation) -> Option<Step> {
    let stays = |node: &NodeId| {
        let member = situation.membership.get_node(node);
        let is_replaced =
            situation.membership.nodes().any(|(_, other)| other.wanted == Wanted::Replacement(*node));
        member.is_some_and(|member| member.wanted != Wanted::Removed) && !is_replaced
    };
    let others = situation.voters().into_iter().filter(|node| *node != situation.me);
    let candidates: Vec<_> = others.filter(|node| situation.is_caught_up(*node)).collect();
    let best = |nodes: Vec<NodeId>| {
        nodes.into_iter().max_by_key(|node| situation.contacts.get(node).and_then(|contact| contact.matched))
    };
    let staying = candidates.iter().copied().filter(stays).collect();
    best(staying).or_else(|| best(candidates)).map(|to| Step::HandOver { to })
}
