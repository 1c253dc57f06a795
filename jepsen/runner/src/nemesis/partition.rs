//! Partitions: nodes that do not hear each other.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Nemesis, Sphere, Strike, await_effect, some_leader};
use crate::arguments::Target;
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::network::rules::Rules;
use crate::network::{cuts, dropped, install, rules_obstacle};

/// Who does not hear whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A minority is apart from the majority.
    Halves,
    /// Each hears its two neighbours in a ring.
    Ring,
    /// Two sides, and one node that hears both.
    Bridge,
    /// The leader is apart from all.
    IsolatedLeader,
    /// The leader hears nobody, or is not heard.
    OneWay,
    /// A minority is apart, and is not, many times.
    Flapping,
}

/// What opens and closes a partition, and how it is told to stop.
struct Flapping {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), HarnessError>>,
}

/// A partition of one form.
pub struct Partition {
    form: Form,
    flapping: Option<Flapping>,
}

impl Partition {
    /// One of that form.
    pub fn new(form: Form) -> Self {
        Self { form, flapping: None }
    }
}

#[async_trait]
impl Nemesis for Partition {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Halves => "partition-halves",
            Form::Ring => "partition-ring",
            Form::Bridge => "partition-bridge",
            Form::IsolatedLeader => "partition-leader",
            Form::OneWay => "partition-one-way",
            Form::Flapping => "partition-flapping",
        }
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Network]
    }

    fn description(&self) -> &'static str {
        match self.form {
            Form::Halves => "a minority does not hear the majority, nor that it",
            Form::Ring => "each node hears only its two neighbours in a ring",
            Form::Bridge => "two sides that hear each other only by way of one node",
            Form::IsolatedLeader => "the leader is cut off from all other nodes, but not from clients",
            Form::OneWay => "the leader hears no other node, or is heard by none",
            Form::Flapping => "a minority is cut off and joined again, several times a second",
        }
    }

    fn suits(&self, _target: Target) -> bool {
        true
    }

    fn obstacle(&self, isolated: bool) -> Option<String> {
        super::network_obstacle(isolated, rules_obstacle)
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_secs(2)..=Duration::from_secs(6)
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let nodes = cluster.nodes();
        let (action, struck, cut) = match self.form {
            Form::Halves | Form::Flapping => {
                let (minority, cut) = cuts::halves(&nodes, random);
                let flaps = if self.form == Form::Flapping { ", and is not, and is" } else { "" };
                (format!("{minority:?} are cut off from the rest{flaps}"), minority, cut)
            }
            Form::Ring => {
                let (ring, cut) = cuts::ring(&nodes, random);
                (format!("each hears its neighbours in the ring {ring:?}"), nodes, cut)
            }
            Form::Bridge => {
                let (bridge, cut) = cuts::bridge(&nodes, random);
                (format!("only {bridge} hears both sides"), nodes, cut)
            }
            Form::IsolatedLeader => {
                let leader = some_leader(cluster, random).await;
                (format!("leader {leader} is cut off"), vec![leader], cuts::isolated(leader, &nodes))
            }
            Form::OneWay => {
                let leader = some_leader(cluster, random).await;
                let (unheard, cut) = cuts::one_way(leader, &nodes, random);
                let action = if unheard { "is not heard" } else { "hears nobody" };
                (format!("leader {leader} {action}"), vec![leader], cut)
            }
        };
        if cut.is_empty() {
            return Ok(Strike::skipped(action, "a cluster of this size cannot be cut like that"));
        }
        let rules = Rules { cut, ..Rules::default() };
        install(&rules).await?;
        let state = await_effect("no packet was dropped", || async { Ok(dropped().await? > 0) }).await?;
        if self.form == Form::Flapping {
            let (stop, stopped) = oneshot::channel();
            let period = Duration::from_millis(random.random_range(150..700));
            self.flapping = Some(Flapping { stop, task: tokio::spawn(flap(rules, period, stopped)) });
        }
        Ok(Strike { action, nodes: struck, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        let Some(Flapping { stop, task }) = self.flapping.take() else {
            return install(&Rules::default()).await;
        };
        // One that has failed does not hear it, and says so below.
        let _ = stop.send(());
        let flapped = task.await;
        // Also if that has failed: whatever it has left is not to stay.
        install(&Rules::default()).await?;
        flapped.map_err(|error| HarnessError::Nonsense(format!("a flapping partition: {error}")))?
    }
}

/// Heals a partition and makes it again, until it is told to stop.
async fn flap(
    rules: Rules,
    period: Duration,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), HarnessError> {
    let whole = Rules::default();
    let mut is_cut = true;
    while tokio::time::timeout(period, &mut stopped).await.is_err() {
        is_cut = !is_cut;
        install(if is_cut { &rules } else { &whole }).await?;
    }
    Ok(())
}
