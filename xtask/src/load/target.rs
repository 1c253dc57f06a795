//! The stores that can be loaded, behind one face.

use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;

use crate::http::HttpConnection;
use crate::library::LibraryConnection;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    /// Ours, over HTTP/1.1.
    Quorate,
    /// Ours, by its client library, which is given all nodes at once.
    QuorateLibrary,
    /// etcd, over gRPC.
    Etcd,
}

/// A connection to a store.
pub enum Connection {
    /// To ours.
    Quorate(HttpConnection),
    /// To all nodes of ours.
    QuorateLibrary(Box<LibraryConnection>),
    /// To etcd.
    #[cfg(feature = "etcd")]
    Etcd(Box<crate::etcd::EtcdConnection>),
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The connection could not be made or broke.
    #[error("connection to {endpoint}: {reason}")]
    Connection {
        /// The other side.
        endpoint: String,
        /// What the library said.
        reason: String,
    },
    /// The store has no room for the request, or cannot serve it now.
    #[error("refused: {status}")]
    Refused {
        /// The status code.
        status: u16,
        /// When to try again, if the store says so.
        retry_after: Option<Duration>,
    },
    /// The store answered, but not what was asked for.
    #[error("unexpected answer: {0}")]
    Answer(String),
    /// The generator was built without a client for this store.
    #[cfg(not(feature = "etcd"))]
    #[error("this load generator was built without the feature `etcd`")]
    NotBuilt,
}

impl Connection {
    /// Connects to the store at `endpoint`: of a library, `HOST:PORT` of all nodes, separated by commas.
    pub async fn open(kind: TargetKind, endpoint: &str) -> Result<Connection, RequestError> {
        match kind {
            TargetKind::Quorate => HttpConnection::open(endpoint).await.map(Connection::Quorate),
            TargetKind::QuorateLibrary => LibraryConnection::open(endpoint)
                .map(|connection| Connection::QuorateLibrary(Box::new(connection))),
            #[cfg(feature = "etcd")]
            TargetKind::Etcd => crate::etcd::EtcdConnection::open(endpoint)
                .await
                .map(|connection| Connection::Etcd(Box::new(connection))),
            #[cfg(not(feature = "etcd"))]
            TargetKind::Etcd => Err(RequestError::NotBuilt),
        }
    }

    /// Another handle of the same connection, if the protocol lets requests share one.
    pub fn share(&self) -> Option<Connection> {
        match self {
            Connection::Quorate(_) | Connection::QuorateLibrary(_) => None,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => Some(Connection::Etcd(connection.clone())),
        }
    }

    /// Sets the key's value.
    pub async fn put(&mut self, key: &str, value: Bytes) -> Result<(), RequestError> {
        match self {
            Connection::Quorate(connection) => connection.put(key, value).await,
            Connection::QuorateLibrary(connection) => connection.put(key, value).await,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => connection.put(key, value).await,
        }
    }

    /// Reads the value of a key that exists, linearizably, and gives its length.
    pub async fn get(&mut self, key: &str) -> Result<usize, RequestError> {
        match self {
            Connection::Quorate(connection) => connection.get(key).await,
            Connection::QuorateLibrary(connection) => connection.get(key).await,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => connection.get(key).await,
        }
    }

    /// Reads all keys that begin with `prefix`, linearizably, and gives their number.
    pub async fn range(&mut self, prefix: &str) -> Result<u64, RequestError> {
        match self {
            Connection::Quorate(connection) => connection.range(prefix).await,
            Connection::QuorateLibrary(connection) => connection.range(prefix).await,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => connection.range(prefix).await,
        }
    }

    /// Sets the value of a key in a transaction, if the key has a revision; it is an error if it has none.
    pub async fn put_if_there(&mut self, key: &str, value: &Bytes) -> Result<(), RequestError> {
        match self {
            Connection::Quorate(connection) => connection.put_if_there(key, value).await,
            Connection::QuorateLibrary(connection) => connection.put_if_there(key, value).await,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => connection.put_if_there(key, value).await,
        }
    }

    /// Sets the value of every key, in one transaction.
    pub async fn put_all(&mut self, keys: &[String], value: &Bytes) -> Result<(), RequestError> {
        match self {
            Connection::Quorate(connection) => connection.put_all(keys, value).await,
            Connection::QuorateLibrary(connection) => connection.put_all(keys, value).await,
            #[cfg(feature = "etcd")]
            Connection::Etcd(connection) => connection.put_all(keys, value).await,
        }
    }

    /// Whether another request can be sent on it.
    pub fn is_usable(&self) -> bool {
        match self {
            Connection::Quorate(connection) => connection.is_usable(),
            Connection::QuorateLibrary(_) => true,
            #[cfg(feature = "etcd")]
            Connection::Etcd(_) => true,
        }
    }
}
