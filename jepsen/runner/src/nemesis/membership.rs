//! Membership churn: members leave and come back, and lose their disks and are replaced.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::{Nemesis, Sphere, Strike, some_leader};
use crate::cluster::{Answer, Cluster};
use crate::error::HarnessError;
use crate::fault::FaultState;
use crate::property::Property;

/// How long a change of the members may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked for once more.
const POLL: Duration = Duration::from_millis(100);
/// How often it is looked whether a node that is to be a member has ended.
const LOOK: Duration = Duration::from_secs(1);

/// How a member is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is removed, ends by itself, and comes back as a new one under its number.
    Removed,
    /// The same with the leader.
    LeaderRemoved,
    /// It is killed and its disk is lost; it is replaced under its number.
    DiskLost,
}

impl Way {
    /// Asks for the change of members that goes with it. That may be repeated: what was done is not done again.
    async fn ask(self, cluster: &Cluster, node: u8) -> Option<Answer> {
        let member = format!("/v1/cluster/members/{node}");
        match self {
            Way::Removed | Way::LeaderRemoved => cluster.ask_any("DELETE", &member, "").await,
            Way::DiskLost => {
                let body = format!("{{\"with\":{node}}}");
                cluster.ask_any("POST", &format!("{member}/replace"), &body).await
            }
        }
    }

    /// Whether it is known after such an answer what became of the change: a member that must not be removed stays,
    /// but one that has lost its disk has to be replaced.
    fn is_settled_by(self, answer: Option<&Answer>) -> bool {
        let known_below = if self == Way::DiskLost { 300 } else { 500 };
        answer.is_some_and(|answer| answer.status < known_below)
    }
}

/// A member that is away.
struct Away {
    node: u8,
    /// Whether it is known what became of the change of members.
    is_settled: bool,
}

/// Takes members away and has them back.
pub struct MembershipChurn {
    way: Way,
    away: Option<Away>,
}

impl MembershipChurn {
    /// One that takes them away like that.
    pub fn new(way: Way) -> Self {
        Self { way, away: None }
    }
}

#[async_trait]
impl Nemesis for MembershipChurn {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Removed => "member-removed",
            Way::LeaderRemoved => "member-leader-removed",
            Way::DiskLost => "member-disk-lost",
        }
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Members]
    }

    fn description(&self) -> &'static str {
        match self.way {
            Way::Removed => "a random member is removed, and comes back with an empty disk",
            Way::LeaderRemoved => "the leader is removed, and comes back with an empty disk",
            Way::DiskLost => {
                "a random member is killed, its disk is lost, and it is replaced under its own number"
            }
        }
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        if cluster.nodes().len() < 3 {
            return Ok(Strike::skipped("a member taken away", "fewer than three nodes can do without none"));
        }
        let node = match self.way {
            Way::LeaderRemoved => some_leader(cluster, random).await,
            Way::Removed | Way::DiskLost => *cluster.nodes().choose(random).expect("a cluster has nodes"),
        };
        self.away = Some(Away { node, is_settled: false });
        let action = match self.way {
            Way::DiskLost => {
                cluster.kill(node).await?;
                cluster.wipe(node).await?;
                format!("{node} has lost its disk")
            }
            Way::Removed | Way::LeaderRemoved => format!("{node} removed"),
        };
        cluster.expect_departure(node).await;
        let answer = self.way.ask(cluster, node).await;
        let is_settled = self.way.is_settled_by(answer.as_ref());
        self.away = Some(Away { node, is_settled });
        let refused = match answer {
            Some(answer) if answer.status < 300 => None,
            Some(answer) => Some(answer.body),
            None => Some("no node answered".into()),
        };
        if let Some(why) = refused {
            // A change that is refused may have been made by a repetition of it.
            return Ok(Strike { action, nodes: vec![node], state: FaultState::Indeterminate { why } });
        }
        if self.way != Way::DiskLost {
            // It learns of it, and says so by ending.
            cluster.await_departure(node, CHANGE_LIMIT).await?;
        }
        Ok(Strike { action, nodes: vec![node], state: FaultState::Installed })
    }

    fn duration(&self) -> RangeInclusive<Duration> {
        Duration::from_millis(500)..=Duration::from_secs(3)
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        let Some(Away { node, is_settled }) = self.away.take() else { return Ok(()) };
        if !is_settled {
            self.settle(cluster, node).await?;
        }
        // One that was not removed after all has no more reason to end, nor has the one that is started now.
        cluster.expect_departure_soon(node).await;
        restore(cluster, node).await
    }
}

impl MembershipChurn {
    /// Asks for the change again until it is known what became of it: as long as it is not, it may be made at any
    /// moment, or a node with an empty disk would come that nobody has a place for.
    async fn settle(&self, cluster: &Cluster, node: u8) -> Result<(), HarnessError> {
        let deadline = Instant::now() + CHANGE_LIMIT;
        loop {
            let answer = self.way.ask(cluster, node).await;
            if self.way.is_settled_by(answer.as_ref()) {
                let is_removed = self.way != Way::DiskLost && answer.is_some_and(|it| it.status < 300);
                return if is_removed { cluster.await_departure(node, CHANGE_LIMIT).await } else { Ok(()) };
            }
            if Instant::now() > deadline {
                let said = answer.map_or("no node answered".to_owned(), |answer| answer.body);
                let property = Property::DoneInTime;
                let what = format!("no node took the change of member {node} (last said: {said})");
                return Err(HarnessError::Late { property, what, seconds: CHANGE_LIMIT.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Makes a node a member with a vote again, whatever it is now, and whenever it learns that it is none.
async fn restore(cluster: &Cluster, node: u8) -> Result<(), HarnessError> {
    let deadline = Instant::now() + CHANGE_LIMIT;
    loop {
        if cluster.process(node).await.is_none() {
            cluster.wipe(node).await?;
            cluster.start(node).await?;
        }
        match cluster.await_voters(&cluster.nodes(), LOOK).await {
            Err(HarnessError::Late { property, what, .. }) if Instant::now() > deadline => {
                return Err(HarnessError::Late { property, what, seconds: CHANGE_LIMIT.as_secs() });
            }
            Err(HarnessError::Late { .. }) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_removal_is_settled_but_a_node_without_a_disk_has_to_be_replaced() {
        let answer = |status| Answer { status, body: String::new() };
        for way in [Way::Removed, Way::LeaderRemoved, Way::DiskLost] {
            assert!(way.is_settled_by(Some(&answer(200))));
            assert!(!way.is_settled_by(None));
            assert!(!way.is_settled_by(Some(&answer(503))));
            assert_eq!(way.is_settled_by(Some(&answer(409))), way != Way::DiskLost);
        }
    }
}
