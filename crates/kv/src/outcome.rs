//! What comes out of the state machine.

use bytes::Bytes;

use crate::query::{KeyValue, RangePage};
use crate::settings::Setting;
use crate::transaction::InvalidTransaction;

/// A limit that a command exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The key is empty or longer than the limit, in bytes.
    KeyBytes,
    /// The value is longer than the limit, in bytes.
    ValueBytes,
    /// The transaction has more comparisons than the limit, nested ones included.
    TransactionComparisons,
    /// The transaction has more operations than the limit, nested ones included.
    TransactionOperations,
    /// The transaction would read more than the limit, in bytes.
    TransactionResultBytes,
    /// The transaction would look at more keys than the limit: in comparisons, reads and deletes of ranges.
    TransactionScannedKeys,
    /// The transaction would delete more keys by ranges than the limit.
    TransactionDeletedKeys,
    /// The store would hold more than the limit, in bytes. Deletes and compaction make room.
    Quota,
    /// There are as many sessions as the limit.
    Sessions,
    /// The time to live is longer than the limit, in milliseconds.
    SessionTtl,
    /// The session holds as many outcomes as the limit: its client has to say which ones it has seen. Not
    /// final: the same request may be sent again.
    SessionOutcomes,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A limit forbids the command; nothing changed. Takes no revision.
    LimitExceeded {
        /// Which limit.
        limit: Limit,
        /// Its value, in its own unit.
        maximum: u64,
    },
    /// The range delete removed these keys. Takes a revision only if there were any.
    RangeDeleted {
        /// The revision of the changes, or the store's newest one if there were none.
        revision: u64,
        /// How many keys were removed.
        deleted: u64,
        /// Where to go on, if the range was not worked off to its end: the start of what is left of it.
        next: Option<Bytes>,
    },
    /// The transaction was done, as a whole. Takes a revision only if it changed something.
    Transaction {
        /// The revision of the changes, or the store's newest one if there were none.
        revision: u64,
        /// Whether all comparisons held.
        succeeded: bool,
        /// What each operation of the chosen list did or found. Absent in what a session keeps.
        results: Vec<OperationResult>,
    },
    /// The transaction is not one that could be done; nothing changed.
    TransactionRefused(InvalidTransaction),
    /// Revisions below this one can be read no more, because of this or an earlier compaction.
    Compacted {
        /// The oldest revision that can be read.
        oldest: u64,
    },
    /// The revision to compact is yet to come; nothing changed.
    FutureRevision {
        /// The newest revision there is.
        newest: u64,
    },
    /// A piece of what compaction gave up has been removed.
    Swept {
        /// The revision up to which the history has been swept, the last one perhaps in part.
        revision: u64,
        /// Whether there is more to do already.
        remaining: bool,
    },
    /// The session is open.
    SessionOpened {
        /// Its number, never given before.
        session: u64,
        /// After how long without a sign of life it expires, in milliseconds.
        ttl_ms: u64,
    },
    /// The session is good for this long again.
    SessionKept {
        /// In milliseconds.
        ttl_ms: u64,
    },
    /// The session has ended.
    SessionClosed,
    /// There is no such session: it never was, was closed, or expired. Never applied.
    SessionUnknown,
    /// The session has expired. Never applied.
    SessionExpired,
    /// The number is one whose outcome the client has seen. Not applied this time; whether it was before is
    /// not known any more.
    SequenceFreed {
        /// The session's watermark.
        acknowledged_below: u64,
    },
    /// The number was given to another request before. This one is never applied.
    SequenceReused,
    /// The write has been applied before; this is what it did then. Never nested.
    Replayed(Box<Outcome>),
    /// The settings are changed.
    SettingsChanged,
    /// A setting is out of its bounds; none was changed.
    SettingOutOfBounds {
        /// The first such setting.
        setting: Setting,
        /// The value that it was to have.
        value: u64,
    },
    /// The digest is noted.
    DigestMarked {
        /// The number of the mark.
        mark: u64,
        /// The digest of this replica's state at the mark.
        digest: u128,
    },
    /// The digest is the one that was noted, or cannot be compared.
    DigestChecked {
        /// Whether the mark was the newest one, and so could be compared.
        known: bool,
    },
}

/// What one operation of a transaction did or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// The key was put, in the transaction's revision.
    Put {
        /// The revision at which the key was created.
        create_revision: u64,
        /// How often the key was put since then.
        version: u64,
    },
    /// The key was deleted, or not there.
    Delete {
        /// Whether it was there.
        deleted: bool,
    },
    /// The keys of the range were deleted.
    DeleteRange {
        /// How many there were.
        deleted: u64,
    },
    /// The key, if it exists.
    Get(Option<KeyValue>),
    /// The keys of the range. [`RangePage::next`] says whether the limit left some out.
    Range(RangePage),
    /// What the nested transaction did.
    Transaction {
        /// Whether all its comparisons held.
        succeeded: bool,
        /// What each operation of the chosen list did or found.
        results: Vec<OperationResult>,
    },
}
