//! The replicated state machine of one Raft group: pure, synchronous, deterministic.
//!
//! Every replica applies the same [`Proposal`]s in the same order through a [`Machine`], over any
//! implementation of [`Tables`]: LMDB, the overlay above it, or a `BTreeMap` in tests. There are no
//! clocks, no randomness, no I/O other than the tables, and no local settings: whatever decides an
//! outcome is in the log or in the state, or replicas would drift apart.
//!
//! History comes first: a write appends its change, value included, to the history, in the order of
//! revisions, and points the key's record in the key index at it. Keys are found through the index, and
//! reads of the past walk back along the changes of a key. A deleted key stays in the index, so that its
//! past can still be found. One head record holds the numbers and the digest, and is written once for each
//! proposal.
//!
//! A write transaction has one revision, and its changes are numbered inside of it. A read at a revision
//! has the same answer for ever, or none any more once compaction gave the revision up. Compaction moves a
//! mark; sweeps, which are commands too, remove what lies behind it, so that all replicas hold the same
//! records. Sessions keep what their writes did, so that a repeated one has no second effect. Limits are
//! replicated settings.
//!
//! All bytes that leave this crate, to disk or to other nodes, are versioned, carry explicit ordinals and
//! are held by golden fixtures in the tests. Implementations of the tables run the suites in `conformance`
//! (feature `testing`).

mod command;
mod command_encoding;
mod comparison;
mod condition;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod digest;
mod encoding;
#[cfg(test)]
mod fixtures;
mod machine;
pub mod mutant;
mod outcome;
mod outcome_encoding;
mod proposal;
mod query;
mod range;
mod reading;
mod record;
mod result_encoding;
mod session;
mod settings;
mod staged;
pub mod tables;
mod transaction;
mod transaction_encoding;
mod verify;

pub use command::{Command, NotAWrite};
pub use comparison::{Comparison, Predicate, Relation, Target};
pub use condition::Condition;
pub use encoding::DecodeError;
pub use machine::{Machine, MachineError, Summary};
pub use outcome::{Limit, OperationResult, Outcome};
pub use proposal::Proposal;
pub use query::{
    Budget, ChangesPage, KeyChange, KeyEntry, KeyValue, RangeForm, RangePage, RangeQuery, UnavailableRevision,
};
pub use range::KeyRange;
pub use reading::describe_record;
pub use record::check_record;
pub use session::{SESSION_TTL_MS_DEFAULT, SESSION_TTL_MS_MIN, SessionCommand, SessionRequest};
pub use settings::{Setting, SettingChange, SettingDescription, Settings};
pub use tables::{Direction, MemoryTables, Table, Tables, TablesMut};
pub use transaction::{InvalidTransaction, Operation, Transaction};
