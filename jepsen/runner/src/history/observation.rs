//! What answers tell beyond the history of one key.

/// What an answer promises about the state that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It shows all that was acknowledged before it was asked for.
    Linearizable,
    /// It is at most so many nanoseconds older than the moment at which it was asked for.
    Age(u64),
    /// Nothing: the node could not say how old it is, or the client chose the revision.
    Any,
}

/// An answer that told a revision of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revealed {
    /// When it was asked for, in nanoseconds of the run.
    pub began: u64,
    /// When the answer was there.
    pub ended: u64,
    /// The node that was asked.
    pub node: u8,
    /// The revision that a write took, or that a read shows.
    pub revision: u64,
    /// What a read promises. None of a write.
    pub freshness: Option<Freshness>,
}

/// One key that a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The revision of its newest change.
    pub revision: u64,
}

/// What a read of one or many keys found. All of it is the state at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was asked for, in nanoseconds of the run.
    pub began: u64,
    /// When the last of it was there.
    pub ended: u64,
    /// The node that was asked first.
    pub node: u8,
    /// The revision of the state.
    pub revision: u64,
    /// The first key that was asked for.
    pub start: String,
    /// The key behind the last that was asked for.
    pub end: String,
    /// Whether the keys were asked for from the last to the first.
    pub is_descending: bool,
    /// What was found, in the order in which it came.
    pub entries: Vec<SnapshotEntry>,
}
