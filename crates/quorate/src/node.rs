//! One running node: a replica and its HTTP server.

use std::mem::take;
use std::net::SocketAddr;

use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::{Dialect, HttpOptions, NodeServer};
use quorate_replica::{Replica, ReplicaFailure, StartError};
use quorate_storage::OpenError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::configuration::{ConfigurationError, NodeConfiguration};

/// Why a node cannot run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The client address cannot be bound.
    #[error(
        "cannot listen on {address} for clients: {source}. Is another node running there? Choose another address with --listen (or --port for `quorate dev`)"
    )]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The address of a dialect cannot be bound.
    #[error(
        "cannot listen on {address} for clients of {}: {source}. Is another program running there? Choose another address with --dialect",
        dialect.name()
    )]
    ListenInDialect {
        /// Which dialect.
        dialect: Dialect,
        /// The address.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The settings turn out to be wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The replica did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The replica stopped by itself.
    #[error("node {member} has stopped to protect its data: {reason}")]
    Failed {
        /// Which member.
        member: u64,
        /// Why.
        reason: String,
        /// Whether its state is damaged, or is not the leader's, so that a repair helps.
        is_damage: bool,
    },
}

impl NodeError {
    /// Whether the node's state is damaged, or is not the leader's, so that a repair helps.
    pub fn is_damage(&self) -> bool {
        matches!(self, NodeError::Failed { is_damage: true, .. } | NodeError::Start(StartError::Damaged(_)))
    }

    /// Whether an address or the data directory is still in use.
    pub fn is_in_use(&self) -> bool {
        match self {
            NodeError::Listen { source, .. }
            | NodeError::ListenInDialect { source, .. }
            | NodeError::Start(StartError::Listen { source, .. }) => {
                source.kind() == std::io::ErrorKind::AddrInUse
            }
            NodeError::Start(StartError::Storage(error)) => matches!(error, OpenError::InUse { .. }),
            _ => false,
        }
    }
}

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    member: u64,
    /// `http://HOST:PORT` of its HTTP server.
    pub url: String,
    /// The dialects that it speaks, and `http://HOST:PORT` of each.
    pub dialects: Vec<(Dialect, String)>,
    replica: Replica<TokioEnvironment>,
    stop_http: CancellationToken,
    /// The HTTP server at each of its listeners.
    http: Vec<JoinHandle<()>>,
}

impl Node {
    /// Starts a node.
    pub async fn start(mut configuration: NodeConfiguration) -> Result<Self, NodeError> {
        let environment = TokioEnvironment::new();
        let address = configuration.listen.clone();
        let listen_error = |source| NodeError::Listen { address: address.clone(), source };
        let listener = environment.listen(&address).await.map_err(listen_error)?;
        let bound = bound_address(&listener).map_err(listen_error)?;
        let speakers = listen_in_dialects(&environment, take(&mut configuration.dialects)).await?;
        let member = configuration.member;
        let replica = Replica::start(environment, configuration.replica_options(bound)?).await?;
        let stop_http = CancellationToken::new();
        let server = NodeServer::new(environment, replica.clone(), HttpOptions::default(), stop_http.clone());
        let mut http = vec![tokio::spawn(server.serve(listener))];
        let mut dialects = Vec::new();
        for Speaker { dialect, listener, url } in speakers {
            http.push(tokio::spawn(server.speak(dialect, listener)));
            dialects.push((dialect, url));
        }
        Ok(Self { member, url: format!("http://{bound}"), dialects, replica, stop_http, http })
    }

    /// The node's replica.
    pub fn replica(&self) -> &Replica<TokioEnvironment> {
        &self.replica
    }

    /// Resolves when the node can no longer run, and says why.
    pub async fn failed(&self) -> NodeError {
        let ReplicaFailure { reason, is_damage } = self.replica.failed().await;
        NodeError::Failed { member: self.member, reason, is_damage }
    }

    /// Resolves when the node has been removed from the cluster: it is to be stopped.
    pub async fn removed(&self) {
        self.replica.removed().await;
    }

    /// Stops cleanly: hands leadership over, finishes the requests in flight, closes the data directory.
    pub async fn stop(self) {
        self.replica.hand_over_leadership().await;
        self.stop_with_the_cluster().await;
    }

    /// Stops cleanly together with all other nodes: nobody is left to take over leadership.
    pub async fn stop_with_the_cluster(self) {
        self.stop_http.cancel();
        for http in self.http {
            if let Err(error) = http.await {
                tracing::error!(%error, "the HTTP server did not stop cleanly");
            }
        }
        self.replica.shutdown().await;
    }
}

/// A dialect that is about to be spoken.
struct Speaker {
    dialect: Dialect,
    listener: <TokioEnvironment as Environment>::Listener,
    url: String,
}

async fn listen_in_dialects(
    environment: &TokioEnvironment,
    dialects: Vec<(Dialect, String)>,
) -> Result<Vec<Speaker>, NodeError> {
    let mut speakers = Vec::new();
    for (dialect, address) in dialects {
        let error = |source| NodeError::ListenInDialect { dialect, address: address.clone(), source };
        let listener = environment.listen(&address).await.map_err(error)?;
        let url = format!("http://{}", bound_address(&listener).map_err(error)?);
        speakers.push(Speaker { dialect, listener, url });
    }
    Ok(speakers)
}

fn bound_address(listener: &impl Listener) -> std::io::Result<SocketAddr> {
    listener.local_address()?.parse().map_err(std::io::Error::other)
}
