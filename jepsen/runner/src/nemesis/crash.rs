//! Processes that are killed.

use async_trait::async_trait;
use rand_chacha::ChaCha8Rng;

use super::whom::Whom;
use super::{Nemesis, Sphere, Strike};
use crate::arguments::Target;
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::fault::FaultState;

/// Ends processes as a crash would, and starts them again.
pub struct Crash {
    whom: Whom,
    killed: Vec<u8>,
}

impl Crash {
    /// One that strikes those.
    pub fn new(whom: Whom) -> Self {
        Self { whom, killed: Vec::new() }
    }
}

#[async_trait]
impl Nemesis for Crash {
    fn name(&self) -> &'static str {
        match self.whom {
            Whom::Leader => "kill-leader",
            Whom::Minority => "kill-minority",
            Whom::Majority => "kill-majority",
            Whom::All => "kill-all",
        }
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Processes]
    }

    fn description(&self) -> &'static str {
        match self.whom {
            Whom::Leader => "`kill -9` of the leader",
            Whom::Minority => "`kill -9` of a minority",
            Whom::Majority => "`kill -9` of a majority",
            Whom::All => "`kill -9` of all nodes",
        }
    }

    fn suits(&self, _target: Target) -> bool {
        true
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let nodes = match self.whom.choose_running(cluster, random, "killed").await {
            Ok(nodes) => nodes,
            Err(skipped) => return Ok(skipped),
        };
        for &node in &nodes {
            self.killed.push(node);
            cluster.kill(node).await?;
        }
        let action = format!("{} killed", self.whom.describe(&nodes));
        // The system has said that they are gone.
        Ok(Strike { action, nodes, state: FaultState::Installed })
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        for node in std::mem::take(&mut self.killed) {
            cluster.start(node).await?;
        }
        Ok(())
    }
}
