//! What clients ask for and are told, whatever the store.

use std::fmt;
use std::time::Duration;

use crate::history::{Outcome, SnapshotEntry};

/// How fresh a read is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It shows all that was acknowledged before.
    Linearizable,
    /// The same, if clocks keep what is promised of them.
    Lease,
    /// It shows what the node has, which is to be this old at most.
    Stale {
        /// The bound, if there is one.
        age_max: Option<Duration>,
    },
}

/// What a single write demands of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// That it does not exist.
    Absent,
    /// That its newest change has this revision.
    RevisionIs(u64),
}

/// What a transaction demands of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// That it does not exist.
    Absent(String),
    /// That it has this value.
    ValueIs(String, String),
    /// That its newest change has this revision.
    RevisionIs(String, u64),
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads a key.
    Get(String),
    /// Writes a value to a key.
    Put(String, String),
    /// Reads all keys that begin with this.
    List(String),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One key.
    Get {
        /// The key.
        key: String,
        /// The past, if not what is there now.
        revision: Option<u64>,
        /// How fresh it is to be.
        consistency: Consistency,
    },
    /// Many keys.
    Range {
        /// The first key.
        start: String,
        /// The key behind the last.
        end: String,
        /// How many at most.
        limit: Option<u64>,
        /// From the last to the first.
        is_descending: bool,
        /// Where to go on.
        cursor: Option<String>,
        /// The past, if not what is there now.
        revision: Option<u64>,
        /// How fresh it is to be.
        consistency: Consistency,
    },
    /// A value for a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// When only.
        condition: Condition,
    },
    /// A key's removal.
    Delete {
        /// The key.
        key: String,
        /// When only.
        condition: Condition,
    },
    /// A transaction.
    Transaction {
        /// What has to hold.
        compare: Vec<Comparison>,
        /// What is done if it does.
        success: Vec<Step>,
        /// What is done if it does not.
        failure: Vec<Step>,
    },
    /// That what was before a revision be forgotten.
    Compact {
        /// The oldest that is kept.
        revision: u64,
    },
    /// A session.
    OpenSession {
        /// How long it lives without a sign of life.
        ttl: Duration,
    },
}

impl Ask {
    /// A linearizable read of a key.
    pub fn get(key: &str) -> Self {
        Self::Get { key: key.to_owned(), revision: None, consistency: Consistency::Linearizable }
    }

    /// An unconditional write.
    pub fn put(key: &str, value: &str) -> Self {
        Self::Put { key: key.to_owned(), value: value.to_owned(), condition: Condition::Always }
    }

    /// A linearizable read of all keys that begin with `prefix`, which is not empty and ends in a letter or a slash.
    pub fn list(prefix: &str) -> Self {
        Self::Range {
            start: prefix.to_owned(),
            end: behind(prefix),
            limit: None,
            is_descending: false,
            cursor: None,
            revision: None,
            consistency: Consistency::Linearizable,
        }
    }

    /// Whether it could change something.
    pub fn is_write(&self) -> bool {
        match self {
            Self::Get { .. } | Self::Range { .. } => false,
            Self::Transaction { success, failure, .. } => {
                success.iter().chain(failure).any(|step| matches!(step, Step::Put(..)))
            }
            Self::Put { .. } | Self::Delete { .. } | Self::Compact { .. } | Self::OpenSession { .. } => true,
        }
    }
}

/// The first key behind all that begin with `prefix`, which ends in a character that is not the last of ASCII.
pub fn behind(prefix: &str) -> String {
    let mut bytes = prefix.as_bytes().to_vec();
    let last = bytes.last_mut().expect("prefixes are not empty");
    *last += 1;
    String::from_utf8(bytes).expect("prefixes are ASCII")
}

/// The number of a write in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The session.
    pub session: u64,
    /// The number.
    pub sequence: u64,
    /// Numbers below this need not be kept any more.
    pub acknowledged_below: u64,
}

/// What one step of a transaction found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepTold {
    /// A key, if it exists.
    Item(Option<SnapshotEntry>),
    /// Keys.
    List(Vec<SnapshotEntry>),
    /// A write: how often the key was written since it was created, if the store says so.
    Written {
        /// That.
        version: Option<u64>,
    },
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// What a key holds.
    Item {
        /// The key, if it exists.
        item: Option<SnapshotEntry>,
        /// How often it was written since it was created; 0 if it does not exist.
        version: u64,
        /// The revision of the store that is shown.
        store_revision: Option<u64>,
        /// How old that may be, in milliseconds; only for stale reads, and if the node knows.
        age_ms: Option<u64>,
    },
    /// What keys hold.
    Page {
        /// The revision of the store that is shown.
        revision: u64,
        /// The keys.
        entries: Vec<SnapshotEntry>,
        /// Where to go on, if there is more.
        next: Option<String>,
        /// How old that may be, in milliseconds; only for stale reads, and if the node knows.
        age_ms: Option<u64>,
    },
    /// A put was done.
    Written {
        /// Its revision.
        revision: u64,
        /// How often the key was written since it was created, if the store says so.
        version: Option<u64>,
    },
    /// A delete was done.
    Deleted {
        /// Its revision. None if there was nothing to delete.
        revision: Option<u64>,
    },
    /// The condition did not hold.
    Mismatch,
    /// A transaction was done.
    Decided {
        /// The revision of the store behind it.
        revision: u64,
        /// Whether what it compared held.
        succeeded: bool,
        /// Whether the steps that were done had a write among them.
        has_written: bool,
        /// What the steps found. None if the answer repeats an earlier one.
        results: Option<Vec<StepTold>>,
    },
    /// It was done, and there is nothing to tell.
    Done,
    /// A session was opened.
    SessionOpened {
        /// Its number.
        session: u64,
    },
    /// The session is no more, and the write was not done now.
    SessionExpired,
    /// The revision that was asked for is forgotten.
    Compacted {
        /// The oldest that can be read.
        oldest: u64,
    },
    /// The node's state is older than was asked for.
    TooStale,
    /// It certainly had no effect.
    Refused {
        /// Why.
        why: String,
    },
    /// It may have had an effect, or may have it yet.
    Unknown {
        /// Why nobody knows.
        why: String,
    },
}

impl Told {
    /// How the request ended.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { .. } | Self::TooStale => Outcome::Failed,
            Self::Unknown { .. } => Outcome::Unknown,
            _ => Outcome::Ok,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { why } | Self::Unknown { why } => formatter.write_str(why),
            Self::Mismatch => formatter.write_str("mismatch"),
            Self::SessionExpired => formatter.write_str("the session expired"),
            Self::Compacted { oldest } => write!(formatter, "compacted up to {oldest}"),
            Self::TooStale => formatter.write_str("too stale"),
            other => write!(formatter, "{other:?}"),
        }
    }
}
