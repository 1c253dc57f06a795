//! Why a request was not answered.
//!
//! The line that matters runs between *definite* failures (the write has not happened and never will)
//! and *unknown* outcomes. A write that was proposed and not seen to commit is unknown, whatever the
//! reason: it may be in a log that survives.

use std::time::Duration;

/// Why a write has no outcome. Everything but [`WriteError::Unknown`] is definite: nothing was or will
/// be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The write may or may not take effect, now or later.
    #[error("the outcome is not known: {reason}")]
    Unknown {
        /// What was seen.
        reason: String,
    },
    /// No leader with a quorum could be reached before the deadline; nothing was proposed.
    #[error("no leader is known that has a quorum: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// Too much is in flight.
    #[error("too many writes are in flight on this node")]
    Overloaded {
        /// When trying again may help.
        retry_after: Duration,
    },
    /// The disk of the leader or of another voter is nearly full. Deletes are taken until half of the
    /// reserve is used up.
    #[error(
        "the disk of a node is nearly full: free space, or delete keys; reads still work, and deletes until the \
         last reserve is used up"
    )]
    DiskFull,
    /// The write is larger than any that can be proposed.
    #[error("the write is larger than the limit of {maximum} bytes")]
    TooLarge {
        /// The limit, in bytes of the encoded command.
        maximum: u64,
    },
    /// A request was passed on more often than a stable cluster can need.
    #[error("the request was passed on {hops} times without finding the leader")]
    TooManyHops {
        /// How often.
        hops: u8,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// This node's state is damaged, or is not the leader's: it does nothing any more. Other nodes may.
    #[error("this node has stopped: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
}

/// Why a read has no answer. A read changes nothing, so it can always be repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed its leadership before the deadline.
    #[error("no leader confirmed that it has a quorum: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// The local state is older than the read allows, and did not catch up before the deadline.
    #[error("this node's state is older than the read allows")]
    TooStale {
        /// How long ago it was known to be current; `None` if never since the node started.
        age: Option<Duration>,
    },
    /// Too much is in flight.
    #[error("too many reads are in flight on this node")]
    Overloaded {
        /// When trying again may help.
        retry_after: Duration,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// This node's state is damaged, or is not the leader's: it serves nothing of it any more.
    #[error("this node has stopped: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
}
