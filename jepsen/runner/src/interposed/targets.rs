//! Whom a fault hits.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::cluster::Cluster;

/// Whom a fault hits, by what they are to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The one that leads.
    Leader,
    /// Any one.
    One,
    /// As many as the cluster can do without.
    Minority,
    /// One more, the leader perhaps among them.
    Majority,
    /// Everybody.
    All,
}

impl Targets {
    /// One of these, and the nodes that it means now. Never empty.
    pub async fn draw(choices: &[Self], cluster: &Cluster, random: &mut ChaCha8Rng) -> Vec<u8> {
        let targets = choices[random.random_range(0..choices.len())];
        let leader = match targets {
            Targets::Leader => cluster.leader().await,
            _ => None,
        };
        let mut nodes = cluster.nodes();
        nodes.shuffle(random);
        let count = match targets {
            Targets::Leader => {
                // Nobody leads just now: then it is anybody.
                nodes.sort_by_key(|&node| Some(node) != leader);
                1
            }
            Targets::One => 1,
            Targets::Minority => (cluster.majority() - 1).max(1),
            Targets::Majority => cluster.majority(),
            Targets::All => nodes.len(),
        };
        nodes.truncate(count);
        nodes.sort_unstable();
        nodes
    }
}

/// Numbers, for people: `1, 2, 5`.
pub fn listed(nodes: &[u8]) -> String {
    nodes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}
