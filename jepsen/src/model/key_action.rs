//! The states and actions of one key of our store.

use crate::store::Expected;

/// A value of this key, by its position among the distinct values of the history.
pub type ValueIndex = usize;

/// The value of every unknown write whose value no get returned.
pub const UNREAD: ValueIndex = usize::MAX;

/// The revision that a write takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevisionTaken {
    /// The answer told it.
    Told(u64),
    /// No answer told it: one of the given, or one that nobody ever saw.
    Guess {
        /// The revisions that it may be.
        seen: Vec<u64>,
        /// Whether it may be one that no operation mentions.
        unseen: bool,
    },
}

/// One operation on a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAction {
    /// The key was absent.
    SawAbsent,
    /// The key was present with this value and revision.
    Saw(ValueIndex, u64),
    /// The key was present.
    SawPresent,
    /// The key was absent, or present at another revision.
    SawOther(u64),
    /// The key was set.
    Set {
        /// The condition that held, if there was one.
        expected: Option<Expected>,
        /// The value.
        value: ValueIndex,
        /// The revision.
        revision: RevisionTaken,
    },
    /// The key was removed, or was absent already.
    Removed {
        /// Whether the key must have been present.
        existed: bool,
        /// The revision that the key must have carried.
        expected: Option<u64>,
        /// The revision that the delete took, if its answer told one.
        revision: Option<u64>,
    },
}

/// Whether the key exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It does not.
    Absent,
    /// It does.
    Present {
        /// Its value.
        value: ValueIndex,
        /// The revision of the write that set it; none for one that no operation mentions.
        revision: Option<u64>,
    },
}

/// The state of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyState {
    /// What the key holds.
    pub presence: Presence,
    /// The largest known revision that a write of this key took. Later writes take larger ones.
    pub floor: u64,
}

impl KeyState {
    /// Whether the key is present at this revision.
    pub fn is_at(&self, wanted: u64) -> bool {
        matches!(self.presence, Presence::Present { revision: Some(revision), .. } if revision == wanted)
    }

    /// Whether a condition on the key holds.
    pub fn satisfies(&self, expected: Option<Expected>) -> bool {
        match expected {
            None => true,
            Some(Expected::Absent) => self.presence == Presence::Absent,
            Some(Expected::Revision(revision)) => self.is_at(revision),
        }
    }
}
