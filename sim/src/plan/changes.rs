//! What an operator does to the members of the cluster while clients work and things go wrong.

use serde::{Deserialize, Serialize};

use super::Target;

/// A change at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedChange {
    /// When it begins, in milliseconds after the clients have started; later if the one before it takes longer.
    pub at_ms: u64,
    /// What it is.
    pub change: Change,
    /// The leader is cut off from the other nodes so many milliseconds after the change was asked for, for two
    /// seconds. Absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_after_ms: Option<u64>,
}

/// A change of the members. Targets are resolved when it begins, among the voters of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Change {
    /// A machine that is free joins with an empty disk.
    Join {
        /// Its member number, if it is free; else the next free one's.
        member: u64,
        /// Whether it stays a learner.
        learner: bool,
        /// Whether a place is made for it beforehand.
        place: bool,
        /// Whether it is killed in the very moment in which it has become a member, for two seconds.
        struck: bool,
    },
    /// A learner is promoted.
    Promote {
        /// The place among the learners, in the order of their numbers, modulo how many there are.
        position: u64,
    },
    /// A machine that is free takes the place of a voter.
    Replace {
        /// Who is replaced.
        target: Target,
        /// The free machine's number, or the next free one's.
        member: u64,
    },
    /// A voter is removed, if at least two are left.
    Remove {
        /// Who.
        target: Target,
    },
    /// A voter's disk is lost. It starts again with an empty one, is refused, and takes its own place.
    Wipe {
        /// Whose.
        target: Target,
    },
    /// A node is stopped, and starts again at another address.
    Move {
        /// Which.
        target: Target,
    },
    /// Leadership is handed over.
    Transfer {
        /// To whom; to the best suited if absent.
        to: Option<Target>,
    },
}

impl Change {
    /// The change's name in traces.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Join { .. } => "join",
            Change::Promote { .. } => "promote",
            Change::Replace { .. } => "replace",
            Change::Remove { .. } => "remove",
            Change::Wipe { .. } => "wipe",
            Change::Move { .. } => "move",
            Change::Transfer { .. } => "transfer",
        }
    }

    /// The members that the change names one by one.
    pub fn targets(&self) -> Vec<Target> {
        match *self {
            Change::Join { member, .. } => vec![Target::Member(member)],
            Change::Replace { target, member } => vec![target, Target::Member(member)],
            Change::Remove { target } | Change::Wipe { target } | Change::Move { target } => vec![target],
            Change::Transfer { to } => to.into_iter().collect(),
            Change::Promote { .. } => Vec::new(),
        }
    }
}
