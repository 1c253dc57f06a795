//! Why the membership was not changed as asked.

use std::time::Duration;

use quorate_consensus::NodeId;

/// Why a verb was not carried out. All but [`MemberError::OutcomeUnknown`] and [`MemberError::Unfinished`] are
/// definite: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The number is taken.
    #[error("member {member} exists already: {reason}")]
    Exists {
        /// The number.
        member: u64,
        /// By whom, and what can be done.
        reason: String,
    },
    /// There is no such member.
    #[error("there is no member {member}")]
    UnknownMember {
        /// The number.
        member: u64,
    },
    /// A node that is not a member, and may not become one any more, has presented itself.
    #[error("node {node} is not a member of this cluster, and a node that was removed does not come back")]
    NotAMember {
        /// The node.
        node: NodeId,
    },
    /// Another change was not finished in time.
    #[error("another change of the members is under way: {reason}")]
    InProgress {
        /// Which.
        reason: String,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// Fewer voters would be in reach than a majority.
    #[error("the cluster might lose its quorum: {reason}")]
    QuorumAtRisk {
        /// Which voters are in reach, and what can be done.
        reason: String,
    },
    /// The learner has not caught up.
    #[error("member {member} cannot be promoted yet: {reason}")]
    Lagging {
        /// The learner.
        member: u64,
        /// How far it is behind.
        reason: String,
    },
    /// No node has taken the member's place.
    #[error("no node has taken the place of member {member} yet: start one with --join")]
    SlotUnclaimed {
        /// The number.
        member: u64,
    },
    /// It makes no sense, whatever the members are.
    #[error("{reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
    /// No leader with a quorum could be reached before the deadline.
    #[error("no leader is known that has a quorum: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// It may or may not have been begun. It can be asked for again.
    #[error("the outcome is not known: {reason}")]
    OutcomeUnknown {
        /// What was seen.
        reason: String,
    },
    /// It was begun, and goes on, but was not done at the deadline.
    #[error("begun, but not done yet: {reason}")]
    Unfinished {
        /// What is left to do.
        reason: String,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    ShuttingDown,
}
