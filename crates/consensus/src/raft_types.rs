//! The Raft type configuration.
//!
//! Standard Raft leader IDs are used (at most one leader a term, Ongaro's dissertation, section 3.4),
//! not openraft's "advanced" ones, so that "one leader a term" is an invariant that can be checked.

use std::fmt;
use std::marker::PhantomData;

use openraft::RaftTypeConfig;
use openraft_rt::AsyncRuntime;

use crate::identity::NodeId;
use crate::member::Member;
use crate::payload::{ProposalBytes, ProposalOutcomes};

/// A leader of a term.
pub type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, NodeId>;
/// What a log ID keeps of the leader that proposed it: the term.
pub type CommittedLeaderId = <LeaderId as openraft::vote::RaftLeaderId>::Committed;
/// A vote, or the leadership of a term that a quorum has granted.
pub type Vote = openraft::impls::Vote<LeaderId>;
/// Term and index of an entry.
pub type LogId = openraft::LogId<CommittedLeaderId>;
/// Blank, proposal or membership.
pub type EntryPayload = openraft::EntryPayload<ProposalBytes, NodeId, Member>;
/// A log entry.
pub type Entry = openraft::impls::Entry<CommittedLeaderId, EntryPayload>;
/// Voters and learners.
pub type Membership = openraft::Membership<NodeId, Member>;
/// A membership with the log ID that made it.
pub type StoredMembership = openraft::StoredMembership<CommittedLeaderId, NodeId, Member>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::storage::SnapshotMeta<CommittedLeaderId, NodeId, Member>;

/// The types that openraft works with, on the runtime `R`.
pub struct RaftTypes<R>(PhantomData<fn() -> R>);

impl<R: AsyncRuntime + Send + Sync> RaftTypeConfig for RaftTypes<R> {
    type D = ProposalBytes;
    type R = ProposalOutcomes;
    type NodeId = NodeId;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = EntryPayload;
    type Entry = Entry;
    type AsyncRuntime = R;
    type Responder<T>
        = openraft::impls::OneshotResponder<Self, T>
    where
        T: Send + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: Send + 'static;
    type ErrorSource = openraft::AnyError;
}

// Derives would ask the same of `R`, which is only a marker here.
impl<R> Clone for RaftTypes<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for RaftTypes<R> {}
impl<R> Default for RaftTypes<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}
impl<R> fmt::Debug for RaftTypes<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RaftTypes")
    }
}
impl<R> PartialEq for RaftTypes<R> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}
impl<R> Eq for RaftTypes<R> {}
impl<R> PartialOrd for RaftTypes<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for RaftTypes<R> {
    fn cmp(&self, _other: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
