//! Who a node is, which cluster it belongs to, which Raft group a byte is about.

use std::fmt;
use std::str::FromStr;

/// A node, as Raft knows it: a member number that people choose, and the incarnation of the data
/// directory behind it.
///
/// Raft is only safe if a node that has voted remembers its vote. A directory that was wiped has
/// forgotten it, so what starts in it must not pass for the node that was there before: it draws a new
/// random incarnation and is a new node, which has to be added again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The number that people use, 1 or greater.
    pub member: u64,
    /// Drawn at random when the data directory was made; never 0 in a real node.
    pub incarnation: u64,
}

impl NodeId {
    /// The node `member` in its `incarnation`.
    pub const fn new(member: u64, incarnation: u64) -> Self {
        Self { member, incarnation }
    }

    /// The place of `member` that no node has taken yet: incarnation 0, which no node has.
    pub const fn unclaimed(member: u64) -> Self {
        Self::new(member, 0)
    }

    /// Whether this is a place that no node has taken yet. It cannot be dialed.
    pub const fn is_unclaimed(&self) -> bool {
        self.incarnation == 0
    }
}

/// openraft's storage suite makes node IDs from numbers.
#[cfg(feature = "testing")]
impl From<u64> for NodeId {
    fn from(member: u64) -> Self {
        Self::new(member, 1)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:016x}", self.member, self.incarnation)
    }
}

/// A cluster: 128 random bits drawn when it was formed. All zeros stands for "not part of one yet".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl ClusterId {
    /// "Not part of a cluster yet".
    pub const NONE: ClusterId = ClusterId([0; 16]);

    /// Whether this stands for "not part of a cluster yet".
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClusterId({self})")
    }
}

impl FromStr for ClusterId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

/// A Raft group. There is one today; every frame, table and cursor carries it already, so that many
/// groups can share a process, a disk and a connection later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The only group there is today.
    pub const FIRST: GroupId = GroupId(0);
}

impl fmt::Display for GroupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}
