//! A cluster that has lost its majority: a new one is made out of a survivor.

use std::collections::{BTreeMap, BTreeSet};

use openraft::EntryPayload;
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use quorate_consensus::{ClusterId, Entry, Member, Membership, NodeId, Vote};
use quorate_storage::{RecoverError, inspect, recover};

use super::support::{Node, Running, counting, log_id};

const CLUSTER: ClusterId = ClusterId([7; 16]);

/// A voter of three, with entries in its log of which the last is not committed.
async fn survivor(node: &Node) -> NodeId {
    let running = node.open();
    running.directory.bind_cluster(CLUSTER).expect("a new directory");
    let me = running.directory.node_id();
    let nodes: BTreeMap<_, _> = [me, NodeId::new(2, 2), NodeId::new(3, 3)]
        .map(|node| (node, Member::new(format!("node{}:1", node.member), "")))
        .into();
    let voters: BTreeSet<_> = nodes.keys().copied().collect();
    let membership = Membership::new(vec![voters], nodes).expect("every voter is a node");
    let change = Entry { log_id: log_id(1, 0), payload: EntryPayload::Membership(membership) };
    let applied = [change, counting(1, 1), counting(1, 2)];
    running.append(applied.clone()).await;
    running.append([counting(2, 3)]).await;
    running.apply(applied).await;
    let mut log = running.storage.log_store();
    log.save_vote(&Vote::new(5, NodeId::new(2, 2))).await.expect("the vote is saved");
    log.save_committed(Some(log_id(1, 2))).await.expect("it is noted");
    running.close().await;
    me
}

#[tokio::test]
async fn a_survivor_becomes_the_only_member_of_a_new_cluster() {
    let node = Node::new();
    let me = survivor(&node).await;
    let before = inspect(node.environment.clone(), &node.path(), &node.options).await.expect("readable");
    assert_eq!((before.cluster_id, before.node_id), (Some(CLUSTER), me));
    assert_eq!((before.last, before.committed_index, before.term), (Some((2, 3)), 2, 5));
    assert_eq!(before.members.len(), 3);
    assert!(before.members.iter().all(|(_, votes)| *votes));

    let recovered = recover(node.environment.clone(), &node.path(), &node.options).await.expect("done");
    assert_eq!(recovered.before, before);
    assert_ne!(recovered.cluster_id, CLUSTER);
    let after = inspect(node.environment.clone(), &node.path(), &node.options).await.expect("readable");
    assert_eq!(after.cluster_id, Some(recovered.cluster_id));
    assert_eq!((after.last, after.term, after.members), (Some((6, 4)), 6, vec![(me, true)]));
    let running: Running = node.open();
    assert_eq!(
        running.entries(3..4).await.expect("readable"),
        [counting(2, 3)],
        "what was not committed is kept"
    );
    assert_eq!(running.value("last").as_deref(), Some(&b"2"[..]));
    running.close().await;
}

#[tokio::test]
async fn old_snapshots_do_not_reach_the_new_cluster() {
    use openraft::RaftSnapshotBuilder;
    let node = Node::new();
    survivor(&node).await;
    let running = node.open();
    let mut state = running.storage.state_store();
    state.get_snapshot_builder().await.build_snapshot().await.expect("a snapshot");
    assert!(running.storage.newest_snapshot().is_some());
    drop(state);
    running.close().await;
    recover(node.environment.clone(), &node.path(), &node.options).await.expect("done");
    let running = node.open();
    assert!(running.storage.newest_snapshot().is_none());
    running.close().await;
}

#[tokio::test]
async fn what_never_was_a_member_cannot_be_recovered() {
    let node = Node::new();
    node.open().close().await;
    let refused = recover(node.environment.clone(), &node.path(), &node.options).await;
    assert!(matches!(refused, Err(RecoverError::NotAMember { .. })), "{refused:?}");
    node.try_open_directory().expect("a directory").mark_removed().expect("writable");
    let refused = recover(node.environment.clone(), &node.path(), &node.options).await;
    assert!(matches!(refused, Err(RecoverError::Open(_))), "{refused:?}");
}
