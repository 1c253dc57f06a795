//! From a request to the one entry of the log that writes it down as an intention.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use quorate_consensus::{Member, NodeId, Wanted};

use super::change::{Joining, MemberChange, MemberRequest};
use super::error::MemberError;
use super::situation::Situation;

/// The entry, or nothing if the intention is in the log already.
pub(crate) type Plan = Option<ChangeMembers<NodeId, Member>>;

/// What has to be written down, or why the request is refused.
pub(crate) fn plan(request: &MemberRequest, situation: &Situation) -> Result<Plan, MemberError> {
    match request {
        MemberRequest::Join(joining) => join(joining, situation),
        MemberRequest::Change(MemberChange::Add { member, learner }) => add(*member, *learner, situation),
        MemberRequest::Change(MemberChange::Promote { member, force }) => promote(*member, *force, situation),
        MemberRequest::Change(MemberChange::Remove { member, force }) => remove(*member, *force, situation),
        MemberRequest::Change(MemberChange::Replace { old, new, force }) => {
            replace(*old, *new, *force, situation)
        }
    }
}

fn add_node(node: NodeId, member: Member) -> ChangeMembers<NodeId, Member> {
    ChangeMembers::AddNodes(BTreeMap::from([(node, member)]))
}

/// Changes what is wanted of a node.
pub(crate) fn want(node: NodeId, member: &Member, wanted: Wanted) -> ChangeMembers<NodeId, Member> {
    ChangeMembers::SetNodes(BTreeMap::from([(node, Member { wanted, ..member.clone() })]))
}

fn exists(member: u64, reason: &str) -> MemberError {
    MemberError::Exists { member, reason: reason.to_owned() }
}

fn join(joining: &Joining, situation: &Situation) -> Result<Plan, MemberError> {
    let Joining { node, member, may_be_added } = joining;
    if let Some(known) = situation.membership.get_node(node) {
        let announced = Member { wanted: known.wanted, ..member.clone() };
        let is_new = announced != *known;
        return Ok(is_new.then(|| ChangeMembers::SetNodes(BTreeMap::from([(*node, announced)]))));
    }
    if !may_be_added {
        return Err(MemberError::NotAMember { node: *node });
    }
    let place = NodeId::unclaimed(node.member);
    if let Some(Member { wanted, .. }) = situation.membership.get_node(&place) {
        // Whoever has made the place has the say, but a node may be content with less.
        let wanted = if *wanted == Wanted::Voter { member.wanted } else { *wanted };
        let taken = add_node(*node, Member { wanted, ..member.clone() });
        let changes = vec![ChangeMembers::RemoveNodes(BTreeSet::from([place])), taken];
        return Ok(Some(ChangeMembers::Batch(changes)));
    }
    match situation.with_number(node.member).next() {
        None => Ok(Some(add_node(*node, member.clone()))),
        Some((other, _)) => {
            let number = node.member;
            let reason = format!(
                "node {other} has that number. If its data directory is lost, run `quorate member replace {number} \
                 {number}` and start this node again; else give this node another number"
            );
            Err(MemberError::Exists { member: number, reason })
        }
    }
}

fn add(member: u64, learner: bool, situation: &Situation) -> Result<Plan, MemberError> {
    let wanted = if learner { Wanted::Learner } else { Wanted::Voter };
    match situation.with_number(member).next() {
        None => Ok(Some(add_node(NodeId::unclaimed(member), Member::unclaimed(wanted)))),
        Some((node, known)) if node.is_unclaimed() && known.wanted == wanted => Ok(None),
        Some((node, _)) if node.is_unclaimed() => {
            Err(exists(member, "its place has been made for another role: remove it first"))
        }
        Some(_) => Err(exists(member, "a node has that number: choose another one, or replace it")),
    }
}

fn promote(member: u64, force: bool, situation: &Situation) -> Result<Plan, MemberError> {
    let (node, known) = claimed(member, situation)?;
    match known.wanted {
        Wanted::Voter | Wanted::Replacement(_) => return Ok(None),
        Wanted::Removed => return Err(exists(member, "it is being removed")),
        Wanted::Learner => {}
    }
    if !force && !situation.is_caught_up(node) {
        let reason = match situation.lag(node) {
            _ if !situation.is_reachable(node) => "it has not answered lately".to_owned(),
            Some(lag) => format!("it is {lag} entries behind"),
            None => "nothing of it has arrived yet".to_owned(),
        };
        return Err(MemberError::Lagging { member, reason });
    }
    Ok(Some(want(node, known, Wanted::Voter)))
}

