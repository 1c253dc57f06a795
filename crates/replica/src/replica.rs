//! The replica: everything of one node that is not HTTP.
//!
//! Writes are in [`crate::writing`], reads in [`crate::reading`], the end in [`crate::stopping`]; here are
//! the parts.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::AsyncRuntime;
use quorate_consensus::GroupId;
use quorate_environment::Environment;
use quorate_peer::Peers;
use quorate_storage::{DataDirectory, StateReader, Storage};
use tokio_util::sync::CancellationToken;

use crate::bytes_in_flight::BytesInFlight;
use crate::follower_reports::FollowerReports;
use crate::freshness::Freshness;
use crate::gate::Gate;
use crate::lease::LeaseRounds;
use crate::options::{ReplicaOptions, StartError};
use crate::proposer::Proposer;
use crate::raft::Raft;
use crate::read_index::ReadIndexer;
use crate::rounds::Rounds;
use crate::transfer::Transfers;
use crate::upkeep::UpkeepCounters;
use crate::vote_guard::GuardedRaft;

/// What a client is told to wait before it tries again when there is no quorum or no room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One replica of the store's Raft group. Cheap to clone; clones are the same replica.
#[derive(Clone)]
pub struct Replica<E: Environment> {
    inner: Arc<Inner<E>>,
}

/// What the clones share.
pub(crate) struct Inner<E: Environment> {
    pub(crate) environment: E,
    pub(crate) options: ReplicaOptions,
    pub(crate) group: GroupId,
    pub(crate) directory: Arc<DataDirectory>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) storage: Arc<Storage<E>>,
    pub(crate) reader: StateReader,
    pub(crate) raft: Raft<E>,
    pub(crate) guarded_raft: GuardedRaft<E>,
    pub(crate) peers: Peers<E>,
    pub(crate) proposer: Arc<Proposer<E>>,
    pub(crate) read_indexer: Arc<ReadIndexer<E, Arc<Rounds<E>>>>,
    pub(crate) lease_indexer: Arc<ReadIndexer<E, LeaseRounds<E>>>,
    pub(crate) freshness: Freshness,
    pub(crate) bytes_in_flight: BytesInFlight,
    pub(crate) follower_reports: FollowerReports,
    pub(crate) transfers: Transfers,
    pub(crate) upkeep: UpkeepCounters,
    /// Cancelled when the node begins to stop: it does what it has promised and takes on little.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when the node stops: nothing goes on.
    pub(crate) shutdown: CancellationToken,
    pub(crate) breakdown: Breakdown,
    /// Cancelled when the node has been removed from the cluster and has left Raft.
    pub(crate) departed: CancellationToken,
}

/// Why the node cannot go on, noticed outside of the storage: a damaged record, Raft has stopped, or its identity
/// could not be written. Clones are of the same node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breakdown {
    found: Arc<OnceLock<String>>,
    told: CancellationToken,
}

impl Breakdown {
    pub(crate) fn report(&self, reason: &str) {
        // The first one is reason enough to stop.
        let _ = self.found.set(reason.to_owned());
        self.told.cancel();
    }

    /// Whether the node cannot go on.
    #[cfg(test)]
    pub(crate) fn is_reported(&self) -> bool {
        self.told.is_cancelled()
    }

    async fn found(&self) -> String {
        self.told.cancelled().await;
        self.found.get().cloned().unwrap_or_default()
    }
}

/// Why a replica cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ReplicaFailure {
    /// What has happened.
    pub reason: String,
    /// Whether the state is damaged, or is not the leader's, so that a repair helps.
    pub is_damage: bool,
}

impl<E: Environment> fmt::Debug for Replica<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Replica({})", self.inner.directory.node_id())
    }
}

impl<E: Environment> Replica<E> {
    /// Opens the data directory, listens for peers and begins to take part. Returns as soon as the node
    /// can say how it is; forming the cluster and catching up go on in the background.
    pub async fn start(environment: E, options: ReplicaOptions) -> Result<Self, StartError> {
        crate::start::start(environment, options).await
    }

    pub(crate) fn from_inner(inner: Inner<E>) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner<E> {
        &self.inner
    }

    /// The node's environment.
    pub fn environment(&self) -> &E {
        &self.inner.environment
    }

    /// Bytes of writes that this node would still take on.
    pub fn bytes_in_flight_left(&self) -> usize {
        self.inner.bytes_in_flight.left()
    }

    /// Resolves when the replica cannot go on safely (a failed flush, a damaged record, Raft has stopped by
    /// itself), and says why. Whoever runs the node should then end it.
    pub async fn failed(&self) -> ReplicaFailure {
        match E::Runtime::select2(self.inner.storage.failure(), self.inner.breakdown.found()).await {
            openraft_rt::Select2::First(failure) => {
                ReplicaFailure { is_damage: failure.is_damage(), reason: failure.to_string() }
            }
            openraft_rt::Select2::Second(reason) => ReplicaFailure { reason, is_damage: false },
        }
    }

    /// Why this node does nothing any more: its state is damaged or is not the leader's, or it is no member.
    pub(crate) fn damage(&self) -> Option<String> {
        if self.inner.departed.is_cancelled() {
            return Some("it has been removed from the cluster".to_owned());
        }
        self.inner.storage.damage().map(|damage| damage.to_string())
    }

    /// Takes this node out of Raft as soon as its state turns out to be damaged, until `shutdown`: it must
    /// not lead with a state that it does not serve.
    pub(crate) async fn leave_when_damaged(self, shutdown: CancellationToken) {
        let failed = E::Runtime::select2(shutdown.cancelled(), self.inner.storage.failure()).await;
        if let openraft_rt::Select2::Second(failure) = failed
            && failure.is_damage()
            && let Err(error) = self.inner.raft.shutdown().await
        {
            tracing::error!(%error, "raft did not stop cleanly");
        }
    }

    /// Watches for Raft stopping by itself, until it stops. Its metrics change with every entry: this runs
    /// as a task of its own, so that [`Replica::failed`] wakes nobody before there is something to say.
    pub(crate) async fn watch_raft(self) {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let running = metrics.borrow_watched().running_state.clone();
            if let Err(fatal) = running {
                if !self.inner.shutdown.is_cancelled() && !self.inner.departed.is_cancelled() {
                    self.inner.breakdown.report(&fatal.to_string());
                }
                return;
            }
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Sleeps, but not past `shutdown`. False if it was cut short.
pub(crate) async fn pause<E: Environment>(
    environment: &E,
    shutdown: &CancellationToken,
    duration: Duration,
) -> bool {
    let slept = E::Runtime::select2(shutdown.cancelled(), environment.sleep(duration)).await;
    matches!(slept, openraft_rt::Select2::Second(()))
}
