//! Machines that lose power.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quorate_faults::power_loss::{Loss, Lost, lose_power};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::interposer_layer::InterposerLayer;
use crate::cluster::Cluster;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::fault::FaultState;
use crate::nemesis::whom::Whom;
use crate::nemesis::{Nemesis, Sphere, Strike};

/// Whom it hits: all at once is what a store must survive that says that it has written something down.
const CHOICES: [Whom; 4] = [Whom::Leader, Whom::Minority, Whom::Majority, Whom::All];

/// For how long the disk is busy before.
const BUSY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(150);

/// Nodes are killed, and what they had not synced is gone.
pub struct PowerLoss {
    layer: Arc<InterposerLayer>,
    off: Vec<u8>,
}

impl PowerLoss {
    /// Over the interposer.
    pub fn new(layer: Arc<InterposerLayer>) -> Self {
        Self { layer, off: Vec::new() }
    }

    /// What is gone at one node, which does not run.
    async fn roll_back(&self, node: u8, loss: Loss, seed: u64) -> Result<Lost, HarnessError> {
        let interposed = self.layer.of(node)?;
        let roll_back = move || {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            lose_power(&interposed.folder, &interposed.data, loss, &mut random)
        };
        let lost = tokio::task::spawn_blocking(roll_back).await;
        let lost = lost.map_err(|error| HarnessError::Nonsense(format!("losing power: {error}")))?;
        lost.map_err(|error| HarnessError::Nonsense(format!("node {node} cannot lose power: {error}")))
    }
}

#[async_trait]
impl Nemesis for PowerLoss {
    fn name(&self) -> &'static str {
        "power-loss"
    }

    fn spheres(&self) -> &'static [Sphere] {
        // What is taken back has to be written, for which a full disk may have no room.
        &[Sphere::Processes, Sphere::Room]
    }

    fn description(&self) -> &'static str {
        "kills nodes and takes from their disks what they had not synced, all of it or some sectors"
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.layer.clone()]
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_millis(300)..=Duration::from_secs(3)
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let loss = if random.random() { Loss::Everything } else { Loss::Some };
        self.off.extend(&nodes);
        // The disk is busy, so that something is under way when the lights go out.
        let busy = random.random_range(BUSY);
        let interposed = nodes.iter().map(|&node| self.layer.of(node)).collect::<Result<Vec<_>, _>>()?;
        let busy_us = 2 * busy.as_micros() as u64;
        // It may be slow already, and is to be so afterwards.
        let delays: Vec<u64> = interposed
            .iter()
            .map(|node| node.control().sync_delay.fetch_max(busy_us, Ordering::Relaxed))
            .collect();
        tokio::time::sleep(busy).await;
        let kills = nodes.iter().map(|&node| cluster.kill(node));
        let killed = futures::future::try_join_all(kills).await;
        for (node, delay) in interposed.iter().zip(delays) {
            node.control().sync_delay.store(delay, Ordering::Relaxed);
        }
        killed?;
        let mut lost = Lost::default();
        let mut unseen = Vec::new();
        for &node in &nodes {
            if !self.layer.of(node)?.is_seen() {
                unseen.push(node);
            }
            let here = self.roll_back(node, loss, random.random()).await?;
            lost.sectors_unsynced += here.sectors_unsynced;
            lost.sectors += here.sectors;
            lost.names_unsynced += here.names_unsynced;
            lost.names += here.names;
        }
        let state = if unseen.is_empty() {
            FaultState::Installed
        } else {
            let why = format!("the interposer has seen nothing of {unseen:?}");
            FaultState::Indeterminate { why }
        };
        let action = format!(
            "power is lost at {}: of what was not synced, {} of {} sectors and {} of {} names are gone",
            whom.describe(&nodes),
            lost.sectors,
            lost.sectors_unsynced,
            lost.names,
            lost.names_unsynced
        );
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        for node in std::mem::take(&mut self.off) {
            cluster.start(node).await?;
        }
        Ok(())
    }
}
