//! What requests are answered with.

use std::time::Duration;

use bytes::Bytes;
use quorate_api::{Item, OperationAnswer};

/// A put took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision of this change; from now on the key's revision.
    pub revision: u64,
    /// The revision at which the key was created: `revision` itself if it is new.
    pub create_revision: u64,
    /// How often the key was put since then, 1 if it is new.
    pub version: u64,
}

impl Written {
    /// Whether the put created the key.
    pub fn created(&self) -> bool {
        self.create_revision == self.revision
    }
}

/// A delete was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Whether there was a key to delete.
    pub existed: bool,
    /// The revision of this change; or, if there was no such key, the store's revision then.
    pub revision: u64,
}

/// A key's newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// The revision of its newest change.
    pub mod_revision: u64,
    /// The revision at which the key was created.
    pub create_revision: u64,
    /// How often it was put since then.
    pub version: u64,
}

/// What a read found, and as of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The key's newest version, or `None` if there is no such key.
    pub found: Option<Entry>,
    /// The store's revision that the answer reflects.
    pub revision: u64,
    /// For a stale read: how long ago the node's state was known to be current; `None` if the node
    /// cannot say. Always `None` for a linearizable read.
    pub age: Option<Duration>,
}

/// The keys of a range were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeDeleted {
    /// How many keys there were.
    pub deleted: u64,
    /// The revision of the last change; or, if there were no keys, the store's revision then.
    pub revision: u64,
}

/// A transaction was done: one of its two lists of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDone {
    /// The revision of its changes; or, if it changed nothing, the store's revision then.
    pub revision: u64,
    /// Whether all comparisons held, so that the first list was done, and not the second one.
    pub succeeded: bool,
    /// What each operation did or found. `None` if the answer to the attempt that did it was lost: the store
    /// keeps what was done, not what was read.
    pub results: Option<Vec<OperationAnswer>>,
}

/// Some keys of a range, all of them as they were at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePage {
    /// The revision that all pages of the range show.
    pub revision: u64,
    /// The keys, in the order that was asked for.
    pub items: Vec<Item>,
}
