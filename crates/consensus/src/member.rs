//! What the membership says of a node besides its identity.

use std::fmt;

/// Where a node can be reached. Part of the replicated membership, so that every node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// `HOST:PORT` at which peers reach it.
    pub peer_address: String,
    /// `http://HOST:PORT` at which clients reach it; empty if it has not said.
    pub client_url: String,
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.peer_address)
    }
}
