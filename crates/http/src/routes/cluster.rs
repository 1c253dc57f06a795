//! `/v1/cluster`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use quorate_api::{
    BackgroundStatus, ClusterMember, ClusterStatus, CompactionStatus, NodeName, QuotaState, QuotaStatus,
};
use quorate_environment::Environment;
use quorate_kv::Setting;
use quorate_replica::{MemberStatus, Role, Status};

use crate::application::Application;
use crate::failure::milliseconds_rounded_up;
use crate::store::Store;

/// The node's view of the cluster and of itself.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    if let Some(response) = super::unless_read(&request) {
        return response;
    }
    let status = cluster_status(application.store.status(), application.store.value_bytes_max());
    let mut body = serde_json::to_vec_pretty(&status).expect("numbers and strings can be written as JSON");
    body.push(b'\n');
    super::text("application/json", body)
}

fn cluster_status(status: Status, value_bytes_max: u64) -> ClusterStatus {
    let (quota, compaction, background) = (quota(&status), compaction(&status), background(&status));
    let mut members: Vec<ClusterMember> = status.members.into_iter().map(member).collect();
    members.sort_by(|left, right| left.node.cmp(&right.node));
    let leader = status.leader.map(|leader| node_name(leader.member, leader.incarnation));
    let leader_client_url = leader
        .as_ref()
        .and_then(|leader| members.iter().find(|member| member.node == *leader))
        .and_then(|member| member.client_url.clone());
    ClusterStatus {
        cluster_id: (!status.cluster_id.is_none()).then(|| status.cluster_id.to_string()),
        node: node_name(status.node_id.member, status.node_id.incarnation),
        group: status.group.0,
        role: role(status.role),
        ready: status.ready,
        has_room: status.has_room,
        term: status.term,
        leader,
        leader_client_url,
        members,
        last_log_index: status.last_log_index,
        committed_index: status.committed_index,
        applied_index: status.applied_index,
        snapshot_index: status.snapshot_index,
        age_ms: status.staleness.map(milliseconds_rounded_up),
        revision: status.state.revision,
        time_ms: status.state.time_ms,
        key_count: status.state.key_count,
        live_bytes: status.state.live_bytes,
        digest: format!("{:032x}", status.state.digest),
        value_bytes_max,
        quota,
        compaction,
        background,
    }
}

fn quota(status: &Status) -> QuotaStatus {
    QuotaStatus {
        state: match status.quota_state() {
            quorate_replica::QuotaState::Unlimited => QuotaState::Unlimited,
            quorate_replica::QuotaState::Good => QuotaState::Good,
            quorate_replica::QuotaState::Warning => QuotaState::Warning,
            quorate_replica::QuotaState::Exceeded => QuotaState::Exceeded,
        },
        stored_bytes: status.state.stored_bytes,
        quota_bytes: status.state.settings.get(Setting::QuotaBytes),
    }
}

fn compaction(status: &Status) -> CompactionStatus {
    CompactionStatus {
        compacted_revision: status.state.compacted_revision,
        sweep_backlog: status.work.sweep_backlog,
    }
}

fn background(status: &Status) -> BackgroundStatus {
    BackgroundStatus {
        session_count: status.state.session_count,
        digest_mark: status.work.digest_mark,
        digests_compared: status.work.digests_compared,
        scrub_passes: status.work.scrub_passes,
        scrubbed_records: status.work.scrubbed_records,
        log_flushes: status.work.flushes,
        log_flush_last_us: u64::try_from(status.work.flush_last.as_micros()).unwrap_or(u64::MAX),
    }
}

fn node_name(member: u64, incarnation: u64) -> NodeName {
    NodeName { member, incarnation: format!("{incarnation:016x}") }
}

fn member(member: MemberStatus) -> ClusterMember {
    ClusterMember {
        node: node_name(member.node_id.member, member.node_id.incarnation),
        peer_address: member.peer_address,
        client_url: (!member.client_url.is_empty()).then_some(member.client_url),
        voter: member.voter,
        matched_index: member.matched_index,
    }
}

fn role(role: Role) -> quorate_api::Role {
    match role {
        Role::Forming => quorate_api::Role::Forming,
        Role::Learner => quorate_api::Role::Learner,
        Role::Follower => quorate_api::Role::Follower,
        Role::Candidate => quorate_api::Role::Candidate,
        Role::Leader => quorate_api::Role::Leader,
        Role::Stopped => quorate_api::Role::Stopped,
    }
}
