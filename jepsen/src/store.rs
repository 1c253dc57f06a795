//! The calls and answers of our store.
//!
//! Every write transaction takes a new revision, larger than all before it. A key carries the revision of
//! the write that set it, and conditional writes compare that revision: `If-Match: "<revision>"`, or
//! `If-None-Match: *` for a key that must be absent. A failed condition answers 412, which is an
//! observation: at some instant of the call the condition did not hold.

use std::fmt;

use crate::history::{Call, History, quoted};

/// A history of our store.
pub type StoreHistory = History<StoreCall>;

/// What a conditional put demands of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// The key must not exist.
    Absent,
    /// The key must exist and carry this revision.
    Revision(u64),
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(formatter, "if absent"),
            Self::Revision(revision) => write!(formatter, "if at revision {revision}"),
        }
    }
}

/// What a client asks of one key.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreCall {
    /// Read the key.
    Get,
    /// Set the key.
    Put {
        /// The new value.
        value: Vec<u8>,
    },
    /// Remove the key.
    Delete,
    /// Set the key if a condition holds.
    PutIf {
        /// The condition.
        expected: Expected,
        /// The new value.
        value: Vec<u8>,
    },
    /// Remove the key if it exists at a revision.
    DeleteIf {
        /// The revision that the key must carry.
        revision: u64,
    },
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreAnswer {
    /// To a get: the key exists.
    Found {
        /// Its value.
        value: Vec<u8>,
        /// The revision of the write that set it.
        revision: u64,
    },
    /// To a get: the key does not exist.
    Absent,
    /// To a put: done.
    Written {
        /// The revision that the write took.
        revision: u64,
    },
    /// To a delete: done.
    Deleted {
        /// Whether there was something to remove, if the store says.
        existed: Option<bool>,
        /// The revision that the delete took, if it took one and the store says. It is ignored when
        /// nothing existed, because nothing was written then.
        revision: Option<u64>,
    },
    /// To a conditional write: its condition did not hold (412).
    Mismatch,
}

impl StoreAnswer {
    /// The revision of the write transaction that this answer acknowledges.
    pub fn revision_taken(&self) -> Option<u64> {
        match *self {
            Self::Written { revision } => Some(revision),
            Self::Deleted { existed: Some(false), .. } => None,
            Self::Deleted { revision, .. } => revision,
            Self::Found { .. } | Self::Absent | Self::Mismatch => None,
        }
    }
}

impl StoreCall {
    /// The value that the call writes, if it writes one.
    pub fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Put { value } | Self::PutIf { value, .. } => Some(value),
            Self::Get | Self::Delete | Self::DeleteIf { .. } => None,
        }
    }
}

impl Call for StoreCall {
    type Answer = StoreAnswer;

    fn fits(&self, answer: &StoreAnswer) -> bool {
        match (self, answer) {
            (Self::Get, StoreAnswer::Found { .. } | StoreAnswer::Absent) => true,
            (Self::Put { .. } | Self::PutIf { .. }, StoreAnswer::Written { .. }) => true,
            (Self::Delete, StoreAnswer::Deleted { .. }) => true,
            (Self::DeleteIf { .. }, StoreAnswer::Deleted { existed, .. }) => *existed != Some(false),
            (Self::PutIf { .. } | Self::DeleteIf { .. }, StoreAnswer::Mismatch) => true,
            _ => false,
        }
    }

    fn is_read(&self) -> bool {
        *self == Self::Get
    }
}

impl fmt::Display for StoreCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get => write!(formatter, "get"),
            Self::Put { value } => write!(formatter, "put of {}", quoted(value)),
            Self::Delete => write!(formatter, "delete"),
            Self::PutIf { expected, value } => write!(formatter, "put {expected} of {}", quoted(value)),
            Self::DeleteIf { revision } => write!(formatter, "delete if at revision {revision}"),
        }
    }
}

impl fmt::Display for StoreAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { value, revision } => write!(formatter, "{} at revision {revision}", quoted(value)),
            Self::Absent => write!(formatter, "absent"),
            Self::Written { revision } => write!(formatter, "written at revision {revision}"),
            Self::Deleted { existed, revision } => {
                match existed {
                    Some(true) => write!(formatter, "deleted")?,
                    Some(false) => write!(formatter, "nothing to delete")?,
                    None => write!(formatter, "deleted if it existed")?,
                }
                match revision {
                    Some(revision) => write!(formatter, " at revision {revision}"),
                    None => Ok(()),
                }
            }
            Self::Mismatch => write!(formatter, "condition does not hold"),
        }
    }
}
