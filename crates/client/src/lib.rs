//! A client of Quorate's HTTP API.
//!
//! ```no_run
#![doc = include_str!("../examples/tour.rs")]
//! ```
//!
//! # Any node, and what failures mean
//!
//! Every node answers every request, so a client takes any of them, stays with one that works, and goes on to
//! the next where one fails. What comes back in the end is one of
//!
//! - an answer;
//! - a *definite* failure: a write was not done and never will be. [`ClientError::is_retryable`] tells whether
//!   the same request may well succeed later;
//! - a *conflict*, [`ClientError::Conflict`]: the condition of the write did not hold;
//! - an *unknown* outcome, [`ClientError::OutcomeUnknown`]: the write was sent, and nobody said what became of
//!   it before the time was up. It may take effect now or later, or never. Read to learn which.
//!
//! # Members that come and go
//!
//! The nodes say who the members are and where clients reach them. A client asks for that with its first
//! request, every ten seconds while it is used, and when a node fails, and goes to the members from then on, so
//! that it outlives the nodes that it was given. Those stay its fallback. A new member is used once it has
//! answered and is of the same cluster; a node of another cluster is not used at all. See
//! [`ClientBuilder::follow_members`].
//!
//! # Sessions: writes that are repeated and take effect once
//!
//! Puts, deletes and transactions are parts of a session, which the client opens with its first write and keeps
//! for itself. In it every write has a number, by which the store knows a repetition. So a write of which an
//! answer was lost is tried again, at this node or another, until the time is up, and is done once. If the
//! session has expired meanwhile, nobody can know any more: the outcome is unknown, and the write is not
//! repeated. Say [`Client::close`] at the end, or the store keeps the session for a minute.
//!
//! # Where it runs
//!
//! By default in a tokio runtime with time and I/O enabled. Time, connections and random numbers come from a
//! [`quorate_environment::Environment`], so that the same client runs in a simulation:
//! [`ClientBuilder::environment`].

mod answers;
mod attempts;
mod builder;
mod call;
mod client;
pub mod compare;
mod connections;
mod directory;
mod endpoint;
mod error;
mod exchange;
mod freshness;
mod history;
mod keys;
mod leadership;
mod maintenance;
mod members;
mod nodes;
pub mod operation;
mod range;
mod roster;
mod session_requests;
mod sessions;
mod single_keys;
mod transaction;

pub use answers::{Deleted, Entry, RangeDeleted, RangePage, Read, TransactionDone, Written};
pub use builder::ClientBuilder;
pub use client::Client;
pub use connections::{Connection, Connections, NoAnswer};
pub use directory::Directory;
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use freshness::Freshness;
pub use history::History;
pub use keys::Keys;
pub use quorate_api::transaction::{Comparison, Operation, Predicate, Relation, Target, Transaction};
pub use quorate_api::{
    Change, ClusterMember, ClusterStatus, Condition, Consistency, ErrorCode, Item, MemberAnswer, MemberRole,
    MembersAnswer, NodeName, OperationAnswer, Order, PutChange, Role, SessionAnswer, SettingAnswer,
    WantedRole,
};
pub use range::Range;
pub use roster::{Heard, Roster};
pub use transaction::TransactionBuilder;
