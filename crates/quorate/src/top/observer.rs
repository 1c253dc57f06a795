//! Asking all nodes at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use quorate_client::{Client, ClientBuilder, ClientError, ClusterStatus};

use super::metrics::Counters;
use crate::error::CommandError;

/// What all nodes have said.
#[derive(Debug)]
pub struct Sample {
    /// By URL.
    pub nodes: BTreeMap<String, Answered>,
}

/// What a node has said, or why it has not.
pub type Answered = Result<NodeSample, ClientError>;

/// What one node has said.
#[derive(Debug)]
pub struct NodeSample {
    /// When it had answered.
    pub at: Instant,
    /// The cluster as it sees it.
    pub status: ClusterStatus,
    /// What it has counted.
    pub counters: Counters,
}

/// Clients of the nodes, one each.
#[derive(Debug)]
pub struct Observer {
    clients: BTreeMap<String, Client>,
    /// Nodes that the user has named; they are asked even if nobody knows them.
    named: Vec<String>,
    patience: Duration,
}

impl Observer {
    /// An observer that begins with these nodes, each of which may take this long to answer.
    pub fn new(endpoints: &[String], patience: Duration) -> Result<Self, CommandError> {
        let named: Vec<_> = endpoints.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        let mut observer = Self { clients: BTreeMap::new(), named: named.clone(), patience };
        for url in named {
            observer.know(&url).map_err(|error| CommandError::Endpoints { reason: error.to_string() })?;
        }
        Ok(observer)
    }

    fn know(&mut self, url: &str) -> Result<(), ClientError> {
        if !self.clients.contains_key(url) {
            let client = ClientBuilder::new([url]).follow_members(false).timeout(self.patience).build()?;
            self.clients.insert(url.to_owned(), client);
        }
        Ok(())
    }

    /// Asks every node. Members that are met for the first time are asked from the next time on.
    pub async fn sample(&mut self) -> Sample {
        let asked = self.clients.iter().map(async |(url, client)| (url.clone(), ask(client).await));
        let nodes: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
        let sample = Sample { nodes };
        let members = sample.member_urls();
        // One that is no member any more is of no interest, unless the user has asked for it.
        if !members.is_empty() {
            self.clients.retain(|url, _| self.named.contains(url) || members.contains(url));
        }
        for url in members {
            if let Err(error) = self.know(&url) {
                tracing::debug!(url, %error, "a member cannot be asked");
            }
        }
        sample
    }
}

impl Sample {
    /// The answers of the nodes that gave one.
    pub fn answers(&self) -> impl Iterator<Item = &NodeSample> {
        self.nodes.values().filter_map(|answered| answered.as_ref().ok())
    }

    /// Where members are reached, as the nodes say.
    fn member_urls(&self) -> Vec<String> {
        let members = self.answers().flat_map(|node| &node.status.members);
        members.filter_map(|member| member.client_url.clone()).collect()
    }
}

async fn ask(client: &Client) -> Answered {
    let (status, metrics) = futures::future::join(client.cluster(), client.metrics()).await;
    Ok(NodeSample { at: Instant::now(), status: status?, counters: Counters::parse(&metrics?) })
}