fn remove(member: u64, force: bool, situation: &Situation) -> Result<Plan, MemberError> {
    let leaving: Vec<_> = situation.with_number(member).collect();
    if leaving.is_empty() {
        return Err(MemberError::UnknownMember { member });
    }
    let mut left = wanted_voters(situation);
    let had_voters = left.len();
    left.retain(|voter| voter.member != member);
    if left.is_empty() {
        let reason = format!("member {member} is the last voter: there would be no cluster any more");
        return Err(MemberError::Invalid { reason });
    }
    if left.len() < had_voters && !force {
        check_quorum(situation, &left, 0, "removing it")?;
    }
    let changes: Vec<_> = leaving
        .into_iter()
        .filter(|(_, known)| known.wanted != Wanted::Removed)
        .map(|(node, known)| match node.is_unclaimed() {
            true => ChangeMembers::RemoveNodes(BTreeSet::from([node])),
            false => want(node, known, Wanted::Removed),
        })
        .collect();
    Ok((!changes.is_empty()).then_some(ChangeMembers::Batch(changes)))
}

fn replace(old: u64, new: u64, force: bool, situation: &Situation) -> Result<Plan, MemberError> {
    let replacing = |known: &Member| matches!(known.wanted, Wanted::Replacement(_));
    // Under the same number both may be there at once: the one that replaces is not the one to be replaced.
    let replaced = situation
        .with_number(old)
        .filter(|(node, _)| !node.is_unclaimed())
        .find(|(_, known)| old != new || !replacing(known));
    let replacement =
        situation.with_number(new).find(|(node, _)| replaced.is_none_or(|(replaced, _)| replaced != *node));
    let Some((replaced, replaced_member)) = replaced else {
        return match replacement {
            // The swap is done, and the old node is gone.
            Some((node, _)) if old != new && situation.is_voter(node) => Ok(None),
            _ if situation.with_number(old).next().is_some() => {
                Err(MemberError::SlotUnclaimed { member: old })
            }
            _ => Err(MemberError::UnknownMember { member: old }),
        };
    };
    let wanted = Wanted::Replacement(replaced);
    let change = match replacement {
        None if !force && waits_for_silence(old, new, situation) => {
            let reason = "its node answers, so that it has been replaced already, or has to be stopped first";
            return Err(exists(new, reason));
        }
        None => add_node(NodeId::unclaimed(new), Member::unclaimed(wanted)),
        Some((_, known)) if known.wanted == wanted => return Ok(None),
        // The swap is done.
        Some((node, _)) if situation.is_voter(node) && replaced_member.wanted == Wanted::Removed => {
            return Ok(None);
        }
        Some((node, _)) if situation.is_voter(node) => {
            return Err(exists(new, "it is a voter already: remove the other one"));
        }
        Some((_, known)) if replacing(known) => return Err(exists(new, "it replaces another member")),
        Some((_, known)) if known.wanted == Wanted::Removed => {
            return Err(exists(new, "it is being removed"));
        }
        Some((node, known)) => want(node, known, wanted),
    };
    if situation.is_voter(replaced) && !force {
        let mut left = wanted_voters(situation);
        left.remove(&replaced);
        // The new node is in reach when it takes the other's place, or it would not have caught up.
        check_quorum(situation, &left, 1, "replacing it")?;
    }
    Ok(Some(change))
}

/// Whether a node is to be replaced under its own number, and still answers. Two nodes of that number cannot both be
/// meant to run: either the old one was stopped a moment ago, and will fall silent, or the replacement was done before
/// and is asked for once more, and must not throw the new node out again.
pub(crate) fn waits_for_silence(old: u64, new: u64, situation: &Situation) -> bool {
    let mut nodes = situation.with_number(old);
    let (only, others) = (nodes.next(), nodes.next());
    old == new && others.is_none() && only.is_some_and(|(node, _)| situation.is_reachable(node))
}

/// The node that has the number, if one has.
fn claimed(member: u64, situation: &Situation) -> Result<(NodeId, &Member), MemberError> {
    let mut nodes: Vec<_> = situation.with_number(member).collect();
    match nodes.pop() {
        None => Err(MemberError::UnknownMember { member }),
        Some((node, _)) if node.is_unclaimed() => Err(MemberError::SlotUnclaimed { member }),
        Some(found) => Ok(found),
    }
}

/// The voters that are to stay.
fn wanted_voters(situation: &Situation) -> BTreeSet<NodeId> {
    let stays = |node: &NodeId| {
        situation.membership.get_node(node).is_some_and(|member| member.wanted != Wanted::Removed)
    };
    situation.voters().into_iter().filter(stays).collect()
}

