//! The end of a node that has been removed.

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::{GroupId, NodeId, StoredMembership, Wanted};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Fact};
use tokio_util::sync::CancellationToken;

use super::requests::known_membership;
use crate::replica::Replica;

/// Looks on as the committed membership changes: others come, move and go, and this node may be removed.
pub(crate) async fn watch_membership<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    let me = inner.directory.node_id();
    let mut metrics = inner.raft.server_metrics();
    let mut seen = None;
    // A node that catches up passes through memberships from before its time.
    let mut was_member = false;
    loop {
        let stored = known_membership::<E>(&metrics.borrow_watched());
        if seen != Some(*stored.log_id()) {
            seen = Some(*stored.log_id());
            inner.gate.note_membership(&stored);
            tell(&inner.environment, inner.group, &stored);
            let own = stored.membership().get_node(&me);
            let voters = stored.membership().get_joint_config();
            let votes = voters.iter().any(|voters| voters.contains(&me));
            let is_removed = match own {
                None => was_member,
                Some(own) => own.wanted == Wanted::Removed && !votes,
            };
            was_member |= own.is_some();
            if is_removed {
                replica.depart().await;
            }
        }
        match E::Runtime::select2(shutdown.cancelled(), metrics.changed()).await {
            Select2::First(()) | Select2::Second(Err(_)) => return,
            Select2::Second(Ok(())) => {}
        }
    }
}

/// Lets the world witness a membership that this node goes by.
fn tell<E: Environment>(environment: &E, group: GroupId, stored: &StoredMembership) {
    let Some(log_id) = stored.log_id() else { return };
    let name = |node: &NodeId| (node.member, node.incarnation);
    let membership = stored.membership();
    let voters: Vec<Vec<_>> =
        membership.get_joint_config().iter().map(|voters| voters.iter().map(name).collect()).collect();
    let nodes: Vec<_> = membership.nodes().map(|(node, _)| name(node)).collect();
    environment.witness(|| {
        Some(Fact::Members {
            group: group.0,
            term: log_id.committed_leader_id().term,
            index: log_id.index(),
            voters: &voters,
            nodes: &nodes,
        })
    });
}

impl<E: Environment> Replica<E> {
    /// Resolves when this node has been removed from the cluster and has stopped taking part in it. Whoever
    /// runs the node should then end it; its directory does not start again.
    pub async fn removed(&self) {
        self.inner().departed.cancelled().await;
    }

    /// Whether this node finds itself in the committed membership: if it is in none that is newer, it has been
    /// removed.
    pub(crate) fn was_member(&self) -> bool {
        let inner = self.inner();
        let metrics = inner.raft.server_metrics();
        let membership = known_membership::<E>(&metrics.borrow_watched());
        membership.membership().get_node(&inner.directory.node_id()).is_some()
    }

    /// Notes for ever that this node has been removed, and takes it out of Raft.
    pub(crate) async fn depart(&self) {
        let inner = self.inner();
        if inner.departed.is_cancelled() || mutant::active(Mutant::RemovedNodeKeepsVoting) {
            return;
        }
        if let Err(error) = inner.directory.mark_removed() {
            inner.breakdown.report(&format!("this node was removed, and cannot note it: {error}"));
            return;
        }
        tracing::warn!(node = %inner.directory.node_id(), "this node has been removed from the cluster and stops");
        inner.departed.cancel();
        if let Err(error) = inner.raft.shutdown().await {
            tracing::error!(%error, "raft did not stop cleanly");
        }
        inner.peers.close();
    }
}
