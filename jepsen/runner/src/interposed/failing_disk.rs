//! Disks that refuse.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quorate_faults::control::Control;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustix::io::Errno;

use super::interposer_layer::{InterposerLayer, heal_disk, restart_ended};
use crate::cluster::Cluster;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::nemesis::whom::Whom;
use crate::nemesis::{Nemesis, Sphere, Strike};

const CHOICES: [Whom; 3] = [Whom::Leader, Whom::Minority, Whom::Majority];
/// How long it may take until a node writes something.
const EFFECT_LIMIT: Duration = Duration::from_secs(2);

/// What a disk refuses.
#[derive(Clone, Copy)]
enum Refusal {
    /// It cannot make durable what it has taken. Later syncs of the same bytes do not help: as on Linux they say that
    /// all is well and have done nothing.
    Sync,
    /// It takes nothing.
    Write,
    /// It has no room, though it says that it has.
    Room,
}

impl Refusal {
    fn words(self) -> &'static str {
        match self {
            Refusal::Sync => "syncs fail (EIO)",
            Refusal::Write => "writes fail (EIO)",
            Refusal::Room => "writes fail (ENOSPC)",
        }
    }

    fn begin(self, control: &Control) {
        let (place, error) = match self {
            Refusal::Sync => (&control.sync_error, Errno::IO),
            Refusal::Write => (&control.write_error, Errno::IO),
            Refusal::Room => (&control.write_error, Errno::NOSPC),
        };
        place.store(error.raw_os_error().unsigned_abs().into(), Ordering::Relaxed);
    }
}

/// Writes or syncs fail. A node must stop rather than go on with a disk that it cannot trust; when the disk is well
/// again, the node is started again.
pub struct FailingDisk {
    layer: Arc<InterposerLayer>,
    failing: Vec<u8>,
}

impl FailingDisk {
    /// Over the interposer.
    pub fn new(layer: Arc<InterposerLayer>) -> Self {
        Self { layer, failing: Vec::new() }
    }
}

#[async_trait]
impl Nemesis for FailingDisk {
    fn name(&self) -> &'static str {
        "failing-disk"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Disks]
    }

    fn description(&self) -> &'static str {
        "makes writes or syncs of nodes fail; a node that has stopped is started again afterwards"
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.layer.clone()]
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let refusal = [Refusal::Sync, Refusal::Write, Refusal::Room][random.random_range(0..3)];
        self.failing.extend(&nodes);
        for &node in &nodes {
            cluster.expect_end(node).await;
        }
        let failed = |control: &Control| {
            control.failed_syncs.load(Ordering::Relaxed) + control.failed_writes.load(Ordering::Relaxed)
        };
        let begin = |control: &Control| refusal.begin(control);
        let state = self.layer.await_effect(&nodes, failed, begin, EFFECT_LIMIT).await?;
        let action = format!("{} at {}", refusal.words(), whom.describe(&nodes));
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        let failing = std::mem::take(&mut self.failing);
        for &node in &failing {
            heal_disk(self.layer.of(node)?.control());
        }
        restart_ended(cluster, &failing).await
    }
}