/// Refuses a change after which fewer voters would be in reach than a majority of `left` and `joining` more.
fn check_quorum(
    situation: &Situation,
    left: &BTreeSet<NodeId>,
    joining: usize,
    what: &str,
) -> Result<(), MemberError> {
    let away: Vec<_> = left.iter().filter(|voter| !situation.is_reachable(**voter)).collect();
    let count = left.len() + joining;
    if count - away.len() > count / 2 {
        return Ok(());
    }
    let away: Vec<String> = away.iter().map(|node| node.member.to_string()).collect();
    let reason = format!(
        "after {what} {} of {count} voters would be out of reach (member {}); bring them back or remove them first, \
         or override this with force",
        away.len(),
        away.join(", member ")
    );
    Err(MemberError::QuorumAtRisk { reason })
}

#[cfg(test)]
mod tests {
    use super::super::situation::tests::{learner, node, place, situation, voter};
    use super::*;

    fn planned(change: MemberChange, situation: &Situation) -> Result<Plan, MemberError> {
        plan(&MemberRequest::Change(change), situation)
    }

    /// The situation after an intention has been written down, which must be possible.
    fn after(change: MemberChange, situation: &Situation) -> Situation {
        let change =
            planned(change, situation).expect("it is allowed").expect("there is something to write down");
        situation.changed(change)
    }

    fn wanted(situation: &Situation, node: NodeId) -> Option<Wanted> {
        situation.membership.get_node(&node).map(|member| member.wanted)
    }

    fn join(node: NodeId, may_be_added: bool) -> MemberRequest {
        let member = Member::new(format!("node{}:1", node.member), "");
        MemberRequest::Join(Joining { node, member, may_be_added })
    }

    #[test]
    fn a_place_is_taken_once_and_keeps_what_it_was_made_for() {
        let three = situation(vec![voter(1), voter(2), voter(3)]);
        let added = after(MemberChange::Add { member: 4, learner: true }, &three);
        assert_eq!(planned(MemberChange::Add { member: 4, learner: true }, &added), Ok(None));
        let other_role = planned(MemberChange::Add { member: 4, learner: false }, &added);
        assert!(matches!(other_role, Err(MemberError::Exists { member: 4, .. })), "{other_role:?}");

        let taken = plan(&join(node(4), true), &added).expect("allowed").expect("a change");
        let taken = added.changed(taken);
        assert_eq!(wanted(&taken, node(4)), Some(Wanted::Learner));
        assert_eq!(wanted(&taken, NodeId::unclaimed(4)), None);
        assert_eq!(plan(&join(node(4), true), &taken), Ok(None), "once more");
        let second = plan(&join(NodeId::new(4, 99), true), &taken);
        assert!(matches!(second, Err(MemberError::Exists { member: 4, .. })), "{second:?}");
    }

    #[test]
    fn only_a_node_that_never_was_a_member_is_added_without_a_place() {
        let three = situation(vec![voter(1), voter(2), voter(3)]);
        assert_eq!(plan(&join(node(4), false), &three), Err(MemberError::NotAMember { node: node(4) }));
        let added = three.changed(plan(&join(node(4), true), &three).expect("allowed").expect("a change"));
        assert_eq!(wanted(&added, node(4)), Some(Wanted::Voter));
    }

    #[test]
    fn a_member_that_has_moved_keeps_its_part() {
        let moved = Member::new("elsewhere:1", "http://elsewhere:1");
        let request = MemberRequest::Join(Joining { node: node(3), member: moved, may_be_added: false });
        let leaving = situation(vec![voter(1), voter(2), voter(3)]);
        let leaving = after(MemberChange::Remove { member: 3, force: false }, &leaving);
        let announced = leaving.changed(plan(&request, &leaving).expect("allowed").expect("a change"));
        let member = announced.membership.get_node(&node(3)).expect("a member");
        assert_eq!((member.peer_address.as_str(), member.wanted), ("elsewhere:1", Wanted::Removed));
        assert_eq!(plan(&request, &announced), Ok(None));
    }

