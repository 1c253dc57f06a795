//! What goes into the state machine and what comes out of it.

use bytes::Bytes;

/// A batch of commands that share one log entry.
///
/// Commands are applied one after another; each write that takes effect takes a revision of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The leader's wall clock when it proposed, in milliseconds since the Unix epoch. The state's
    /// time becomes the maximum of itself and this.
    pub time_ms: u64,
    /// The commands, in the order in which they are applied.
    pub commands: Vec<Command>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Set a key's value.
    Put {
        /// The key, 1 to [`Command::KEY_BYTES_MAX`] bytes.
        key: Bytes,
        /// The new value.
        value: Bytes,
        /// When to apply it.
        condition: Condition,
    },
    /// Remove a key.
    Delete {
        /// The key.
        key: Bytes,
        /// When to apply it.
        condition: Condition,
    },
}

impl Command {
    /// The longest key, in bytes. Fixed: LMDB's own limit (1,982) must hold a key with every byte
    /// escaped to two in compound keys of later tables.
    pub const KEY_BYTES_MAX: usize = 1024;

    /// The key that the command is about.
    pub fn key(&self) -> &Bytes {
        match self {
            Command::Put { key, .. } | Command::Delete { key, .. } => key,
        }
    }

    /// When the command applies.
    pub fn condition(&self) -> Condition {
        match self {
            Command::Put { condition, .. } | Command::Delete { condition, .. } => *condition,
        }
    }
}

/// A comparison that decides whether a write applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Apply always.
    Always,
    /// Apply only if the key does not exist (`If-None-Match: *`).
    Absent,
    /// Apply only if the key exists (`If-Match: *`).
    Exists,
    /// Apply only if the key's newest change has this revision (`If-Match: "R"`).
    RevisionIs(u64),
}

impl Condition {
    /// Whether the condition holds for a key whose newest change has revision `current`, or that does not
    /// exist (`None`).
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => current.is_none(),
            Condition::Exists => current.is_some(),
            Condition::RevisionIs(revision) => current == Some(revision),
        }
    }
}

/// A replicated limit that a command exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The key is empty or longer than the limit.
    KeyBytes,
    /// The value is longer than the limit.
    ValueBytes,
}

/// What a command did. Small: no values in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The put took effect.
    Put {
        /// The revision of this change.
        revision: u64,
        /// The revision at which the key was created: `revision` itself if it is new.
        create_revision: u64,
        /// How often the key was put since then, 1 if it is new.
        version: u64,
    },
    /// The delete removed the key.
    Deleted {
        /// The revision of this change.
        revision: u64,
    },
    /// The key to delete did not exist; nothing changed. Takes no revision.
    NotFound {
        /// The store's newest revision at this point of the log.
        revision: u64,
    },
    /// The condition did not hold; nothing changed. Takes no revision.
    ConditionFailed {
        /// The revision of the key's newest change, or `None` if the key does not exist.
        current: Option<u64>,
    },
    /// A replicated limit forbids the command; nothing changed. Takes no revision.
    LimitExceeded {
        /// Which limit.
        limit: Limit,
        /// Its value, in its own unit.
        maximum: u64,
    },
}
