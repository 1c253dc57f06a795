//! What can be asked of the membership.

use quorate_consensus::{Member, NodeId};

/// A verb. Each may be run again, whatever became of it the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Makes a place for a member, to be taken by the first node that presents its number.
    Add {
        /// The member's number, 1 or greater.
        member: u64,
        /// Whether it stays a learner until it is promoted. Otherwise it becomes a voter when it has caught up.
        learner: bool,
    },
    /// Makes a learner a voter, as soon as it has caught up.
    Promote {
        /// The learner's number.
        member: u64,
        /// Also if it is far behind, or cannot be reached.
        force: bool,
    },
    /// Removes a member, or a place that no node has taken. Leadership is handed over first.
    Remove {
        /// Its number.
        member: u64,
        /// Also if fewer voters would be left in reach than a majority.
        force: bool,
    },
    /// Puts a member in the place of another: adds it, lets it catch up, swaps the two, removes the old one.
    Replace {
        /// The member to be removed.
        old: u64,
        /// The member that takes its place; the same number if only the directory is another one.
        new: u64,
        /// Also if fewer voters would be in reach than a majority.
        force: bool,
    },
}

/// A node that presents itself, to be added or to say where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joining {
    /// The node.
    pub(crate) node: NodeId,
    /// Where it is, and whether it wants to be a voter or stay a learner.
    pub(crate) member: Member,
    /// Whether it may be added: it has not been a member before.
    pub(crate) may_be_added: bool,
}

/// What only the leader can do about the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberRequest {
    /// A verb.
    Change(MemberChange),
    /// A node presents itself.
    Join(Joining),
}
