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
        Wanted::Learner if mutant::active(Mutant::LearnerCountedInQuorum) && !situation.is_voter(node) => {
            promote(situation, node)
        }
        Wanted::Replacement(old) => replace(situation, (node, member), old),
        _ => None,
    });
    // Voters come before voters go.
    let mut steps = steps.chain(take_votes(situation)).chain(leave(situation));
    steps.next().or_else(|| {
        let leaving = nodes().filter(|(_, member)| member.wanted == Wanted::Removed);
        leaving.filter_map(|(node, _)| let_go(situation, node, is_told)).next()
    })
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

/// Takes their votes from all others that are to be removed, at once: whether the voters that stay can do without
/// them was asked of all of them together. One after the other, there could be none in between that have a
/// majority in reach.
fn take_votes(situation: &Situation) -> Option<Step> {
    let goes = |node: &NodeId| *node != situation.me && is_to_be_removed(situation, *node);
    let (leaving, staying): (BTreeSet<_>, BTreeSet<_>) = situation.voters().into_iter().partition(goes);
    // Without a majority the change would never be committed, and nothing after it: so it waits for one.
    let in_reach = staying.iter().filter(|node| situation.is_reachable(**node)).count();
    if leaving.is_empty() || in_reach <= staying.len() / 2 {
        return None;
    }
    let names: Vec<_> = leaving.iter().map(NodeId::to_string).collect();
    let why = format!("taking the votes of those that are to be removed: {}", names.join(", "));
    Some(Step::Change { why, change: ChangeMembers::RemoveVoters(leaving) })
}

/// Hands leadership over if the leader itself is to be removed.
fn leave(situation: &Situation) -> Option<Step> {
    let me = situation.me;
    let is_leaving = is_to_be_removed(situation, me) && situation.is_voter(me);
    hand_over(situation).filter(|_| is_leaving && !mutant::active(Mutant::LeaderIgnoresOwnRemoval))
}

/// Takes a node that has no vote (any more) out of the membership.
fn let_go(situation: &Situation, node: NodeId, is_told: bool) -> Option<Step> {
    let ignored = node == situation.me && mutant::active(Mutant::LeaderIgnoresOwnRemoval);
    let is_due = is_told || !situation.is_reachable(node);
    if ignored || situation.is_voter(node) || !is_due {
        return None;
    }
    let change = ChangeMembers::RemoveNodes(BTreeSet::from([node]));
    Some(Step::Change { why: format!("removing {node}"), change })
}

fn is_to_be_removed(situation: &Situation, node: NodeId) -> bool {
    situation.membership.get_node(&node).is_some_and(|member| member.wanted == Wanted::Removed)
}

/// Hands leadership to the voter that is in reach and has the most complete log, of those that stay. One that is
/// about to be replaced is better than none; one that is to be removed would only hand it back.
fn hand_over(situation: &Situation) -> Option<Step> {
    let is_replaced = |node: &NodeId| {
        situation.membership.nodes().any(|(_, other)| other.wanted == Wanted::Replacement(*node))
    };
    let others = situation.voters().into_iter().filter(|node| *node != situation.me);
    let candidates =
        others.filter(|node| situation.is_caught_up(*node) && !is_to_be_removed(situation, *node));
    let matched = |node: &NodeId| situation.contacts.get(node).and_then(|contact| contact.matched);
    let best = candidates.max_by_key(|node| (!is_replaced(node), matched(node)));
    best.map(|to| Step::HandOver { to })
}

#[cfg(test)]
mod tests {
    use super::super::situation::tests::{learner, node, place, situation, voter};
    use super::*;

    /// Takes steps until there is none, or this node hands over. Gives the end and how many changes there were.
    fn run(mut situation: Situation) -> (Situation, usize, Option<NodeId>) {
        for count in 0..20 {
            match next_step(&situation, true) {
                None => return (situation, count, None),
                Some(Step::HandOver { to }) => return (situation, count, Some(to)),
                Some(Step::Change { change, .. }) => situation = situation.changed(change),
            }
        }
        panic!("the steps have no end: {situation:?}");
    }

    fn members(situation: &Situation) -> Vec<(u64, bool)> {
        let nodes = situation.membership.nodes();
        nodes.map(|(node, _)| (node.member, situation.is_voter(*node))).collect()
    }

    #[test]
    fn a_learner_becomes_a_voter_when_it_has_caught_up_and_not_before() {
        let wanted = |part: super::super::situation::tests::Part| part.wanted(Wanted::Voter);
        let (end, ..) = run(situation(vec![voter(1), wanted(learner(2))]));
        assert_eq!(members(&end), [(1, true), (2, true)]);
        for not_yet in [learner(2).behind(1_000), learner(2).away()] {
            let (end, count, _) = run(situation(vec![voter(1), wanted(not_yet)]));
            assert_eq!((members(&end), count), (vec![(1, true), (2, false)], 0));
        }
        let (end, count, _) = run(situation(vec![voter(1), learner(2), place(3, Wanted::Voter)]));
        assert_eq!((end.membership.nodes().count(), count), (3, 0), "nothing is to be done");
    }

