//! One Raft replica of the store: openraft wired to environment, storage and peers.
//!
//! [`Replica`] is the whole of a node below HTTP: it forms the cluster ([`formation`]), runs Raft,
//! batches writes ([`proposer`]), serves reads ([`reading`]), passes on what only the leader can do, has members
//! come and go ([`membership`]), keeps the store in order ([`upkeep`]), and says how it is ([`Status`]). It is generic over the environment and knows neither
//! HTTP nor which world it lives in.

mod bytes_in_flight;
mod compaction;
pub mod context;
pub mod errors;
mod follower_reports;
mod formation;
mod freshness;
mod gate;
mod handler;
mod housekeeping;
mod leadership;
mod leadership_keeper;
mod lease;
mod membership;
pub mod options;
mod proposal_queue;
mod proposer;
mod raft;
mod read_index;
pub mod reading;
mod repair;
pub mod replica;
mod rounds;
mod snapshot_pieces;
mod start;
pub mod status;
mod status_view;
mod stopping;
mod successor;
mod transfer;
mod transfer_error;
mod transfer_request;
mod transfer_wire;
mod upkeep;
mod vote_guard;
mod wire;
mod writing;

pub use quorate_consensus::{NodeId, Wanted};

pub use context::{Principal, RequestContext};
pub use errors::{ReadError, WriteError};
pub use membership::{MemberChange, MemberError, MemberRole, MemberView, MembersView};
pub use options::{CLOCK_DRIFT_PPM_MAX, RepairPolicy, ReplicaOptions, StartError};
pub use reading::{AtRevision, Consistency, ReadAnswer, View};
pub use replica::{Replica, ReplicaFailure};
pub use status::{MemberStatus, QuotaState, Role, Status, WorkStatus};
pub use transfer_error::TransferError;
