//! Disks that take their time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::interposer_layer::{InterposerLayer, heal_disk};
use crate::cluster::Cluster;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::nemesis::whom::Whom;
use crate::nemesis::{Nemesis, Sphere, Strike};

/// Whom it hits: a slow leader, one that nobody notices, or all.
const CHOICES: [Whom; 3] = [Whom::Leader, Whom::Minority, Whom::All];
/// How long it may take until a node syncs something: one that takes part in a write does at once.
const EFFECT_LIMIT: Duration = Duration::from_secs(2);

/// Every sync takes longer, by so much that it shows or by so much that elections are near.
pub struct SlowDisk {
    layer: Arc<InterposerLayer>,
    slow: Vec<u8>,
}

impl SlowDisk {
    /// Over the interposer.
    pub fn new(layer: Arc<InterposerLayer>) -> Self {
        Self { layer, slow: Vec::new() }
    }
}

#[async_trait]
impl Nemesis for SlowDisk {
    fn name(&self) -> &'static str {
        "slow-disk"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Disks]
    }

    fn description(&self) -> &'static str {
        "makes each sync of nodes take 10 to 800 ms longer"
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.layer.clone()]
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let milliseconds: u64 = [10, 50, 200, 800][random.random_range(0..4)];
        self.slow.extend(&nodes);
        let begin = |control: &quorate_faults::control::Control| {
            control.sync_delay.store(milliseconds * 1_000, Ordering::Relaxed);
        };
        let count =
            |control: &quorate_faults::control::Control| control.delayed_syncs.load(Ordering::Relaxed);
        let state = self.layer.await_effect(&nodes, count, begin, EFFECT_LIMIT).await?;
        let action = format!("syncs take {milliseconds} ms longer at {}", whom.describe(&nodes));
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        for node in std::mem::take(&mut self.slow) {
            heal_disk(self.layer.of(node)?.control());
        }
        Ok(())
    }
}
