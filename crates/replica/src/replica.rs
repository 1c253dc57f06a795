//! The replica.

use std::path::PathBuf;
use std::time::Duration;

use quorate_consensus::LogId;
use quorate_environment::Environment;
use quorate_kv::{Command, KeyValue, Outcome};

use crate::context::RequestContext;
use crate::errors::{ReadError, WriteError};
use crate::status::Status;

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Reflects every write that was acknowledged before the read began.
    #[default]
    Linearizable,
    /// Whatever this node has, with its age.
    Stale,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// The key's newest version, or `None` if it does not exist.
    pub found: Option<KeyValue>,
    /// The store's revision that the answer reflects.
    pub revision: u64,
    /// The last log entry that the answer reflects.
    pub applied: Option<LogId>,
    /// For a stale read: how long ago the node's state was known to be current; `None` if never.
    pub age: Option<Duration>,
}

/// How a replica is set up.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// This node's member number.
    pub member: u64,
    /// Its data directory.
    pub data_directory: PathBuf,
    /// `HOST:PORT` to listen on for peers.
    pub peer_listen: String,
    /// `http://HOST:PORT` at which clients reach this node, announced to the others.
    pub client_url: String,
    /// Every initial member's number and `HOST:PORT` for peers, this one's included.
    pub initial_cluster: Vec<(u64, String)>,
    /// Bytes of proposals in flight on this node; beyond it writes are refused.
    pub proposal_bytes_in_flight_max: usize,
    /// The heartbeat interval in milliseconds; election timeouts follow from it.
    pub heartbeat_interval_ms: u64,
    /// How storage is set up.
    pub storage: quorate_storage::StorageOptions,
}

/// Why a replica could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The peer address cannot be bound.
    #[error("cannot listen on {address} for peers: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The settings do not fit together.
    #[error("{0}")]
    Settings(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] quorate_storage::OpenError),
    /// Raft refused to start.
    #[error("raft did not start: {0}")]
    Raft(String),
}

/// One replica of the store's Raft group. Cheap to clone; clones are the same replica.
#[derive(Clone, Debug)]
pub struct Replica<E: Environment> {
    environment: E,
}

impl<E: Environment> Replica<E> {
    /// Opens the data directory, listens for peers and begins to take part. Returns as soon as the
    /// node can answer status and stale reads; forming the cluster goes on in the background.
    pub async fn start(environment: E, _options: ReplicaOptions) -> Result<Self, StartError> {
        Ok(Self { environment })
    }

    /// The node's environment.
    pub fn environment(&self) -> &E {
        &self.environment
    }

    /// Runs one write to its outcome, on whatever node leads, before the context's deadline.
    pub async fn write(&self, _context: &RequestContext, _command: Command) -> Result<Outcome, WriteError> {
        Err(WriteError::ShuttingDown)
    }

    /// Reads a key.
    pub async fn get(
        &self,
        _context: &RequestContext,
        _key: &[u8],
        _consistency: Consistency,
    ) -> Result<ReadAnswer, ReadError> {
        Err(ReadError::ShuttingDown)
    }

    /// This replica's view of the group and of itself.
    pub fn status(&self) -> Status {
        panic!("being written")
    }

    /// The longest value that a put may carry now, in bytes.
    pub fn value_bytes_max(&self) -> u64 {
        1 << 20
    }

    /// Hands leadership over if this node leads, finishes what is in flight, stops, closes the
    /// storage. Returns when the data directory is closed.
    pub async fn shutdown(&self) {}

    /// Resolves when the replica has stopped by itself because it could not go on safely (a failed
    /// flush, a damaged record); says why.
    pub async fn failed(&self) -> String {
        std::future::pending().await
    }
}
