//! The replicated state machine of one Raft group: pure, synchronous, deterministic.
//!
//! Every replica applies the same [`Proposal`]s in the same order through a [`Machine`], over any
//! implementation of [`Tables`]: LMDB, the overlay above it, or a `BTreeMap` in tests. There are no
//! clocks, no randomness, no I/O other than the tables, and no local settings: whatever decides an
//! outcome is in the log or in the state, or replicas would drift apart.

pub mod command;
pub mod machine;
pub mod tables;

pub use command::{Command, Condition, Limit, Outcome, Proposal};
pub use machine::{KeyValue, Machine, Summary};
pub use tables::{Direction, MemoryTables, Table, Tables, TablesMut};
