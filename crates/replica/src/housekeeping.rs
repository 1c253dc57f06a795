//! What a replica does by itself, now and then.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::NodeId;
use quorate_environment::Environment;
use quorate_peer::{Gatekeeper, Hello, probe};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::replica::{Replica, pause};

/// How often a replica looks whether its log should be made into a snapshot.
const SNAPSHOT_CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// How often a replica asks members who they are that have not said so yet.
const GREETING_INTERVAL: Duration = Duration::from_secs(2);
/// How long a member may take to answer that.
const GREETING_TIMEOUT: Duration = Duration::from_secs(1);
/// How old the local state may get before a replica without reads runs a ReadIndex round.
const FRESHNESS_INTERVAL: Duration = Duration::from_millis(500);
/// How long such a round may take.
const FRESHNESS_TIMEOUT: Duration = Duration::from_secs(1);
/// A replica whose state is older than this is not ready.
pub(crate) const READY_AGE_MAX: Duration = Duration::from_secs(2);

/// Keeps the mark of [`crate::freshness`] recent.
pub(crate) async fn keep_fresh<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    loop {
        let now = inner.environment.now();
        let due = inner.freshness.age(now).is_none_or(|age| age >= FRESHNESS_INTERVAL);
        if due {
            // A failure leaves the mark as it is, and the age tells.
            let round = replica.catch_up(now + FRESHNESS_TIMEOUT);
            let _ = E::Runtime::select2(shutdown.cancelled(), round).await;
        }
        if !pause(&inner.environment, &shutdown, FRESHNESS_INTERVAL / 2).await {
            return;
        }
    }
}

/// Shakes hands with every member once, so that each hears where clients reach the other: the log knows only
/// the addresses with which a member was added. A member that starts again greets the others itself.
pub(crate) async fn greet_members<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    loop {
        for (node, address) in strangers(&replica) {
            let hello = Hello::probe(inner.gate.introduction(), node.member);
            let deadline = inner.environment.now() + GREETING_TIMEOUT;
            let greeting = probe(&inner.environment, &address, &hello, deadline);
            match E::Runtime::select2(shutdown.cancelled(), greeting).await {
                Select2::First(()) => return,
                Select2::Second(Ok(welcome)) if welcome.by.node == node => inner.gate.hear(&welcome.by),
                // It is away, or another has taken its place: it is asked again.
                Select2::Second(_) => {}
            }
        }
        let interval = inner.environment.jitter(GREETING_INTERVAL);
        if !pause(&inner.environment, &shutdown, interval).await {
            return;
        }
    }
}

/// The members that have not said where clients reach them, and where to dial them.
fn strangers<E: Environment>(replica: &Replica<E>) -> Vec<(NodeId, String)> {
    let inner = replica.inner();
    let metrics = inner.raft.server_metrics();
    let metrics = metrics.borrow_watched();
    let nodes = metrics.membership_config.membership().nodes();
    nodes
        .filter(|(node, _)| !node.is_unclaimed() && !inner.gate.has_heard_of(**node))
        .map(|(node, member)| (*node, inner.gate.address_of(*node, &member.peer_address)))
        .collect()
}

/// Makes snapshots and purges the log, by bytes.
///
/// The logs of all nodes grow alike, so all would make their snapshots at the same time. As with checkpoints, each
/// comes early by a random share: a write waits for a quorum only, and does not feel it when one node's disk is busy.
pub(crate) async fn keep_log_short<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    let due_percent = || 50 + inner.environment.random_u64() % 51;
    let mut percent = due_percent();
    while pause(&inner.environment, &shutdown, SNAPSHOT_CHECK_INTERVAL).await {
        if inner.storage.snapshot_due(percent) {
            if inner.raft.trigger().snapshot().await.is_err() {
                // Raft has stopped; whoever waits for `failed` has been told.
                return;
            }
            percent = due_percent();
        }
        if let Some(index) = inner.storage.purge_due()
            && inner.raft.trigger().purge_log(index).await.is_err()
        {
            return;
        }
    }
}

/// Looks at the newest snapshot when a peer has failed to take it, and replaces it if it is damaged: or the
/// peer would be sent the same again and again.
pub(crate) async fn keep_snapshot_sound<E: Environment>(
    replica: Replica<E>,
    rejected: Arc<Notify>,
    shutdown: CancellationToken,
) {
    let inner = replica.inner();
    loop {
        if let Select2::First(()) = E::Runtime::select2(shutdown.cancelled(), rejected.notified()).await {
            return;
        }
        match E::Runtime::select2(shutdown.cancelled(), inner.storage.recheck_snapshot()).await {
            Select2::First(()) => return,
            Select2::Second(Ok(())) => {}
            Select2::Second(Err(failure)) => {
                tracing::warn!(%failure, "the newest snapshot could not be looked at");
            }
        }
    }
}
