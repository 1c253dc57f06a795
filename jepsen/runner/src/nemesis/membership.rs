//! Membership churn: members leave and come back, and lose their disks and are replaced.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::{Nemesis, Sphere, Strike, some_leader};
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::fault::FaultState;

/// How long a change of the members may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

/// How a member is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is removed, ends by itself, and comes back as a new one under its number.
    Removed,
    /// The same with the leader.
    LeaderRemoved,
    /// It is killed and its disk is lost; it is replaced under its number.
    DiskLost,
}

/// Takes members away and has them back.
pub struct MembershipChurn {
    way: Way,
    away: Option<u8>,
}

impl MembershipChurn {
    /// One that takes them away like that.
    pub fn new(way: Way) -> Self {
        Self { way, away: None }
    }
}

#[async_trait]
impl Nemesis for MembershipChurn {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Removed => "member-removed",
            Way::LeaderRemoved => "member-leader-removed",
            Way::DiskLost => "member-disk-lost",
        }
    }

    fn sphere(&self) -> Sphere {
        Sphere::Members
    }

    fn description(&self) -> &'static str {
        match self.way {
            Way::Removed => "a random member is removed, and comes back with an empty disk",
            Way::LeaderRemoved => "the leader is removed, and comes back with an empty disk",
            Way::DiskLost => {
                "a random member is killed, its disk is lost, and it is replaced under its own number"
            }
        }
    }

    fn obstacle(&self, _isolated: bool) -> Option<String> {
        None
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        if cluster.nodes().len() < 3 {
            return Ok(Strike::skipped("a member taken away", "fewer than three nodes can do without none"));
        }
        let node = match self.way {
            Way::LeaderRemoved => some_leader(cluster, random).await,
            Way::Removed | Way::DiskLost => *cluster.nodes().choose(random).expect("a cluster has nodes"),
        };
        self.away = Some(node);
        let (action, method, path, body) = match self.way {
            Way::DiskLost => {
                cluster.kill(node).await?;
                cluster.wipe(node).await?;
                let path = format!("/v1/cluster/members/{node}/replace");
                (format!("{node} has lost its disk"), "POST", path, format!("{{\"with\":{node}}}"))
            }
            Way::Removed | Way::LeaderRemoved => {
                (format!("{node} removed"), "DELETE", format!("/v1/cluster/members/{node}"), String::new())
            }
        };
        cluster.expect_end(node).await;
        let answer = cluster.ask_any(method, &path, &body).await;
        let refused = match answer {
            Some(answer) if answer.status < 300 => None,
            Some(answer) => Some(answer.body),
            None => Some("no node answered".into()),
        };
        if let Some(why) = refused {
            // A change that is refused may have been made by a repetition of it.
            return Ok(Strike { action, nodes: vec![node], state: FaultState::Indeterminate { why } });
        }
        if self.way != Way::DiskLost {
            // It learns of it, and says so by ending.
            cluster.await_end(node, CHANGE_LIMIT).await?;
        }
        Ok(Strike { action, nodes: vec![node], state: FaultState::Installed })
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_millis(500)..=Duration::from_secs(3)
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        let Some(node) = self.away.take() else { return Ok(()) };
        restore(cluster, node).await
    }
}

/// Makes a node a member with a vote again, whatever it is now.
async fn restore(cluster: &Cluster, node: u8) -> Result<(), HarnessError> {
    if cluster.process(node).await.is_none() {
        cluster.wipe(node).await?;
        cluster.start(node).await?;
    }
    cluster.await_voters(&cluster.nodes(), CHANGE_LIMIT).await
}
