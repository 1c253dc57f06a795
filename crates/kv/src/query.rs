//! What reads ask for, and what they find.

use bytes::Bytes;

use crate::range::KeyRange;
use crate::tables::Direction;

/// What to read of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeQuery {
    /// The keys.
    pub range: KeyRange,
    /// In which order they come, and where a limit begins to count.
    pub direction: Direction,
    /// How many keys at most, or all. Zero finds none.
    pub limit: Option<u64>,
    /// How much of each key.
    pub form: RangeForm,
    /// At which revision, or at the newest.
    pub revision: Option<u64>,
}

/// How much a range read gives of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeForm {
    /// Key, revisions and value.
    KeysAndValues,
    /// All but the value.
    Keys,
    /// Only how many there are.
    Count,
}

/// How much one page of a read may cost. A page makes some progress under any budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Records to look at: of the key index (deleted keys count, too) and of the history.
    pub records: u64,
    /// Bytes of keys and values to gather.
    pub bytes: u64,
}

/// One page of a range read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangePage {
    /// The revision that the page shows.
    pub revision: u64,
    /// The keys of this page, in the query's order. Empty if only their number was asked for.
    pub entries: Vec<KeyEntry>,
    /// How many keys this page found.
    pub count: u64,
    /// If the range was not read to its end: the last key that was looked at. [`RangeQuery::rest`] and
    /// [`RangeQuery::after`] make the query that goes on behind it.
    pub next: Option<Bytes>,
}

/// A key as a range read shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The key.
    pub key: Bytes,
    /// Its value, if it was asked for.
    pub value: Option<Bytes>,
    /// The revision at which it was created.
    pub create_revision: u64,
    /// The revision of its newest change.
    pub mod_revision: u64,
    /// How often it was put since it was created.
    pub version: u64,
}

/// A key's version, as reads of one key show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The value.
    pub value: Bytes,
    /// The revision at which the key was created.
    pub create_revision: u64,
    /// The revision of its newest change.
    pub mod_revision: u64,
    /// How often it was put since it was created.
    pub version: u64,
}

/// One page of the history: the changes of whole revisions, in the order of (revision, sub-index).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesPage {
    /// The changes.
    pub changes: Vec<KeyChange>,
    /// The revision to go on from: the first one that is not in this page.
    pub next_revision: u64,
    /// The newest revision. There is more if `next_revision` is not above it.
    pub newest: u64,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The revision of the write.
    pub revision: u64,
    /// The number of the change in its write, from 0.
    pub sub_index: u32,
    /// The key.
    pub key: Bytes,
    /// The key as it is after the change, or `None` if it was deleted.
    pub key_value: Option<KeyValue>,
}

/// A revision that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnavailableRevision {
    /// Compaction gave it up.
    #[error("the revision was compacted; the oldest that can be read is {oldest}")]
    Compacted {
        /// The oldest revision that can be read in this way.
        oldest: u64,
    },
    /// It is yet to come.
    #[error("the revision is yet to come; the newest is {newest}")]
    Future {
        /// The newest revision there is.
        newest: u64,
    },
}

impl RangeQuery {
    /// Everything about the keys of a range as they are now, in ascending order.
    pub fn new(range: KeyRange) -> Self {
        Self {
            range,
            direction: Direction::Ascending,
            limit: None,
            form: RangeForm::KeysAndValues,
            revision: None,
        }
    }

    /// The same query for what comes behind `key` in its order, at the revision of the page that ended there.
    pub fn after(&self, revision: u64, key: &[u8]) -> Self {
        let range = match self.direction {
            Direction::Ascending => self.range.behind(key),
            Direction::Descending => self.range.before(key),
        };
        Self { range, revision: Some(revision), ..self.clone() }
    }

    /// The query for what is missing after `page`, at the same revision, or `None` if nothing is: the range
    /// has been read to its end or the limit is used up.
    pub fn rest(&self, page: &RangePage) -> Option<Self> {
        let next = page.next.as_ref()?;
        let limit = self.limit.map(|limit| limit.saturating_sub(page.count));
        match limit {
            Some(0) => None,
            limit => Some(Self { limit, ..self.after(page.revision, next) }),
        }
    }
}
