//! Why leadership was not handed over.

use std::time::Duration;

/// Why leadership was not handed over. The leader leads on, but for
/// [`TransferError::NotTakenOver`] and [`TransferError::Unknown`], after which whoever wins the next election
/// leads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// There is no such member.
    #[error("there is no member {member}")]
    UnknownMember {
        /// Its number.
        member: u64,
    },
    /// The member has no vote.
    #[error("member {member} is a learner: only a voter can lead")]
    NotVoter {
        /// Its number.
        member: u64,
    },
    /// The member does not answer the leader.
    #[error("member {member} does not answer the leader")]
    Unreachable {
        /// Its number.
        member: u64,
    },
    /// The member did not catch up with the leader's log in time.
    #[error("member {member} lacks {entries} entries of the leader's log")]
    Lagging {
        /// Its number.
        member: u64,
        /// How many entries it lacked in the end.
        entries: u64,
    },
    /// No other voter answers the leader.
    #[error("no other voter answers the leader")]
    NoSuccessor,
    /// The member was asked and did not take over in time.
    #[error("member {member} did not take over leadership in time")]
    NotTakenOver {
        /// Its number.
        member: u64,
    },
    /// No leader was found before the deadline.
    #[error("no leader could be asked: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// The leader was asked and then lost sight of.
    #[error("whether leadership was handed over is not known: {reason}")]
    Unknown {
        /// What was seen.
        reason: String,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    ShuttingDown,
}
