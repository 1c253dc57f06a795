//! What a transaction looks at before it chooses.

use bytes::Bytes;

use crate::range::KeyRange;

/// One thing that has to be so.
///
/// Of a key that does not exist, version, create revision and modification revision are 0, and no comparison
/// of its value holds. Over a range, a comparison has to hold for every key that exists in it: of a range
/// without keys everything holds, but for existence: [`Predicate::Exists`] asks whether there are keys at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What is looked at.
    pub target: Target,
    /// What has to hold for it.
    pub predicate: Predicate,
}

/// What a comparison looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One key.
    Key(Bytes),
    /// All keys of a range.
    Range(KeyRange),
}

/// What has to hold. Each relation has the key's own number or value on its left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// The key exists, or does not.
    Exists(bool),
    /// The value, compared byte by byte.
    Value(Relation, Bytes),
    /// How often the key was put since it was created.
    Version(Relation, u64),
    /// The revision at which the key was created.
    CreateRevision(Relation, u64),
    /// The revision of the key's newest change.
    ModRevision(Relation, u64),
}

/// How two things compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Equal,
    /// They are not the same.
    NotEqual,
    /// The left one is less.
    Less,
    /// The left one is greater.
    Greater,
}

impl Relation {
    /// Whether it holds between two things.
    pub fn holds<T: Ord + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Relation::Equal => left == right,
            Relation::NotEqual => left != right,
            Relation::Less => left < right,
            Relation::Greater => left > right,
        }
    }
}
