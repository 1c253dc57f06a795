//! The nodes of a run.
//!
//! They are numbered from 1. Each has an address of its own, the same as long as the run lasts, a folder for its data,
//! and a file that gets all that it writes to its standard output and error.

mod ends;
pub mod launch;
pub mod layer;
pub mod machines;
mod members;
mod node;
mod probe;
mod status;
mod writes;

use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::arguments::Target;
use crate::cluster::layer::Layer;
use crate::cluster::machines::Machines;
use crate::cluster::node::Node;
use crate::error::HarnessError;
use crate::history::Conviction;
use crate::property::Property;
use crate::run_clock::RunClock;

pub use probe::{Answer, ask};
pub use status::NodeStatus;

/// The port of a node for clients, on every machine.
pub const CLIENT_PORT: u16 = 7801;
/// The port of a node for its peers, on every machine.
pub const PEER_PORT: u16 = 7901;

/// How often something that has to come about is looked for.
const POLL: Duration = Duration::from_millis(20);

/// What a cluster is made of.
pub struct ClusterPlan {
    /// Which store.
    pub target: Target,
    /// Its program.
    pub program: PathBuf,
    /// How many nodes.
    pub size: u8,
    /// Whether each gets a machine of its own, or all are on loopback.
    pub isolated: bool,
    /// Where data and logs go: an empty folder.
    pub folder: PathBuf,
    /// What is put between nodes and their machines, the first first.
    pub layers: Vec<Arc<dyn Layer>>,
}

/// A cluster of real processes. What still runs is killed when it is dropped.
///
/// Everything here may be called at the same time: nemeses that strike together share it.
pub struct Cluster {
    plan: ClusterPlan,
    machines: Machines,
    clock: RunClock,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Makes the machines. No node runs yet.
    ///
    /// # Errors
    ///
    /// What the system refused.
    pub async fn new(plan: ClusterPlan, clock: RunClock) -> Result<Self, HarnessError> {
        let machines =
            if plan.isolated { Machines::with_cables(plan.size).await? } else { Machines::on_loopback() };
        let nodes = (1..=plan.size).map(|number| Node::new(number, &plan.folder, clock)).collect();
        Ok(Self { plan, machines, clock, nodes })
    }

    /// The clock of the run.
    pub fn clock(&self) -> RunClock {
        self.clock
    }

    /// Which store it is.
    pub fn target(&self) -> Target {
        self.plan.target
    }

    /// The numbers of all nodes, whether they run or not.
    pub fn nodes(&self) -> Vec<u8> {
        (1..=self.plan.size).collect()
    }

    /// How many nodes are a majority.
    pub fn majority(&self) -> usize {
        usize::from(self.plan.size) / 2 + 1
    }

    /// Where a node serves clients.
    pub fn client_address(&self, node: u8) -> SocketAddr {
        SocketAddrV4::new(self.machines.address(node), CLIENT_PORT).into()
    }

    /// Where a node listens for its peers.
    pub fn peer_address(&self, node: u8) -> SocketAddr {
        SocketAddrV4::new(self.machines.address(node), PEER_PORT).into()
    }

    /// The file that gets what a node writes to its standard output and error.
    pub fn log_file(&self, node: u8) -> &Path {
        &self.node(node).log
    }

    /// The process of a node, if it runs (be it paused).
    pub async fn process(&self, node: u8) -> Option<u32> {
        self.node(node).process().await
    }

    /// The nodes that run, paused ones too.
    pub async fn running(&self) -> Vec<u8> {
        let mut running = Vec::new();
        for node in self.nodes() {
            if self.process(node).await.is_some() {
                running.push(node);
            }
        }
        running
    }

    /// Starts a node, on the data that are there. One that runs is left alone. Does not wait until it serves.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub async fn start(&self, node: u8) -> Result<(), HarnessError> {
        let mut launch = self.launch(node, self.node(node).joins().await);
        self.node(node).start(&mut launch, &self.plan.layers, &self.machines).await
    }

    /// Ends a node at once, as a crash of its process would, and waits until it is gone. One that does not run is
    /// left alone.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub async fn kill(&self, node: u8) -> Result<(), HarnessError> {
        self.node(node).kill().await
    }

    /// Asks a node to end and waits until it has; kills it if it takes longer than `limit`.
    ///
    /// # Errors
    ///
    /// The system refused, or the node did not end by itself.
    pub async fn terminate(&self, node: u8, limit: Duration) -> Result<(), HarnessError> {
        self.node(node).terminate(limit).await
    }

    /// Waits until a node has ended by itself that is removed.
    ///
    /// # Errors
    ///
    /// It has not.
    pub async fn await_departure(&self, node: u8, limit: Duration) -> Result<(), HarnessError> {
        self.node(node).await_departure(limit).await
    }

    /// What was done to a node may make it fail and end by itself, and again when it is started, until
    /// [`Self::expect_end_soon`].
    pub async fn expect_end(&self, node: u8) {
        self.node(node).expect_end().await;
    }

    /// Nodes that have ended by themselves though nothing was done to them that explains it, and how.
    pub async fn unexplained_ends(&self) -> Vec<(u8, Conviction)> {
        let mut all = Vec::new();
        for number in self.nodes() {
            let ends = self.node(number).unexplained_ends().await;
            all.extend(ends.into_iter().map(|end| (number, end)));
        }
        all
    }

    /// Stops a node where it stands, and waits until the system says so.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub async fn pause(&self, node: u8) -> Result<(), HarnessError> {
        self.node(node).pause().await
    }

    /// Lets a node go on that was paused.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub async fn resume(&self, node: u8) -> Result<(), HarnessError> {
        self.node(node).resume().await
    }

    /// Removes the data of a node that does not run. From now on it starts as one that joins.
    ///
    /// # Errors
    ///
    /// The node runs, or the system refused.
    pub async fn wipe(&self, node: u8) -> Result<(), HarnessError> {
        self.node(node).wipe().await
    }

    /// The node that leads, by what most of those say that answer within half a second; None if there is none.
    pub async fn leader(&self) -> Option<u8> {
        status::leader(self).await
    }

    /// What a node says of itself, if it does within `limit`.
    pub async fn status(&self, node: u8, limit: Duration) -> Option<NodeStatus> {
        status::of_node(self, node, limit).await
    }

    /// Waits until all these nodes serve.
    ///
    /// # Errors
    ///
    /// One does not within `limit`, or has ended.
    pub async fn await_serving(&self, nodes: &[u8], limit: Duration) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        for &node in nodes {
            while !self.status(node, Duration::from_secs(1)).await.is_some_and(|status| status.serves) {
                if let Some(how) = self.node(node).ended().await {
                    let log = self.log_file(node).display();
                    return Err(HarnessError::Nonsense(format!(
                        "node {node} ended ({how}); its log is {log}"
                    )));
                }
                if Instant::now() > deadline {
                    return Err(HarnessError::Late {
                        property: Property::DoneInTime,
                        what: format!("node {node} did not serve"),
                        seconds: limit.as_secs(),
                    });
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    fn node(&self, number: u8) -> &Node {
        &self.nodes[usize::from(number) - 1]
    }
}
