//! What consensus speaks: identity, the Raft type configuration, and its encodings.
//!
//! openraft is generic over the types that identify nodes, terms and entries. This crate chooses them
//! once ([`RaftTypes`]), for every runtime. It also owns the bytes: whatever of Raft reaches a disk or
//! a wire goes through [`encoding`], never through openraft's own serialisation, so that an upgrade of
//! the library cannot change our formats.

pub mod encoding;
pub mod identity;
pub mod member;
pub mod payload;
pub mod raft_types;
pub mod snapshot_file;

pub use identity::{ClusterId, GroupId, NodeId};
pub use member::{Member, Wanted};
pub use payload::{ProposalBytes, ProposalOutcomes};
pub use raft_types::{
    CommittedLeaderId, Entry, EntryPayload, LeaderId, LogId, Membership, RaftTypes, SnapshotMeta,
    StoredMembership, Vote,
};
pub use snapshot_file::SnapshotFile;
