//! The state machine itself.

use bytes::Bytes;

use crate::command::{Outcome, Proposal};
use crate::tables::{Tables, TablesMut};

/// The in-memory head of the state machine: everything that each proposal changes. The records
/// themselves are in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    summary: Summary,
}

/// The state in a few numbers. Equal states have equal summaries, and, with the certainty of a
/// 128-bit hash, the reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The newest revision, 0 if nothing was ever written.
    pub revision: u64,
    /// The state's time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Keys that exist now.
    pub key_count: u64,
    /// Bytes of the keys and values that exist now.
    pub live_bytes: u64,
    /// The digest over all replicated state.
    pub digest: u128,
}

/// A key's newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The value.
    pub value: Bytes,
    /// The revision at which the key was created.
    pub create_revision: u64,
    /// The revision of its newest change.
    pub mod_revision: u64,
    /// How often it was put since it was created.
    pub version: u64,
}

impl Machine {
    /// Loads the head from tables: empty ones, or what an earlier machine left there.
    pub fn load<T: Tables>(_tables: &T) -> Result<Self, MachineError<T::Error>> {
        Ok(Self { summary: Summary::default() })
    }

    /// The state in a few numbers.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The longest value that a put may carry now, in bytes (a replicated setting).
    pub fn value_bytes_max(&self) -> u64 {
        1 << 20
    }

    /// Applies one proposal, writing to `tables`. Gives one outcome for each command. An error leaves
    /// tables and machine in an undefined state: the caller stops the node.
    pub fn apply<T: TablesMut>(
        &mut self,
        _tables: &mut T,
        _proposal: &Proposal,
    ) -> Result<Vec<Outcome>, MachineError<T::Error>> {
        Ok(Vec::new())
    }

    /// The newest version of `key`.
    pub fn get<T: Tables>(_tables: &T, _key: &[u8]) -> Result<Option<KeyValue>, MachineError<T::Error>> {
        Ok(None)
    }
}

/// Why the state machine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MachineError<E> {
    /// The tables failed.
    #[error("reading or writing the state failed: {0}")]
    Tables(#[from] E),
    /// A record in the tables cannot be understood.
    #[error("a record of the state is damaged: {0}")]
    Damaged(String),
}
