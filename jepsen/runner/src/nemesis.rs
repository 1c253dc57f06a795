//! Who does harm.
//!
//! A nemesis strikes and heals. When it does, and together with whom, is decided by the frame of a run, from the seed.
//! It says of each strike whether its effect was seen; what it cannot do on this system, it refuses before the run.

pub mod catalogue;
pub mod crash;
pub mod disturbance;
pub mod membership;
pub mod partition;
pub mod pause;
pub mod restart;
pub mod transfer;
pub mod whom;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use crate::arguments::Target;
use crate::cluster::Cluster;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::fault::FaultState;

/// What a nemesis lays its hands on. Two that have one in common never strike together: neither could tell what it
/// found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sphere {
    /// Whether nodes run: kill, pause, restart, power loss. That a node ends of another fault is not meant.
    Processes,
    /// What arrives between nodes.
    Network,
    /// What disks do with what they are told.
    Disks,
    /// What disks have room for.
    Room,
    /// What nodes take for the time.
    Clocks,
    /// Who is a member. Strikes alone: a change needs a majority that is there.
    Members,
}

/// What a strike has done. The frame adds when.
#[derive(Clone, Debug)]
pub struct Strike {
    /// What was done, for people: `leader 3 is cut off`.
    pub action: String,
    /// The nodes that it was done to.
    pub nodes: Vec<u8>,
    /// How it went.
    pub state: FaultState,
}

/// One kind of harm.
#[async_trait]
pub trait Nemesis: Send {
    /// What it is called on the command line and in reports.
    fn name(&self) -> &'static str;

    /// What it lays its hands on.
    fn spheres(&self) -> &'static [Sphere];

    /// One line for people.
    fn description(&self) -> &'static str;

    /// Whether it can strike that store.
    fn suits(&self, target: Target) -> bool {
        target == Target::Quorate
    }

    /// Why it cannot strike on this system, if so. Asked before the cluster is made. What stands in the way of its
    /// layers stands in its own.
    fn obstacle(&self, _isolated: bool) -> Option<String> {
        self.layers().iter().find_map(|layer| layer.obstacle())
    }

    /// What it needs between nodes and their machines. Asked before the cluster is made, and put there only if this
    /// nemesis was chosen.
    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        Vec::new()
    }

    /// How long its faults may last before they are healed.
    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_secs(1)..=Duration::from_secs(5)
    }

    /// Does harm. Returns as soon as the harm is there.
    ///
    /// # Errors
    ///
    /// The harness failed, which fails the run. That the harm could not be done is none: the strike says so.
    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError>;

    /// Takes back what it has done since it was last healed; nothing to do is fine. The cluster need not have
    /// recovered when it returns.
    ///
    /// # Errors
    ///
    /// The harness failed.
    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError>;
}

/// How long the effect of a strike may take to be seen.
const EFFECT_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked for.
const EFFECT_POLL: Duration = Duration::from_millis(20);

impl Strike {
    /// One that was not tried.
    pub fn skipped(action: impl Into<String>, why: impl Into<String>) -> Self {
        Self { action: action.into(), nodes: Vec::new(), state: FaultState::Skipped { why: why.into() } }
    }
}

/// Waits until the effect of a strike is seen; if it never is, nobody can tell, and `otherwise` says what was missed.
///
/// # Errors
///
/// What `seen` says.
pub async fn await_effect<F>(otherwise: &str, seen: impl Fn() -> F) -> Result<FaultState, HarnessError>
where
    F: Future<Output = Result<bool, HarnessError>>,
{
    let deadline = Instant::now() + EFFECT_LIMIT;
    while !seen().await? {
        if Instant::now() > deadline {
            return Ok(FaultState::Indeterminate { why: format!("{otherwise} within {EFFECT_LIMIT:?}") });
        }
        tokio::time::sleep(EFFECT_POLL).await;
    }
    Ok(FaultState::Installed)
}

/// The leader; a random node, as long as there is none.
pub async fn some_leader(cluster: &Cluster, random: &mut ChaCha8Rng) -> u8 {
    let any = *cluster.nodes().choose(random).expect("a cluster has nodes");
    cluster.leader().await.unwrap_or(any)
}

/// Why a fault of the network cannot be there, if so: it needs cables, and what else `missing` says.
pub fn network_obstacle(isolated: bool, missing: impl FnOnce() -> Option<String>) -> Option<String> {
    if isolated { missing() } else { Some("all nodes are on one machine".into()) }
}
