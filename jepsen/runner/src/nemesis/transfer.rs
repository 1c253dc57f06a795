//! Storms of transfers: leadership is handed on as fast as it goes.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::{Nemesis, Sphere, Strike};
use crate::cluster::{Cluster, ask};
use crate::error::HarnessError;
use crate::fault::FaultState;

/// How long one transfer may take.
const TRANSFER_LIMIT: Duration = Duration::from_secs(2);

/// Hands leadership to one random node after the other.
pub struct TransferStorm;

#[async_trait]
impl Nemesis for TransferStorm {
    fn name(&self) -> &'static str {
        "transfer-storm"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Members]
    }

    fn description(&self) -> &'static str {
        "leadership is handed to random nodes, as fast as it goes"
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::ZERO..=Duration::ZERO
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let nodes = cluster.nodes();
        let end = Instant::now() + Duration::from_millis(random.random_range(2_000..=4_000));
        let (mut asked, mut done) = (0, 0);
        while Instant::now() < end {
            let to = nodes.choose(random).expect("a cluster has nodes");
            let by = nodes.choose(random).expect("a cluster has nodes");
            asked += 1;
            let body = format!("{{\"to\":\"{to}\"}}");
            let answer =
                ask(cluster.client_address(*by), "POST", "/v1/cluster/leader", &body, TRANSFER_LIMIT).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                done += 1;
            }
        }
        let action = format!("leadership handed on {done} times of {asked} asked");
        let state = match done {
            0 => FaultState::Indeterminate { why: "no transfer was done".into() },
            _ => FaultState::Installed,
        };
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, _cluster: &Cluster) -> Result<(), HarnessError> {
        Ok(())
    }
}
