//! What the membership says of a node besides its identity.

use std::fmt;

use crate::identity::NodeId;

/// Where a node can be reached, and what is to become of it. Part of the replicated membership, so that every
/// node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// `HOST:PORT` at which peers reach it; empty if no node has taken the place yet.
    pub peer_address: String,
    /// `http://HOST:PORT` at which clients reach it; empty if it has not said.
    pub client_url: String,
    /// What is to become of it.
    pub wanted: Wanted,
}

/// What is to become of a member. What a member *is* (a voter or not) is said by Raft's configuration; where
/// the two differ, the leader works on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// A voter. What every member is wanted to be in a membership that was written before there were others.
    #[default]
    Voter,
    /// A learner, until it is promoted.
    Learner,
    /// A voter in the place of that node, which is removed with it.
    Replacement(NodeId),
    /// Gone.
    Removed,
}

impl Member {
    /// A member that is wanted as a voter.
    pub fn new(peer_address: impl Into<String>, client_url: impl Into<String>) -> Self {
        Self { peer_address: peer_address.into(), client_url: client_url.into(), wanted: Wanted::Voter }
    }

    /// The place of a member that no node has taken yet.
    pub fn unclaimed(wanted: Wanted) -> Self {
        Self { peer_address: String::new(), client_url: String::new(), wanted }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.peer_address)
    }
}
