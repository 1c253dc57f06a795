//! Whom something is done to.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Strike, some_leader};
use crate::cluster::Cluster;

/// A choice of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The leader.
    Leader,
    /// Some that the cluster can do without.
    Minority,
    /// So many that it cannot.
    Majority,
    /// All.
    All,
}

impl Whom {
    /// The nodes, in the order in which it is done to them.
    pub async fn choose(self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Vec<u8> {
        let mut nodes = cluster.nodes();
        nodes.shuffle(random);
        let (count, majority) = (nodes.len(), cluster.majority());
        match self {
            Whom::Leader => return vec![some_leader(cluster, random).await],
            Whom::Minority => nodes.truncate(random.random_range(1..=(count - majority).max(1))),
            Whom::Majority => nodes.truncate(random.random_range(majority..=(count - 1).max(majority))),
            Whom::All => {}
        }
        nodes
    }

    /// The same, if the process of one of them runs. Else there is nothing to which `what` could be done, and a strike
    /// that says so.
    pub async fn choose_running(
        self,
        cluster: &Cluster,
        random: &mut ChaCha8Rng,
        what: &str,
    ) -> Result<Vec<u8>, Strike> {
        let nodes = self.choose(cluster, random).await;
        let running = cluster.running().await;
        if nodes.iter().any(|node| running.contains(node)) {
            Ok(nodes)
        } else {
            Err(Strike::skipped(format!("{} {what}", self.describe(&nodes)), "none of them runs"))
        }
    }

    /// Them, in an action: `leader 3`, `minority [1, 4]`.
    pub fn describe(self, nodes: &[u8]) -> String {
        match self {
            Whom::Leader => format!("leader {}", nodes[0]),
            Whom::Minority => format!("minority {nodes:?}"),
            Whom::Majority => format!("majority {nodes:?}"),
            Whom::All => format!("all of {nodes:?}"),
        }
    }
}
