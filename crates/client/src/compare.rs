//! Comparisons of a transaction.

use bytes::Bytes;
use quorate_api::transaction::{Comparison, Predicate, Relation, Target};

use crate::keys::Keys;

/// What a comparison looks at. Over a range it has to hold for every key that exists in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    target: Target,
}

/// A comparison of one key.
pub fn key(key: impl Into<Bytes>) -> Compare {
    Compare { target: Target::Key(key.into()) }
}

/// A comparison of every key in a range.
pub fn keys(keys: Keys) -> Compare {
    Compare { target: Target::Range(keys.wire.range) }
}

impl Compare {
    /// There is such a key.
    pub fn exists(self) -> Comparison {
        self.with(Predicate::Exists(true))
    }

    /// There is no such key.
    pub fn is_absent(self) -> Comparison {
        self.with(Predicate::Exists(false))
    }

    /// The value is this one.
    pub fn value_is(self, value: impl Into<Bytes>) -> Comparison {
        self.value(Relation::Equal, value)
    }

    /// The value stands in this relation to another one, byte by byte. None does for a key that does not exist.
    pub fn value(self, relation: Relation, other: impl Into<Bytes>) -> Comparison {
        self.with(Predicate::Value(relation, other.into()))
    }

    /// How often the key was put since it was created; 0 for a key that does not exist.
    pub fn version(self, relation: Relation, other: u64) -> Comparison {
        self.with(Predicate::Version(relation, other))
    }

    /// The revision at which the key was created; 0 for a key that does not exist.
    pub fn create_revision(self, relation: Relation, other: u64) -> Comparison {
        self.with(Predicate::CreateRevision(relation, other))
    }

    /// The revision of the key's newest change; 0 for a key that does not exist.
    pub fn mod_revision(self, relation: Relation, other: u64) -> Comparison {
        self.with(Predicate::ModRevision(relation, other))
    }

    fn with(self, predicate: Predicate) -> Comparison {
        Comparison { target: self.target, predicate }
    }
}
