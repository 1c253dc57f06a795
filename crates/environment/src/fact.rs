//! Facts that a node lets its world witness.
//!
//! Some properties of a replicated store cannot be seen from outside: that a node votes once a term,
//! that a committed entry never changes. A node therefore tells its environment what it has just made
//! true ([`crate::Environment::witness`]). In production nobody listens and the call is compiled away;
//! a simulator compares what all nodes say, across restarts.
//!
//! A fact is told after it has become true and, where a disk is involved, durable: a node that goes down
//! before that has promised nothing.

/// What a node has just made true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// A node's data directory is open: who it is.
    Opened {
        /// Its member number.
        member: u64,
        /// The incarnation of its directory.
        incarnation: u64,
    },
    /// The node goes by this membership, which is committed.
    Members {
        /// The Raft group.
        group: u32,
        /// The term in which the entry with the membership was proposed.
        term: u64,
        /// Its place in the log.
        index: u64,
        /// Member and incarnation of each voter: of the old and the new ones, while they change.
        voters: &'a [Vec<(u64, u64)>],
        /// Member and incarnation of every node in it, whether it votes or not.
        nodes: &'a [(u64, u64)],
    },
    /// A vote is on disk, and will be answered.
    Voted {
        /// The Raft group.
        group: u32,
        /// The term.
        term: u64,
        /// Member and incarnation of the node that the vote is for.
        candidate: (u64, u64),
        /// Whether a quorum has granted it: the candidate leads the term.
        leads: bool,
    },
    /// An entry of the log, which is committed, has been applied to the state.
    Applied {
        /// The Raft group.
        group: u32,
        /// The term in which the entry was proposed.
        term: u64,
        /// Its place in the log.
        index: u64,
        /// The proposal in it; empty for an entry without one.
        proposal: &'a [u8],
    },
    /// The state stands at an entry of the log: a batch of entries has been applied, or a snapshot
    /// installed.
    Stands {
        /// The Raft group.
        group: u32,
        /// The term in which the entry was proposed.
        term: u64,
        /// Its place in the log.
        index: u64,
        /// The state's revision.
        revision: u64,
        /// The digest over the state.
        digest: u128,
    },
}
