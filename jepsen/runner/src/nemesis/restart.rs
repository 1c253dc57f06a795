//! Rolling restarts: what an operator does to go to another version.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Nemesis, Sphere, Strike};
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::fault::FaultState;

/// How long a node may take to end, and to serve again.
const LIMIT: Duration = Duration::from_secs(30);

/// Restarts all nodes, one after the other, each as soon as the one before serves again.
pub struct RollingRestart;

#[async_trait]
impl Nemesis for RollingRestart {
    fn name(&self) -> &'static str {
        "rolling-restart"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Processes]
    }

    fn description(&self) -> &'static str {
        "all nodes are told to stop and started again, one after the other"
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::ZERO..=Duration::ZERO
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let mut nodes = cluster.nodes();
        nodes.shuffle(random);
        let mut state = FaultState::Installed;
        for &node in &nodes {
            cluster.terminate(node, LIMIT).await?;
            cluster.start(node).await?;
            // Another fault may be there at the same time, so that it does not serve before that is healed.
            if let Err(error) = cluster.await_serving(&[node], LIMIT / 3).await {
                state = FaultState::Indeterminate { why: format!("not all were restarted: {error}") };
                break;
            }
        }
        Ok(Strike { action: format!("restarted one after the other: {nodes:?}"), nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        Ok(())
    }
}
