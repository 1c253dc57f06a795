//! What clients ask of the store, and what they are told.

use bytes::Bytes;
use quorate_api::{Change, Consistency, ErrorCode, IdempotencyKey};
use quorate_kv::{Command, KeyEntry, KeyValue, RangeQuery};

use super::effect::Effect;

/// One request of one client.
#[derive(Clone, Debug)]
pub struct StoreOperation {
    /// The client.
    pub client: u64,
    /// The member that was asked.
    pub member: u64,
    /// When the request was sent.
    pub invoked_ns: u64,
    /// When the answer came, or the client gave up; `None` at the end of a run that was cut short.
    pub completed_ns: Option<u64>,
    /// What was asked.
    pub asked: Asked,
    /// What the client was told.
    pub told: Told,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One key.
    Get {
        /// The key.
        key: Bytes,
        /// At which revision; `None` for the newest.
        revision: Option<u64>,
        /// How fresh the answer has to be.
        consistency: Consistency,
    },
    /// Some keys.
    Range {
        /// Which keys, in which order and form, at most how many, at which revision.
        query: RangeQuery,
        /// The cursor of the answer before this one.
        after: Option<After>,
        /// How fresh the answer has to be.
        consistency: Consistency,
    },
    /// What changed.
    Changes {
        /// The first revision.
        from: u64,
        /// How many revisions at most.
        limit: u64,
    },
    /// A change.
    Write {
        /// What is to be done.
        command: Command,
        /// Which write of a session it is, and below which sequence the client has seen all outcomes.
        session: Option<(IdempotencyKey, u64)>,
    },
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The revision of the pages before.
    pub revision: u64,
    /// The last key of them.
    pub last_key: Bytes,
    /// What the store said it by.
    pub cursor: String,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The key as it is at a revision.
    Found {
        /// The revision.
        revision: u64,
        /// The key, if it exists.
        found: Option<KeyValue>,
    },
    /// A page of a listing.
    Page {
        /// The revision that it shows.
        revision: u64,
        /// The keys.
        entries: Vec<KeyEntry>,
        /// Where the listing goes on.
        next: Option<String>,
    },
    /// How many keys there are.
    Count {
        /// The revision that it is about.
        revision: u64,
        /// How many.
        count: u64,
    },
    /// What changed.
    Changes {
        /// The newest revision.
        revision: u64,
        /// The changes.
        changes: Vec<Change>,
        /// Where to go on.
        next_from: u64,
    },
    /// What became of a write.
    Wrote {
        /// What it did.
        effect: Effect,
        /// Whether that was done before.
        replayed: bool,
    },
    /// The request had no effect.
    Refused {
        /// Why.
        code: ErrorCode,
        /// With `compacted`: the oldest revision that can be read.
        oldest: Option<u64>,
    },
    /// The request certainly did not arrive.
    NotSent,
    /// The request may have had an effect.
    Unknown,
}

impl StoreOperation {
    /// Whether the client got an answer that says something about the store.
    pub fn is_answered(&self) -> bool {
        self.told.is_answer()
    }

    /// When the operation had ended for certain: what comes later happened after it.
    pub fn ended_ns(&self) -> u64 {
        self.completed_ns.unwrap_or(u64::MAX)
    }
}

impl Told {
    /// Whether this says something about the store.
    pub fn is_answer(&self) -> bool {
        match self {
            Told::Found { .. }
            | Told::Page { .. }
            | Told::Count { .. }
            | Told::Changes { .. }
            | Told::Wrote { .. } => true,
            Told::Refused { code, .. } => *code == ErrorCode::Compacted,
            Told::NotSent | Told::Unknown => false,
        }
    }

    /// The store's revision that the answer names: of a read, the one that it shows, of a write the one that
    /// it took.
    pub fn revision(&self) -> Option<u64> {
        match self {
            Told::Found { revision, .. }
            | Told::Page { revision, .. }
            | Told::Count { revision, .. }
            | Told::Changes { revision, .. } => Some(*revision),
            Told::Wrote { effect, .. } => effect.revision(),
            Told::Refused { .. } | Told::NotSent | Told::Unknown => None,
        }
    }
}

impl Asked {
    /// Whether the answer is to be about the newest revision, which no earlier answer may be ahead of.
    pub fn is_current_read(&self) -> bool {
        match self {
            Asked::Get { revision, consistency, .. } => {
                revision.is_none() && *consistency != Consistency::Stale
            }
            Asked::Range { query, after, consistency } => {
                query.revision.is_none() && after.is_none() && *consistency != Consistency::Stale
            }
            Asked::Changes { .. } => true,
            Asked::Write { .. } => false,
        }
    }

    /// Whether the answer may be about an older state.
    pub fn is_stale(&self) -> bool {
        matches!(
            self,
            Asked::Get { consistency: Consistency::Stale, .. }
                | Asked::Range { consistency: Consistency::Stale, .. }
        )
    }

    /// The revision of the past that is asked for.
    pub fn past_revision(&self) -> Option<u64> {
        match self {
            Asked::Get { revision, .. } => *revision,
            Asked::Range { query, after, .. } => {
                after.as_ref().map(|after| after.revision).or(query.revision)
            }
            Asked::Changes { .. } | Asked::Write { .. } => None,
        }
    }
}
