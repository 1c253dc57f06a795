//! What the store owes, and what a run can convict it of.
//!
//! Who proves that the runner finds bugs has to look at the reason of a conviction: otherwise one that comes from
//! something else, or from a fault of the harness that convicts everybody, would count as well.

use std::fmt;

use serde::{Serialize, Serializer};

/// Something that the store owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// The history of a key, a set or a counter is linearizable.
    Linearizable,
    /// The history of transactions is strictly serializable.
    StrictlySerializable,
    /// Writes take larger revisions than any that was known, and linearizable reads show all that was.
    RevisionsInOrder,
    /// A stale read is not older than it says, nor than was asked for.
    AgesAsTold,
    /// Listings and reads of the past show the state at one revision, all of it.
    StatesOfARevision,
    /// What was acknowledged is not lost.
    AcknowledgedIsKept,
    /// Nothing is seen that nobody wrote, or whose write was refused.
    NothingFromNowhere,
    /// No money is made or lost.
    MoneyIsKept,
    /// What is repeated in a session is done once.
    ExactlyOnce,
    /// Every answer is one that the API gives.
    AnswersFit,
    /// Nodes do not end or panic by themselves.
    NodesGoOn,
    /// A node that was removed stops.
    RemovedNodesStop,
    /// What the cluster is told is done in time, and when all is healed it serves and agrees.
    DoneInTime,
    /// Nodes that have applied the same entries have the same state.
    EqualStates,
}

impl fmt::Display for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Linearizable => "linearizable",
            Self::StrictlySerializable => "strictly-serializable",
            Self::RevisionsInOrder => "revisions-in-order",
            Self::AgesAsTold => "ages-as-told",
            Self::StatesOfARevision => "states-of-a-revision",
            Self::AcknowledgedIsKept => "acknowledged-is-kept",
            Self::NothingFromNowhere => "nothing-from-nowhere",
            Self::MoneyIsKept => "money-is-kept",
            Self::ExactlyOnce => "exactly-once",
            Self::AnswersFit => "answers-fit",
            Self::NodesGoOn => "nodes-go-on",
            Self::RemovedNodesStop => "removed-nodes-stop",
            Self::DoneInTime => "done-in-time",
            Self::EqualStates => "equal-states",
        })
    }
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