    #[test]
    fn a_laggard_is_promoted_by_force_only() {
        let promote = |force| MemberChange::Promote { member: 4, force };
        let behind = situation(vec![voter(1), voter(2), learner(4).behind(1_000)]);
        let refused = planned(promote(false), &behind).expect_err("it is behind");
        assert!(refused.to_string().contains("1000 entries behind"), "{refused}");
        assert_eq!(wanted(&after(promote(true), &behind), node(4)), Some(Wanted::Voter));
        let away = situation(vec![voter(1), voter(2), learner(4).away()]);
        assert!(matches!(planned(promote(false), &away), Err(MemberError::Lagging { .. })));
        let near = after(promote(false), &situation(vec![voter(1), voter(2), learner(4)]));
        assert_eq!(planned(promote(false), &near), Ok(None));
        let place = situation(vec![voter(1), place(4, Wanted::Voter)]);
        assert_eq!(planned(promote(true), &place), Err(MemberError::SlotUnclaimed { member: 4 }));
        assert_eq!(
            planned(MemberChange::Promote { member: 9, force: true }, &place),
            Err(MemberError::UnknownMember { member: 9 })
        );
    }

    #[test]
    fn a_removal_that_would_leave_no_majority_in_reach_is_refused() {
        let remove = |member, force| MemberChange::Remove { member, force };
        let one_away = situation(vec![voter(1), voter(2), voter(3).away()]);
        let refused = planned(remove(2, false), &one_away).expect_err("1 of 2 would be left");
        assert!(matches!(&refused, MemberError::QuorumAtRisk { .. }), "{refused}");
        assert!(refused.to_string().contains("member 3"), "{refused}");
        assert_eq!(wanted(&after(remove(2, true), &one_away), node(2)), Some(Wanted::Removed));
        let without_dead = after(remove(3, false), &one_away);
        assert_eq!(planned(remove(3, false), &without_dead), Ok(None));
        // One that is on its way out is not counted any more.
        let last_but_one = after(remove(2, false), &without_dead);
        let refused = planned(remove(1, true), &last_but_one);
        assert!(matches!(refused, Err(MemberError::Invalid { .. })), "{refused:?}");
    }

    #[test]
    fn a_replacement_can_be_asked_for_again_at_any_point() {
        let replace = MemberChange::Replace { old: 3, new: 4, force: false };
        let begun = after(replace, &situation(vec![voter(1), voter(2), voter(3).away()]));
        assert_eq!(wanted(&begun, NodeId::unclaimed(4)), Some(Wanted::Replacement(node(3))));
        assert_eq!(planned(replace, &begun), Ok(None));
        let joined = begun.changed(plan(&join(node(4), true), &begun).expect("allowed").expect("a change"));
        assert_eq!(wanted(&joined, node(4)), Some(Wanted::Replacement(node(3))));
        assert_eq!(planned(replace, &joined), Ok(None));
        let done = situation(vec![voter(1), voter(2), voter(4)]);
        assert_eq!(planned(replace, &done), Ok(None));
        let unknown = planned(MemberChange::Replace { old: 7, new: 8, force: false }, &done);
        assert_eq!(unknown, Err(MemberError::UnknownMember { member: 7 }));
        let both = planned(MemberChange::Replace { old: 1, new: 2, force: false }, &done);
        assert!(matches!(both, Err(MemberError::Exists { member: 2, .. })), "{both:?}");
    }

    #[test]
    fn a_node_can_be_replaced_under_its_own_number() {
        let replace = MemberChange::Replace { old: 3, new: 3, force: false };
        let begun = after(replace, &situation(vec![voter(1), voter(2), voter(3).away()]));
        assert_eq!(wanted(&begun, NodeId::unclaimed(3)), Some(Wanted::Replacement(node(3))));
        assert_eq!(planned(replace, &begun), Ok(None));
        let new = NodeId::new(3, 99);
        let joined = begun.changed(plan(&join(new, true), &begun).expect("allowed").expect("a change"));
        assert_eq!(wanted(&joined, new), Some(Wanted::Replacement(node(3))));
        assert_eq!(planned(replace, &joined), Ok(None));
    }

    /// Found by the simulator (seed 579): the second of two attempts threw out the node that the first had let in.
    #[test]
    fn a_node_that_answers_is_not_replaced_under_its_own_number() {
        let done = situation(vec![voter(1), voter(2), voter(3)]);
        let replace = |force| MemberChange::Replace { old: 3, new: 3, force };
        let refused = planned(replace(false), &done);
        assert!(matches!(refused, Err(MemberError::Exists { member: 3, .. })), "{refused:?}");
        assert_eq!(
            wanted(&after(replace(true), &done), NodeId::unclaimed(3)),
            Some(Wanted::Replacement(node(3)))
        );
        let leader_itself = MemberChange::Replace { old: 1, new: 1, force: false };
        assert!(planned(leader_itself, &done).is_err());
    }
}
