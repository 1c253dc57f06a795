//! Processes that stand still, and do not know it afterwards.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::whom::Whom;
use super::{Nemesis, Sphere, Strike};
use crate::arguments::Target;
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::fault::FaultState;

/// How often a short pause is made in one strike.
const SHORT_PAUSES: u32 = 8;
/// Below the time after which a leader is replaced, 500 to 600 ms.
const SHORT_MILLISECONDS: RangeInclusive<u64> = 50..=450;

/// Stops processes where they are, and lets them go on.
pub struct Pause {
    whom: Whom,
    short: bool,
    paused: Vec<u8>,
}

impl Pause {
    /// One that strikes those, for less than it takes to replace a leader, or for longer.
    pub fn new(whom: Whom, short: bool) -> Self {
        Self { whom, short, paused: Vec::new() }
    }
}

#[async_trait]
impl Nemesis for Pause {
    fn name(&self) -> &'static str {
        match (self.whom, self.short) {
            (Whom::Leader, false) => "pause-leader",
            (Whom::Minority, false) => "pause-minority",
            (Whom::Majority, false) => "pause-majority",
            (Whom::All, false) => "pause-all",
            (_, true) => "pause-short",
        }
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Processes]
    }

    fn description(&self) -> &'static str {
        match (self.whom, self.short) {
            (Whom::Leader, false) => "the leader stands still (SIGSTOP) for longer than an election takes",
            (Whom::Minority, false) => "a minority stands still (SIGSTOP) for longer than an election takes",
            (Whom::Majority, false) => "a majority stands still (SIGSTOP) for longer than an election takes",
            (Whom::All, false) => "all nodes stand still (SIGSTOP) for longer than an election takes",
            (_, true) => {
                "the leader stands still (SIGSTOP) again and again, each time for less than an election takes"
            }
        }
    }

    fn suits(&self, _target: Target) -> bool {
        true
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let nodes = match self.whom.choose_running(cluster, random, "paused").await {
            Ok(nodes) => nodes,
            Err(skipped) => return Ok(skipped),
        };
        if self.short {
            for _ in 0..SHORT_PAUSES {
                stop(cluster, &nodes, &mut self.paused).await?;
                tokio::time::sleep(Duration::from_millis(random.random_range(SHORT_MILLISECONDS))).await;
                self.heal(cluster).await?;
                tokio::time::sleep(Duration::from_millis(random.random_range(SHORT_MILLISECONDS))).await;
            }
        }
        stop(cluster, &nodes, &mut self.paused).await?;
        let action = if self.short { "paused, shortly, many times" } else { "paused" };
        // The system has said that all their threads have stopped.
        Ok(Strike {
            action: format!("{} {action}", self.whom.describe(&nodes)),
            nodes,
            state: FaultState::Installed,
        })
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        if self.short {
            Duration::from_millis(*SHORT_MILLISECONDS.start())
                ..=Duration::from_millis(*SHORT_MILLISECONDS.end())
        } else {
            Duration::from_millis(800)..=Duration::from_secs(5)
        }
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        for node in std::mem::take(&mut self.paused) {
            cluster.resume(node).await?;
        }
        Ok(())
    }
}

async fn stop(cluster: &Cluster, nodes: &[u8], paused: &mut Vec<u8>) -> Result<(), HarnessError> {
    for &node in nodes {
        paused.push(node);
        cluster.pause(node).await?;
    }
    Ok(())
}
