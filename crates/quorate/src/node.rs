//! One running node: a replica and its HTTP server.

use std::net::SocketAddr;

use quorate_environment::{Environment, Listener, TokioEnvironment};
use quorate_http::HttpOptions;
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
            NodeError::Listen { source, .. } | NodeError::Start(StartError::Listen { source, .. }) => {
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
    replica: Replica<TokioEnvironment>,
    stop_http: CancellationToken,
    http: JoinHandle<()>,
}

impl Node {
    /// Starts a node.
    pub async fn start(configuration: NodeConfiguration) -> Result<Self, NodeError> {
        let environment = TokioEnvironment::new();
        let address = configuration.listen.clone();
        let listen_error = |source| NodeError::Listen { address: address.clone(), source };
        let listener = environment.listen(&address).await.map_err(listen_error)?;
        let bound = bound_address(&listener).map_err(listen_error)?;
        let member = configuration.member;
        let replica = Replica::start(environment, configuration.replica_options(bound)?).await?;
        let stop_http = CancellationToken::new();
        let server = quorate_http::serve(
            environment,
            listener,
            replica.clone(),
            HttpOptions::default(),
            stop_http.clone(),
        );
        let http = tokio::spawn(server);
        Ok(Self { member, url: format!("http://{bound}"), replica, stop_http, http })
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
        if let Err(error) = self.http.await {
            tracing::error!(%error, "the HTTP server did not stop cleanly");
        }
        self.replica.shutdown().await;
    }
}

fn bound_address(listener: &impl Listener) -> std::io::Result<SocketAddr> {
    listener.local_address()?.parse().map_err(std::io::Error::other)
}
