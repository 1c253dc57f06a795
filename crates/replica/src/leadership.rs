//! Who leads, as this node knows it, and waiting until somebody does, or somebody else.

use openraft::async_runtime::watch::WatchReceiver;
use quorate_consensus::{Member, NodeId};
use quorate_environment::{Environment, Moment};

use crate::raft::Raft;

/// Where a request that only the leader can run should go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This node leads.
    Here,
    /// Another node does.
    There(NodeId, Member),
}

/// The leader that this node knows of now.
pub(crate) fn known_leader<E: Environment>(raft: &Raft<E>) -> Option<Leader> {
    let metrics = raft.server_metrics();
    let metrics = metrics.borrow_watched();
    let leader = metrics.current_leader?;
    if leader == metrics.id {
        return Some(Leader::Here);
    }
    let member = metrics.membership_config.membership().get_node(&leader)?.clone();
    Some(Leader::There(leader, member))
}

/// Waits until a leader is known, or gives `None` at the deadline or when Raft has stopped.
pub(crate) async fn await_leader<E: Environment>(
    environment: &E,
    raft: &Raft<E>,
    deadline: Moment,
) -> Option<Leader> {
    let mut changes = raft.server_metrics();
    loop {
        if let Some(leader) = known_leader::<E>(raft) {
            return Some(leader);
        }
        match environment.timeout_at(deadline, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

/// Waits until this node knows that `leader` leads no longer, if only because it stands for election itself. When
/// Raft has stopped it knows nothing new: then this does not end.
pub(crate) async fn await_other_leader<E: Environment>(raft: &Raft<E>, leader: &Leader) {
    let mut changes = raft.server_metrics();
    while known_leader::<E>(raft).as_ref() == Some(leader) {
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
