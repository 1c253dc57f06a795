//! What must hold, whatever goes wrong: one file for each property.
//!
//! Oracles know nothing of the simulation. They are told what was observed, with its time, and say what
//! is wrong with it, so that a test can show each of them something that is.
//!
//! | Oracle | Property | Where it is from |
//! |---|---|---|
//! | [`linearizability`] | every answer fits one order of all operations | Herlihy and Wing 1990 |
//! | [`leaders`] | at most one leader a term | Election Safety, Raft paper figure 3 |
//! | [`members`] | a majority of the voters elects; all go by the same members | Raft dissertation chapter 4 |
//! | [`votes`] | a node votes once a term and does not forget | Raft paper section 5.2, figure 2 |
//! | [`entries`] | a committed entry never changes | State Machine Safety, Raft paper figure 3 |
//! | [`digests`] | equal states at equal index | replicas are deterministic; etcd #13766 |
//! | [`served`] | a node serves nothing older than it has served | openraft #1511 |
//! | [`ages`] | an answer, linearizable or stale, is not older than it says | our API |
//! | [`store`] | every answer is the one that the committed log leads to | the table there |
//! | [`agreement`] | in the end all nodes have what was acknowledged | issue part 8 |
//!
//! [`vacuity`] watches the oracles: a run in which they were told nothing does not count.

pub mod ages;
pub mod agreement;
pub mod digests;
pub mod entries;
pub mod leaders;
pub mod linearizability;
pub mod members;
pub mod served;
pub mod store;
mod timeline;
pub mod vacuity;
pub mod votes;

use std::fmt;

/// A property that was violated, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The property, as a short phrase.
    pub property: &'static str,
    /// What shows that it does not hold.
    pub evidence: String,
}

impl Violation {
    /// `evidence` that `property` does not hold.
    pub fn new(property: &'static str, evidence: impl Into<String>) -> Self {
        Self { property, evidence: evidence.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.property, self.evidence)
    }
}

/// What an oracle says of an observation.
pub type Judgement = Result<(), Violation>;

/// A node as Raft knows it: a member number and the incarnation of its data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeName {
    /// The member.
    pub member: u64,
    /// The incarnation.
    pub incarnation: u64,
}

impl fmt::Display for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "n{}.{:04x}", self.member, self.incarnation & 0xffff)
    }
}

/// Virtual time for people, in seconds.
pub(crate) fn seconds(time_ns: u64) -> String {
    format!("{:.6} s", time_ns as f64 / 1e9)
}
