//! Networks that work badly: loss, too little of it, and a relay that delays, reorders and repeats.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::{Nemesis, Sphere, Strike, await_effect};
use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::network::conditions::Conditions;
use crate::network::relay::Relay;
use crate::network::rules::Rules;
use crate::network::{dropped, held_back, install, narrow, queues_obstacle, rules_obstacle, widen};

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets get lost.
    Loss,
    /// There is little bandwidth.
    Bandwidth,
    /// All packets come late.
    Delay,
    /// Packets overtake each other.
    Reordering,
    /// Packets come twice.
    Duplication,
}

/// A network that works badly in one way.
pub struct Disturbance {
    kind: Kind,
    relay: Option<Relay>,
    narrowed: BTreeSet<u8>,
}

impl Disturbance {
    /// One of that kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, relay: None, narrowed: BTreeSet::new() }
    }

    async fn relay(
        &mut self,
        conditions: Conditions,
        random: &mut ChaCha8Rng,
    ) -> Result<&Relay, HarnessError> {
        let relay = Relay::start(conditions, random.next_u64()).await?;
        install(&Rules { relayed: true, ..Rules::default() }).await?;
        Ok(self.relay.insert(relay))
    }
}

#[async_trait]
impl Nemesis for Disturbance {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Loss => "network-loss",
            Kind::Bandwidth => "network-bandwidth",
            Kind::Delay => "network-delay",
            Kind::Reordering => "network-reordering",
            Kind::Duplication => "network-duplication",
        }
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Network]
    }

    fn description(&self) -> &'static str {
        match self.kind {
            Kind::Loss => "5 to 30 percent of the packets between nodes get lost",
            Kind::Bandwidth => "each node can be sent 80 to 600 kbit/s",
            Kind::Delay => "packets between nodes come 20 to 200 ms late",
            Kind::Reordering => "up to a third of the packets between nodes are overtaken",
            Kind::Duplication => "up to a half of the packets between nodes come twice",
        }
    }

    fn obstacle(&self, isolated: bool) -> Option<String> {
        super::network_obstacle(isolated, || match self.kind {
            Kind::Bandwidth => queues_obstacle(),
            Kind::Loss => rules_obstacle(),
            Kind::Delay | Kind::Reordering | Kind::Duplication => rules_obstacle().or_else(Relay::obstacle),
        })
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_secs(3)..=Duration::from_secs(8)
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let nodes = cluster.nodes();
        let (action, state) = match self.kind {
            Kind::Loss => {
                let lost_per_mille = random.random_range(50..=300);
                install(&Rules { lost_per_mille, ..Rules::default() }).await?;
                let state = await_effect("no packet was lost", || async { Ok(dropped().await? > 0) }).await?;
                (format!("{} % of the packets get lost", f64::from(lost_per_mille) / 10.0), state)
            }
            Kind::Bandwidth => {
                let kilobits = random.random_range(80..=600);
                self.narrowed = nodes.iter().copied().collect();
                narrow(&self.narrowed, kilobits).await?;
                let narrowed = self.narrowed.clone();
                let state =
                    await_effect("no packet had to wait", || async { Ok(held_back(&narrowed).await? > 0) })
                        .await?;
                (format!("each node can be sent {kilobits} kbit/s"), state)
            }
            Kind::Delay => {
                let delay = Duration::from_millis(random.random_range(20..=200));
                let conditions = Conditions { delay, ..Conditions::default() };
                let counts = self.relay(conditions, random).await?.counts();
                let passed = || async { Ok(counts.passed.load(Ordering::Relaxed) > 0) };
                (format!("packets come {delay:?} late"), await_effect("no packet was delayed", passed).await?)
            }
            Kind::Reordering => {
                let detours_per_mille = random.random_range(50..=333);
                let detour = Duration::from_millis(random.random_range(2..=60));
                let conditions = Conditions { detours_per_mille, detour, ..Conditions::default() };
                let counts = self.relay(conditions, random).await?.counts();
                let seen = || async { Ok(counts.overtaking.load(Ordering::Relaxed) > 0) };
                let state = await_effect("no packet was overtaken", seen).await?;
                let share = f64::from(detours_per_mille) / 10.0;
                (format!("{share} % of the packets are held back for {detour:?}"), state)
            }
            Kind::Duplication => {
                let repeated_per_mille = random.random_range(100..=500);
                let jitter = Duration::from_millis(random.random_range(0..=5));
                let conditions = Conditions { repeated_per_mille, jitter, ..Conditions::default() };
                let counts = self.relay(conditions, random).await?.counts();
                let seen = || async { Ok(counts.repeated.load(Ordering::Relaxed) > 0) };
                let state = await_effect("no packet was repeated", seen).await?;
                (format!("{} % of the packets come twice", f64::from(repeated_per_mille) / 10.0), state)
            }
        };
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        widen(&std::mem::take(&mut self.narrowed)).await?;
        install(&Rules::default()).await?;
        match self.relay.take() {
            Some(relay) => relay.stop().await,
            None => Ok(()),
        }
    }
}
