//! The application's side of a log entry, as consensus sees it: bytes in, outcomes out.

use std::fmt;

use bytes::Bytes;
use quorate_kv::Outcome;

/// An encoded [`quorate_kv::Proposal`]. Encoded once, by the leader that proposes it; log, wire and
/// disk carry the same bytes, which are decoded when they are applied.
#[derive(Clone, PartialEq, Eq)]
pub struct ProposalBytes(pub Bytes);

impl fmt::Debug for ProposalBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProposalBytes({} bytes)", self.0.len())
    }
}

impl fmt::Display for ProposalBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "proposal of {} bytes", self.0.len())
    }
}

/// What a proposal did, one outcome for each of its commands. Empty for entries that carry none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProposalOutcomes(pub Vec<Outcome>);
