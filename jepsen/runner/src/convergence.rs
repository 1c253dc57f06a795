//! Whether the cluster comes back when all is healed.
//!
//! All nodes have to run, to be voters, to serve reads and writes, and to have the same state: the same revision and, at
//! the same applied entry, the same digest. States that differ at the same entry convict the store at once, without
//! waiting for more.
//!
//! A node may still end of a fault that is over, so whoever waits also starts what does not run. An end that nothing
//! explains convicts the store all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::arguments::Target;
use crate::cluster::{Cluster, NodeStatus};
use crate::error::HarnessError;
use crate::property::Property;
use crate::report::Convergence;

/// How long the cluster may take until all nodes serve, and once more until they agree.
const LIMIT: Duration = Duration::from_secs(45);
/// How long a node may take to say what it has.
const STATUS_LIMIT: Duration = Duration::from_secs(1);
/// How long the cluster is waited for until it is looked again whether all nodes run.
const LOOK: Duration = Duration::from_secs(1);
/// How often they are asked.
const POLL: Duration = Duration::from_millis(50);

/// Starts and resumes whatever does not run, without waiting.
///
/// # Errors
///
/// A node could not be started.
pub async fn bring_back(cluster: &Cluster) -> Result<(), HarnessError> {
    for node in cluster.nodes() {
        cluster.resume(node).await?;
        cluster.start(node).await?;
    }
    Ok(())
}

/// Does something else, and meanwhile brings back what ends. Gives what came of both: if a node could not be started, that
/// is no reason to lose the other.
pub async fn while_bringing_back<T>(
    cluster: &Cluster,
    work: impl Future<Output = T>,
) -> (T, Result<(), HarnessError>) {
    let mut work = std::pin::pin!(work);
    let mut brought_back = bring_back(cluster).await;
    loop {
        if let Ok(done) = tokio::time::timeout(LOOK, &mut work).await {
            return (done, brought_back);
        }
        if brought_back.is_ok() {
            brought_back = bring_back(cluster).await;
        }
    }
}

/// Waits until all nodes are voters and serve reads and writes.
///
/// # Errors
///
/// [`HarnessError::Late`] if the store has not come back.
pub async fn await_service(cluster: &Cluster) -> Result<(), HarnessError> {
    let nodes = cluster.nodes();
    await_reads(cluster).await?;
    if cluster.target() == Target::Quorate {
        cluster.await_voters(&nodes, LIMIT).await?;
    }
    cluster.await_writes(&nodes, LIMIT).await
}

/// Waits until all nodes say that they would answer a read. Somebody else starts those that have ended.
async fn await_reads(cluster: &Cluster) -> Result<(), HarnessError> {
    let deadline = Instant::now() + LIMIT;
    for node in cluster.nodes() {
        while !cluster.status(node, STATUS_LIMIT).await.is_some_and(|status| status.serves) {
            if Instant::now() > deadline {
                let (property, what) = (Property::DoneInTime, format!("node {node} did not serve"));
                return Err(HarnessError::Late { property, what, seconds: LIMIT.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Waits until all nodes have the same state. To be called when nobody writes any more; `healed` is when the last fault
/// was.
pub async fn await_agreement(cluster: &Cluster, healed: u64) -> Convergence {
    let deadline = Instant::now() + LIMIT;
    loop {
        let asked = cluster.nodes().into_iter().map(|node| cluster.status(node, STATUS_LIMIT));
        let answers = futures::future::join_all(asked).await;
        let statuses: BTreeMap<u8, NodeStatus> = cluster
            .nodes()
            .into_iter()
            .zip(answers)
            .filter_map(|(node, status)| Some((node, status?)))
            .collect();
        if let Some(why) = contradiction(&statuses) {
            return Convergence::Diverged { why };
        }
        if statuses.len() == cluster.nodes().len()
            && let Some(revision) = agreed_revision(&statuses)
        {
            return Convergence::Converged { took: cluster.clock().now().saturating_sub(healed), revision };
        }
        if Instant::now() > deadline {
            let seen: Vec<_> = statuses.iter().map(|(node, status)| format!("{node}: {status:?}")).collect();
            let why = format!("the nodes did not agree within {LIMIT:?}: {}", seen.join("; "));
            return Convergence::NotReached { why };
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Two nodes whose states differ though both have applied the same entries.
fn contradiction(statuses: &BTreeMap<u8, NodeStatus>) -> Option<String> {
    let mut at_index: BTreeMap<u64, (u8, &NodeStatus)> = BTreeMap::new();
    for (&node, status) in statuses {
        let &mut (other, first) = at_index.entry(status.applied_index).or_insert((node, status));
        if first.digest != status.digest {
            return Some(format!(
                "after entry {} node {other} has the digest {} and node {node} has {}",
                status.applied_index, first.digest, status.digest
            ));
        }
    }
    None
}

/// The revision that all have, if all have applied the same entries.
fn agreed_revision(statuses: &BTreeMap<u8, NodeStatus>) -> Option<u64> {
    let first = statuses.values().next()?;
    let same = |status: &NodeStatus| {
        status.serves && status.applied_index == first.applied_index && status.revision == first.revision
    };
    statuses.values().all(same).then_some(first.revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterPlan;
    use crate::run_clock::RunClock;

    #[tokio::test]
    async fn who_ends_while_the_cluster_is_waited_for_is_started_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = ClusterPlan {
            target: Target::Quorate,
            // It ends as often as it is started.
            program: "false".into(),
            size: 1,
            isolated: false,
            folder: folder.path().to_owned(),
            layers: Vec::new(),
        };
        let cluster = Cluster::new(plan, RunClock::start()).await.expect("it needs nothing");
        let second_end = async {
            while cluster.unexplained_ends().await.len() < 2 {
                tokio::time::sleep(POLL).await;
            }
        };
        let waiting = while_bringing_back(&cluster, second_end);
        let (_, brought_back) =
            tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it ends again");
        brought_back.expect("it was started");
    }

    fn statuses(states: &[(u64, u64, &str)]) -> BTreeMap<u8, NodeStatus> {
        let status = |&(applied_index, revision, digest): &(u64, u64, &str)| NodeStatus {
            serves: true,
            leader: Some(1),
            revision,
            applied_index,
            digest: digest.to_owned(),
        };
        (1..).zip(states.iter().map(status)).collect()
    }

    #[test]
    fn equal_states_agree() {
        let same = statuses(&[(9, 5, "a"), (9, 5, "a")]);
        assert_eq!((contradiction(&same), agreed_revision(&same)), (None, Some(5)));
    }

    #[test]
    fn a_node_that_is_behind_is_waited_for() {
        let behind = statuses(&[(9, 5, "b"), (8, 4, "a")]);
        assert_eq!((contradiction(&behind), agreed_revision(&behind)), (None, None));
    }

    #[test]
    fn different_states_after_the_same_entry_are_a_contradiction() {
        let why = contradiction(&statuses(&[(8, 5, "a"), (9, 5, "a"), (9, 5, "b")])).expect("they differ");
        assert_eq!(why, "after entry 9 node 2 has the digest a and node 3 has b");
    }
}
