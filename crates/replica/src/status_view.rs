//! Puts together what a replica says of itself.

use std::sync::atomic::Ordering;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::vote::RaftLeaderId;
use openraft_rt::Instant;
use quorate_consensus::ClusterId;
use quorate_environment::Environment;
use quorate_kv::Summary;
use quorate_peer::Gatekeeper;

use crate::housekeeping::READY_AGE_MAX;
use crate::raft::RaftMetrics;
use crate::replica::Replica;
use crate::status::{MemberStatus, Role, Status, WorkStatus};

impl<E: Environment> Replica<E> {
    /// This replica's view of the group and of itself.
    pub fn status(&self) -> Status {
        let inner = self.inner();
        // Closed storage: the node has stopped, and the numbers say nothing any more.
        let applied = inner.reader.applied().ok();
        let age = inner.freshness.age(inner.environment.now());
        let metrics = inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let cluster_id = inner.directory.cluster_id().unwrap_or(ClusterId::NONE);
        let role = match metrics.state {
            _ if metrics.running_state.is_err() || self.damage().is_some() => Role::Stopped,
            _ if cluster_id.is_none() => Role::Forming,
            ServerState::Learner => Role::Learner,
            ServerState::Follower => Role::Follower,
            ServerState::Candidate => Role::Candidate,
            // It has to win a quorum again, as one that stands for election has.
            ServerState::Leader if self.has_lost_its_quorum(&metrics) => Role::Candidate,
            ServerState::Leader => Role::Leader,
            ServerState::Shutdown => Role::Stopped,
        };
        let membership = metrics.membership_config.membership();
        let members = membership
            .nodes()
            .map(|(node_id, member)| MemberStatus {
                node_id: *node_id,
                peer_address: inner.gate.address_of(*node_id, &member.peer_address),
                client_url: inner.gate.client_url_of(*node_id, &member.client_url),
                round_trip: inner.peers.round_trip(*node_id),
                voter: membership.voter_ids().any(|voter| voter == *node_id),
                matched_index: metrics
                    .replication
                    .as_ref()
                    .and_then(|matched| matched.get(node_id)?.as_ref().map(|log_id| log_id.index())),
            })
            .collect();
        Status {
            cluster_id,
            node_id: metrics.id,
            group: inner.group,
            role,
            term: metrics.vote.leader_id().term(),
            leader: metrics.current_leader.filter(|_| !self.has_lost_its_quorum(&metrics)),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            committed_index: metrics.local_committed.map_or(0, |log_id| log_id.index()),
            applied_index: applied.and_then(|applied| applied.log_id).map_or(0, |log_id| log_id.index()),
            snapshot_index: metrics.snapshot.map_or(0, |log_id| log_id.index()),
            staleness: age,
            members,
            state: applied.map(|applied| applied.summary).unwrap_or_default(),
            ready: role != Role::Stopped && age.is_some_and(|age| age <= READY_AGE_MAX),
            has_room: inner.storage.has_room(),
            failure: inner.storage.failed_with().map(|failure| failure.to_string()),
            work: self.work_status(applied.map(|applied| applied.summary).unwrap_or_default()),
        }
    }

    /// Whether this node leads as far as it knows, but no quorum has answered it for so long that another may
    /// have been elected.
    fn has_lost_its_quorum(&self, metrics: &RaftMetrics<E>) -> bool {
        let silence_max = self.inner().options.election_timeout_max() * 2;
        metrics.state == ServerState::Leader
            && metrics.last_quorum_acked.as_ref().is_some_and(|acked| acked.elapsed() > silence_max)
            && metrics.membership_config.membership().voter_ids().ne([metrics.id])
    }

    fn work_status(&self, state: Summary) -> WorkStatus {
        let inner = self.inner();
        let storage = inner.storage.status();
        let (proposals, proposed_commands) = inner.proposer.counts();
        WorkStatus {
            proposals,
            proposed_commands,
            flushes: storage.flush_count,
            flush_total: storage.flush_total,
            flush_last: storage.flush_last,
            flushed_bytes: storage.flushed_bytes,
            unflushed_bytes: storage.log_unflushed_bytes,
            log_bytes: storage.log_bytes,
            snapshot_bytes: storage.snapshot_bytes,
            overlay_bytes: storage.overlay_bytes,
            disk_free_bytes: storage.disk_free_bytes,
            queued_writes: inner.proposer.queued() as u64,
            write_bytes_in_flight: inner.bytes_in_flight.used() as u64,
            sweep_backlog: state.compacted_revision.saturating_sub(state.swept_revision),
            digest_mark: inner.reader.digest_mark().unwrap_or(0),
            digests_compared: inner.upkeep.digests_compared.load(Ordering::Relaxed),
            scrub_passes: storage.scrub.passes,
            scrubbed_records: storage.scrub.records,
            scrubbed_bytes: storage.scrub.bytes,
        }
    }
}
