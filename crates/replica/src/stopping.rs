//! How a replica leaves: leadership first, then what others have passed on to it, then itself.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::Instant;
use quorate_consensus::NodeId;
use quorate_environment::Environment;

use crate::replica::Replica;

/// How long a replica that stops lets the writes go on that other nodes have passed on to it.
const FORWARDED_GRACE: Duration = Duration::from_secs(3);

/// A voter, as the leader sees it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    node: NodeId,
    /// How long ago the leader sent what the voter has answered last.
    silent_for: Option<Duration>,
    /// The last index known to be on its disk.
    matched: Option<u64>,
}

/// Who should lead next: of those who have answered within `silence_max`, the one with the most complete
/// log. A node that is gone would only keep everybody waiting.
fn successor(candidates: impl Iterator<Item = Candidate>, silence_max: Duration) -> Option<NodeId> {
    candidates
        .filter(|candidate| candidate.silent_for.is_some_and(|silence| silence <= silence_max))
        .max_by_key(|candidate| candidate.matched)
        .map(|candidate| candidate.node)
}

impl<E: Environment> Replica<E> {
    /// The first step of stopping: hands leadership to the voter that is closest to this node, if this node
    /// leads and another voter answers. Returns when another node leads, or when it has taken too long.
    ///
    /// From now on, writes that other nodes pass on to this one are sent back to them as soon as it does
    /// not lead any more.
    pub async fn hand_over_leadership(&self) {
        let inner = self.inner();
        inner.leaving.cancel();
        let Some(successor) = self.successor() else { return };
        tracing::info!(to = %successor, "handing leadership over");
        if inner.raft.trigger().transfer_leader(successor).await.is_err() {
            return;
        }
        let me = inner.directory.node_id();
        let deadline = inner.environment.now() + inner.options.election_timeout_max() * 4;
        let mut changes = inner.raft.server_metrics();
        loop {
            let leader = changes.borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != me) {
                return;
            }
            match inner.environment.timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("no other node has taken over leadership in time");
                    return;
                }
            }
        }
    }

    /// If this node leads: who should lead next.
    fn successor(&self) -> Option<NodeId> {
        let metrics = self.inner().raft.metrics();
        let metrics = metrics.borrow_watched();
        let (matched, answered) = (metrics.replication.as_ref()?, metrics.heartbeat.as_ref()?);
        let membership = metrics.membership_config.membership();
        let others = membership.voter_ids().filter(|voter| *voter != metrics.id);
        let candidates = others.map(|node| Candidate {
            node,
            silent_for: answered.get(&node).and_then(|last| last.as_ref().map(|last| last.elapsed())),
            matched: matched.get(&node).and_then(|last| last.as_ref().map(|log_id| log_id.index())),
        });
        successor(candidates, self.inner().options.election_timeout_max())
    }

    /// Stops and closes the storage: log, state and snapshots are on disk when this returns. Writes that
    /// other nodes have passed on to this one may finish, for a few seconds; whatever else is in flight
    /// ends with an unknown outcome: let it finish first, and hand leadership over. Calls after the first
    /// do nothing. The directory's lock goes with the last clone of the replica.
    pub async fn shutdown(&self) {
        let inner = self.inner();
        if inner.shutdown.is_cancelled() {
            return;
        }
        inner.leaving.cancel();
        let deadline = inner.environment.now() + FORWARDED_GRACE;
        if !inner.bytes_in_flight.drain(&inner.environment, deadline).await {
            tracing::warn!("stopping while writes are in flight; their outcomes are reported as unknown");
        }
        inner.shutdown.cancel();
        if let Err(error) = inner.raft.shutdown().await {
            tracing::error!(%error, "raft did not stop cleanly");
        }
        inner.peers.close();
        if let Err(error) = inner.storage.close().await {
            tracing::error!(%error, "the data directory was not closed cleanly; nothing acknowledged is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(member: u64, silent_ms: Option<u64>, matched: Option<u64>) -> Candidate {
        Candidate { node: NodeId::new(member, 1), silent_for: silent_ms.map(Duration::from_millis), matched }
    }

    fn chosen(candidates: &[Candidate]) -> Option<u64> {
        let silence_max = Duration::from_millis(300);
        successor(candidates.iter().copied(), silence_max).map(|node| node.member)
    }

    #[test]
    fn the_most_complete_log_of_those_who_answer_leads_next() {
        assert_eq!(chosen(&[candidate(2, Some(20), Some(7)), candidate(3, Some(90), Some(9))]), Some(3));
        assert_eq!(chosen(&[candidate(2, Some(20), None), candidate(3, Some(90), Some(1))]), Some(3));
    }

    #[test]
    fn a_node_that_does_not_answer_does_not_lead_next() {
        assert_eq!(chosen(&[candidate(2, Some(20), Some(7)), candidate(3, Some(900), Some(9))]), Some(2));
        assert_eq!(chosen(&[candidate(2, Some(20), Some(7)), candidate(3, None, Some(9))]), Some(2));
        assert_eq!(chosen(&[candidate(2, Some(900), Some(7)), candidate(3, None, None)]), None);
    }
}