    #[test]
    fn a_replacement_takes_the_place_in_one_change() {
        let replacement = || learner(4).wanted(Wanted::Replacement(node(3)));
        let before = situation(vec![voter(1), voter(2), voter(3).away(), replacement()]);
        let Some(Step::Change { change, .. }) = next_step(&before, true) else { panic!("a change") };
        let swapped = before.changed(change);
        assert_eq!(members(&swapped), [(1, true), (2, true), (3, false), (4, true)]);
        let (end, ..) = run(swapped);
        assert_eq!(members(&end), [(1, true), (2, true), (4, true)]);
        let of_nobody = situation(vec![voter(1), voter(2), replacement()]);
        assert_eq!(members(&run(of_nobody).0), [(1, true), (2, true), (4, true)]);
        let of_learner = situation(vec![voter(1), voter(2), learner(3), replacement()]);
        assert_eq!(members(&run(of_learner).0), [(1, true), (2, true), (4, false)]);
    }

    #[test]
    fn a_leader_that_is_to_go_hands_over_to_the_best_of_those_that_stay() {
        let leaving = || voter(1).wanted(Wanted::Removed);
        let (.., to) = run(situation(vec![leaving(), voter(2).behind(9), voter(3)]));
        assert_eq!(to, Some(node(3)));
        let (.., to) = run(situation(vec![leaving(), voter(2).behind(9), voter(3).wanted(Wanted::Removed)]));
        assert_eq!(to, Some(node(2)), "the other one goes too");
        let going = || voter(3).wanted(Wanted::Removed);
        let (.., to) = run(situation(vec![leaving(), voter(2).away(), going()]));
        assert_eq!(to, None, "it would only be handed back");
        let replacing_second = learner(4).behind(9_000).wanted(Wanted::Replacement(node(2)));
        let (.., to) = run(situation(vec![leaving(), voter(2), going(), replacing_second]));
        assert_eq!(to, Some(node(2)), "better one that is replaced later than one that goes");
        let (end, count, to) = run(situation(vec![leaving(), voter(2).away(), voter(3).away()]));
        assert_eq!((members(&end).len(), count, to), (3, 0, None), "nobody can take over");
        let replaced = situation(vec![voter(1), voter(2), learner(4).wanted(Wanted::Replacement(node(1)))]);
        assert_eq!(run(replaced).2, Some(node(2)));
    }

    /// All steps in a row; after each one, those that vote have to have a majority in reach.
    fn check_removals(parts: Vec<super::super::situation::tests::Part>, stay: &[u64]) {
        let mut situation = situation(parts);
        while let Some(step) = next_step(&situation, true) {
            let Step::Change { change, why } = step else { panic!("{step:?}") };
            situation = situation.changed(change);
            let voters = situation.voters();
            let in_reach = voters.iter().filter(|voter| situation.is_reachable(**voter)).count();
            assert!(in_reach > voters.len() / 2, "after {why}: {voters:?}");
        }
        let stay: Vec<_> = stay.iter().map(|member| (*member, true)).collect();
        assert_eq!(members(&situation), stay);
    }

    #[test]
    fn votes_are_taken_so_that_a_majority_is_always_in_reach() {
        let going = |member| voter(member).wanted(Wanted::Removed);
        check_removals(vec![voter(1), going(2), going(3).away()], &[1]);
        check_removals(vec![voter(1), going(2).away(), going(3)], &[1]);
        // Each was allowed without force: the last one when three were left, of which two are in reach.
        let five = vec![voter(1), going(2), voter(3), voter(4).away(), going(5).away()];
        check_removals(five, &[1, 3, 4]);
    }

    #[test]
    fn votes_are_not_taken_while_too_few_of_those_that_stay_are_in_reach() {
        let going = || voter(2).wanted(Wanted::Removed);
        assert_eq!(next_step(&situation(vec![voter(1), going(), voter(3).away()]), true), None);
        assert!(next_step(&situation(vec![voter(1), going(), voter(3)]), true).is_some());
    }

    #[test]
    fn a_node_that_leaves_is_let_go_when_it_can_know() {
        let leaving = || learner(2).wanted(Wanted::Removed);
        assert_eq!(next_step(&situation(vec![voter(1), leaving()]), false), None);
        assert!(next_step(&situation(vec![voter(1), leaving()]), true).is_some());
        assert!(next_step(&situation(vec![voter(1), leaving().away()]), false).is_some());
        let (end, ..) = run(situation(vec![voter(1), voter(2).wanted(Wanted::Removed).away(), voter(3)]));
        assert_eq!(members(&end), [(1, true), (3, true)]);
    }
}
