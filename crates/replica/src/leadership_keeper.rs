//! When a leader had better let another lead.
//!
//! - **Its disk does not answer.** Followers go on confirming, and so do heartbeats, so nobody would stand for
//!   election; but one failure more, or memory that is full of what waits for the disk, and nobody could write.
//! - **It should rather not lead**, because whoever runs it said so: as soon as a voter is caught up that does
//!   not mind. That one does not hand leadership back.
//!
//! A leader that nobody answers is none of this: Raft takes no proposals without a lease, and stops its
//! heartbeats for a while, so that whoever still hears them may elect another leader.

use std::time::Duration;

use quorate_environment::{Environment, Moment};
use tokio_util::sync::CancellationToken;

use crate::leadership::{Leader, known_leader};
use crate::replica::{Replica, pause};

/// How long the disk may take for one flush. Slow disks take some hundred milliseconds now and then.
const DISK_STALL_MAX: Duration = Duration::from_secs(2);
/// How long a node leads before it thinks of handing over: by then all that answer have said how they are.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// How long handing over may take.
const HAND_OVER_MAX: Duration = Duration::from_secs(3);
/// How long a node leads on after it has tried to hand over, before it tries again. If all disks are slow,
/// leadership must not go around without end.
const RETRY_INTERVAL: Duration = Duration::from_secs(20);

/// What a leader has seen of itself.
struct LeadershipKeeper<E: Environment> {
    replica: Replica<E>,
    leads_since: Option<Moment>,
    /// How many flushes were done when something was first seen to wait for the next one, and when that was.
    waiting: Option<(u64, Moment)>,
    tried: Option<Moment>,
}

/// Lets others lead while this node should not, until `shutdown`.
pub(crate) async fn keep_leadership<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let interval = replica.inner().options.election_timeout_max();
    let environment = replica.environment().clone();
    let mut keeper = LeadershipKeeper { replica, leads_since: None, waiting: None, tried: None };
    while pause(&environment, &shutdown, interval).await {
        let _ = <E::Runtime as openraft_rt::AsyncRuntime>::select2(shutdown.cancelled(), keeper.look()).await;
    }
}

impl<E: Environment> LeadershipKeeper<E> {
    async fn look(&mut self) {
        let inner = self.replica.inner();
        let now = inner.environment.now();
        if inner.leaving.is_cancelled() || known_leader::<E>(&inner.raft) != Some(Leader::Here) {
            (self.leads_since, self.waiting) = (None, None);
            return;
        }
        let leads_since = *self.leads_since.get_or_insert(now);
        let is_disk_stalled = self.is_disk_stalled(now);
        let is_settled = now.saturating_since(leads_since) >= SETTLED_AFTER;
        let is_too_soon = self.tried.is_some_and(|tried| now.saturating_since(tried) < RETRY_INTERVAL);
        if is_too_soon || !is_settled {
            return;
        }
        let inner = self.replica.inner();
        let (reason, to) = match (is_disk_stalled, inner.options.avoid_leading) {
            (true, _) => ("its disk does not answer", self.replica.relief(false)),
            (false, true) => ("it should rather not lead", self.replica.relief(true)),
            (false, false) => return,
        };
        let Some(to) = to else { return };
        tracing::info!(%to, reason, "this node lets another lead");
        self.tried = Some(now);
        if let Err(error) = self.replica.hand_over(Some(to.member), now + HAND_OVER_MAX).await {
            tracing::warn!(%error, "leadership was not handed over");
        }
    }

    /// Whether something has waited for the disk for too long.
    fn is_disk_stalled(&mut self, now: Moment) -> bool {
        let storage = self.replica.inner().storage.status();
        if storage.log_unflushed_bytes == 0 {
            self.waiting = None;
            return false;
        }
        match self.waiting {
            Some((flushes, since)) if flushes == storage.flush_count => {
                now.saturating_since(since) >= DISK_STALL_MAX
            }
            _ => {
                self.waiting = Some((storage.flush_count, now));
                false
            }
        }
    }
}
