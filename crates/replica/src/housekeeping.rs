//! What a replica does by itself, now and then.

use std::time::Duration;

use quorate_environment::Environment;
use tokio_util::sync::CancellationToken;

use crate::replica::{Replica, pause};

/// How often a replica looks whether its log should be made into a snapshot.
const SNAPSHOT_CHECK_INTERVAL: Duration = Duration::from_millis(500);
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
            let _ = replica.catch_up(now + FRESHNESS_TIMEOUT).await;
        }
        if !pause(&inner.environment, &shutdown, FRESHNESS_INTERVAL / 2).await {
            return;
        }
    }
}

/// Makes snapshots and purges the log, by bytes.
pub(crate) async fn keep_log_short<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    while pause(&inner.environment, &shutdown, SNAPSHOT_CHECK_INTERVAL).await {
        if inner.storage.snapshot_due() && inner.raft.trigger().snapshot().await.is_err() {
            // Raft has stopped; whoever waits for `failed` has been told.
            return;
        }
        if let Some(index) = inner.storage.purge_due()
            && inner.raft.trigger().purge_log(index).await.is_err()
        {
            return;
        }
    }
}
