//! What nodes say of themselves, ours or etcd's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Cluster, ask};
use crate::arguments::Target;

/// How long a node may take to say who leads.
const LEADER_LIMIT: Duration = Duration::from_millis(500);

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Whether it answers linearizable requests.
    pub serves: bool,
    /// Who leads, if it knows.
    pub leader: Option<u8>,
    /// The newest revision.
    pub revision: u64,
    /// The last entry that it has applied.
    pub applied_index: u64,
    /// What its whole state amounts to: the same on all nodes at the same applied index. Empty for other stores.
    pub digest: String,
}

/// Asks a node.
pub async fn of_node(cluster: &Cluster, node: u8, limit: Duration) -> Option<NodeStatus> {
    let address = cluster.client_address(node);
    match cluster.target() {
        Target::Quorate => {
            let answer = ask(address, "GET", "/v1/cluster", "", limit).await?;
            let status: Value = serde_json::from_str(&answer.body).ok()?;
            let serves = ask(address, "GET", "/readyz", "", limit).await.is_some_and(|it| it.status == 200);
            Some(NodeStatus {
                serves,
                leader: number(&status["leader"]["member"]).and_then(|leader| u8::try_from(leader).ok()),
                revision: number(&status["revision"])?,
                applied_index: number(&status["applied_index"])?,
                digest: status["digest"].as_str()?.to_owned(),
            })
        }
        Target::Etcd => {
            let answer = ask(address, "POST", "/v3/maintenance/status", "{}", limit).await?;
            let status: Value = serde_json::from_str(&answer.body).ok()?;
            let serves = ask(address, "GET", "/health", "", limit).await;
            let leads = status["leader"].is_string() && status["leader"] == status["header"]["member_id"];
            Some(NodeStatus {
                serves: serves.is_some_and(|it| it.status == 200 && it.body.contains("true")),
                // It knows the others by numbers that are drawn at random.
                leader: leads.then_some(node),
                revision: number(&status["header"]["revision"])?,
                applied_index: number(&status["raftAppliedIndex"])?,
                digest: String::new(),
            })
        }
    }
}

/// The node that most of those name that answer, and that answers itself.
pub async fn leader(cluster: &Cluster) -> Option<u8> {
    let asked = cluster.nodes().into_iter().map(|node| of_node(cluster, node, LEADER_LIMIT));
    let answers = futures::future::join_all(asked).await;
    let mut votes: BTreeMap<u8, usize> = BTreeMap::new();
    for named in answers.iter().flatten().filter_map(|status| status.leader) {
        *votes.entry(named).or_default() += 1;
    }
    let (leader, _) = votes.into_iter().max_by_key(|&(_, count)| count)?;
    answers.get(usize::from(leader).wrapping_sub(1))?.as_ref().map(|_| leader)
}

/// Numbers of 64 bits are strings.
fn number(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}
