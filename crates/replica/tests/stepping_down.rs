//! Leaders that should not lead, or cannot.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition};
use quorate_replica::{Replica, ReplicaOptions, RequestContext, Role};

mod support;

use support::troubled_environment::TroubledEnvironment;
use support::{PATIENCE, options};

type Node = Replica<TroubledEnvironment>;

/// A cluster of three in worlds of their own, and who leads it.
struct Cluster {
    nodes: Vec<(TroubledEnvironment, Node)>,
}

impl Cluster {
    async fn start(root: &Path, adjust: impl Fn(ReplicaOptions) -> ReplicaOptions) -> Self {
        let mut nodes = Vec::new();
        for options in options(root, 3) {
            let environment = TroubledEnvironment::new();
            let replica = Replica::start(environment.clone(), adjust(options)).await.expect("it starts");
            nodes.push((environment, replica));
        }
        for (environment, replica) in &nodes {
            replica.ready(environment.now() + PATIENCE).await.expect("the cluster forms");
        }
        Self { nodes }
    }

    /// The position of the node that leads, as all nodes but `but` agree.
    async fn leader(&self, but: Option<usize>) -> usize {
        let environment = TokioEnvironment::new();
        let deadline = environment.now() + PATIENCE;
        loop {
            let others = self.nodes.iter().enumerate().filter(|(position, _)| Some(*position) != but);
            let leaders: Vec<_> = others.map(|(_, (_, node))| node.status().leader).collect();
            let leads = |node: &Node| Some(node.status().node_id) == leaders[0];
            if leaders.iter().all(|leader| *leader == leaders[0])
                && let Some(position) = self.nodes.iter().position(|(_, node)| leads(node))
                && but != Some(position)
            {
                return position;
            }
            assert!(environment.now() < deadline, "the nodes do not agree about a leader");
            environment.sleep(Duration::from_millis(10)).await;
        }
    }

    async fn put(&self, position: usize) {
        let (environment, node) = &self.nodes[position];
        let command = Command::Put {
            key: Bytes::from_static(b"key"),
            value: Bytes::from_static(b"value"),
            condition: Condition::Always,
        };
        let context = RequestContext::new(environment.now() + PATIENCE, 7);
        node.write(&context, command).await.expect("is written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hears_nobody_is_replaced_and_claims_nothing() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(root.path(), |options| options).await;
    let deaf = cluster.leader(None).await;
    // The others go on hearing it.
    cluster.nodes[deaf].0.make_deaf(true);
    let leader = cluster.leader(Some(deaf)).await;
    cluster.put(leader).await;
    let status = cluster.nodes[deaf].1.status();
    assert_ne!(status.role, Role::Leader);
    assert_eq!(status.leader, None);
    cluster.nodes[deaf].0.make_deaf(false);
    assert_eq!(cluster.leader(None).await, leader);
    cluster.put(deaf).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_does_not_answer_lets_another_lead() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(root.path(), |options| options).await;
    let stalled = cluster.leader(None).await;
    cluster.nodes[stalled].0.stall_disk(true);
    // The others are a quorum.
    cluster.put(stalled).await;
    let leader = cluster.leader(Some(stalled)).await;
    cluster.put(leader).await;
    cluster.nodes[stalled].0.stall_disk(false);
    cluster.put(stalled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_avoids_leading_hands_over_to_one_that_does_not_and_leads_if_there_is_none() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let cluster = Cluster::start(root.path(), |options| {
        let avoid_leading = options.member != 2;
        ReplicaOptions { avoid_leading, ..options }
    })
    .await;
    let environment = TokioEnvironment::new();
    let deadline = environment.now() + PATIENCE;
    while cluster.leader(None).await != 1 {
        assert!(environment.now() < deadline, "the node that avoids leading goes on leading");
        environment.sleep(Duration::from_millis(10)).await;
    }
    cluster.nodes[1].1.hand_over_leadership().await;
    cluster.nodes[1].1.shutdown().await;
    let other = cluster.leader(Some(1)).await;
    cluster.put(other).await;
}
