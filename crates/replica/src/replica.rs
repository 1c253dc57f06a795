//! The replica: everything of one node that is not HTTP.
//!
//! **A write** takes a share of the node's budget of bytes in flight, finds out who leads, and either
//! joins the next proposal here ([`crate::proposer`]) or is passed on to the leader's replica, with what
//! is left of its one deadline. What is definite ("not the leader", "not reachable") is tried again until
//! the deadline; what is unknown is reported as unknown at once, because trying again could apply the
//! write twice.
//!
//! **A linearizable read** waits for a ReadIndex round ([`crate::read_index`]), for this replica to have
//! applied that index, and then reads locally, on whatever node it arrived. **A stale read** is answered
//! at once, with the age of the state ([`crate::freshness`]).

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::AsyncRuntime;
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, KeyValue, Outcome};
use quorate_peer::Peers;
use quorate_storage::{DataDirectory, StateReader, Storage};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::context::RequestContext;
use crate::errors::{ReadError, WriteError};
use crate::freshness::Freshness;
use crate::leadership::{Leader, await_leader};
use crate::options::{ReplicaOptions, StartError};
use crate::proposer::{ProposeResult, Proposer};
use crate::raft::Raft;
use crate::read_index::{ReadIndex, ReadIndexer};
use crate::rounds::Rounds;
use crate::wire::{ForwardedWrite, WriteReply, kind};

/// How often a write may be passed from node to node. One hop finds a stable leader; more only help
/// while leadership moves.
const HOPS_MAX: u8 = 2;
/// How long to wait before a definite failure is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(10);
/// What a client is told to wait before it tries again when there is no quorum or no room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// What a command costs in memory besides its key and value.
const COMMAND_OVERHEAD_BYTES: usize = 256;

/// How fresh a read has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Reflects every write that was acknowledged before the read began.
    #[default]
    Linearizable,
    /// Whatever this node has, with its age.
    Stale,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// The key's newest version, or `None` if it does not exist.
    pub found: Option<KeyValue>,
    /// The store's revision that the answer reflects.
    pub revision: u64,
    /// For a stale read: how long ago the node's state was known to be current.
    pub age: Option<Duration>,
}

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
    pub(crate) storage: Storage<E>,
    pub(crate) reader: StateReader,
    pub(crate) raft: Raft<E>,
    pub(crate) peers: Peers<E>,
    pub(crate) proposer: Arc<Proposer<E>>,
    pub(crate) read_indexer: Arc<ReadIndexer<E, Arc<Rounds<E>>>>,
    pub(crate) freshness: Freshness,
    pub(crate) bytes_in_flight: Semaphore,
    pub(crate) shutdown: CancellationToken,
    pub(crate) breakdown: Breakdown,
}

/// Why the node cannot go on, noticed outside of the storage: a damaged record, or Raft has stopped.
#[derive(Debug, Default)]
pub(crate) struct Breakdown {
    found: OnceLock<String>,
    told: CancellationToken,
}

impl Breakdown {
    fn report(&self, reason: &str) {
        // The first one is reason enough to stop.
        let _ = self.found.set(reason.to_owned());
        self.told.cancel();
    }

    async fn found(&self) -> String {
        self.told.cancelled().await;
        self.found.get().cloned().unwrap_or_default()
    }
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
        self.inner.bytes_in_flight.available_permits()
    }

    /// The longest value that a put may carry now, in bytes.
    pub fn value_bytes_max(&self) -> u64 {
        // A storage that is closed refuses nothing for its length; the request is refused for what it is.
        self.inner.reader.value_bytes_max().unwrap_or(u64::MAX)
    }

    /// Runs one write to its outcome, on whatever node leads, before the context's deadline.
    ///
    /// Cancellation: a dropped call leaves the outcome unknown.
    pub async fn write(&self, context: &RequestContext, command: Command) -> Result<Outcome, WriteError> {
        let cost = COMMAND_OVERHEAD_BYTES + command.encoded_bytes();
        let Ok(_share) = self.inner.bytes_in_flight.try_acquire_many(u32::try_from(cost).unwrap_or(u32::MAX))
        else {
            return Err(WriteError::Overloaded { retry_after: RETRY_AFTER });
        };
        let mut reason = "no leader is known".to_owned();
        loop {
            if self.inner.shutdown.is_cancelled() {
                return Err(WriteError::ShuttingDown);
            }
            let Some(leader) =
                await_leader::<E>(&self.inner.environment, &self.inner.raft, context.deadline).await
            else {
                return Err(WriteError::Unavailable { reason, retry_after: RETRY_AFTER });
            };
            match self.write_once(context, &leader, &command).await {
                Ok(result) => return result,
                Err(definite) => reason = definite,
            }
            let pause = self.inner.environment.jitter(RETRY_DELAY);
            if self.inner.environment.now() + pause >= context.deadline {
                return Err(WriteError::Unavailable { reason, retry_after: RETRY_AFTER });
            }
            self.inner.environment.sleep(pause).await;
        }
    }

    /// One attempt. The outer error is definite and worth another attempt.
    async fn write_once(
        &self,
        context: &RequestContext,
        leader: &Leader,
        command: &Command,
    ) -> Result<Result<Outcome, WriteError>, String> {
        match leader {
            Leader::Here => self.write_here(context, command).await,
            Leader::There(node_id, member) => self.write_there(context, *node_id, member, command).await,
        }
    }

    async fn write_here(
        &self,
        context: &RequestContext,
        command: &Command,
    ) -> Result<Result<Outcome, WriteError>, String> {
        if matches!(command, Command::Put { .. }) && !self.inner.storage.has_room() {
            return Ok(Err(WriteError::DiskFull));
        }
        match self.inner.proposer.propose(command.clone(), context.deadline).await {
            ProposeResult::Applied(outcome) => Ok(Ok(outcome)),
            ProposeResult::Unknown(reason) => Ok(Err(WriteError::Unknown { reason: reason.to_owned() })),
            ProposeResult::NotLeader => Err("this node leads no longer, or cannot reach a quorum".to_owned()),
            ProposeResult::NotProposed => Err("the leader had no time to propose it".to_owned()),
        }
    }

    async fn write_there(
        &self,
        context: &RequestContext,
        node_id: NodeId,
        member: &Member,
        command: &Command,
    ) -> Result<Result<Outcome, WriteError>, String> {
        if context.hops >= HOPS_MAX {
            return Ok(Err(WriteError::TooManyHops { hops: context.hops }));
        }
        let forwarded = ForwardedWrite {
            request_id: context.request_id,
            hops: context.hops + 1,
            command: command.clone(),
        };
        let payload = forwarded.encode();
        let deadline = self.deadline_of_hop(context.deadline);
        let call = self.inner.peers.call(node_id, member, self.inner.group, kind::WRITE, &payload, deadline);
        let reply: Bytes = match call.await {
            Ok(reply) => reply,
            Err(error) if error.is_certainly_not_begun() => return Err(format!("leader {node_id}: {error}")),
            Err(error) => {
                return Ok(Err(WriteError::Unknown { reason: format!("leader {node_id}: {error}") }));
            }
        };
        match WriteReply::decode(reply) {
            Ok(WriteReply(Ok(outcome))) => Ok(Ok(outcome)),
            Ok(WriteReply(Err(
                error @ (WriteError::Unavailable { .. }
                | WriteError::TooManyHops { .. }
                | WriteError::ShuttingDown),
            ))) => Err(format!("node {node_id}: {error}")),
            Ok(WriteReply(Err(error))) => Ok(Err(error)),
            Err(error) => {
                Ok(Err(WriteError::Unknown { reason: format!("the answer of {node_id}: {error}") }))
            }
        }
    }

    /// The deadline for a request that is passed on: a little earlier than `deadline`, so that a definite
    /// answer given at the last moment still arrives here in time.
    fn deadline_of_hop(&self, deadline: Moment) -> Moment {
        let left = deadline.saturating_since(self.inner.environment.now());
        deadline - (left / 10).min(Duration::from_millis(100))
    }

    /// Reads a key.
    pub async fn get(
        &self,
        context: &RequestContext,
        key: &[u8],
        consistency: Consistency,
    ) -> Result<ReadAnswer, ReadError> {
        if self.inner.shutdown.is_cancelled() {
            return Err(ReadError::ShuttingDown);
        }
        match consistency {
            Consistency::Linearizable => {
                if !mutant::active(Mutant::StaleRead) {
                    self.catch_up(context.deadline).await?;
                }
            }
            Consistency::Stale => self.await_recovery(context.deadline).await?,
        }
        self.read_local(key, consistency)
    }

    fn read_local(&self, key: &[u8], consistency: Consistency) -> Result<ReadAnswer, ReadError> {
        let age = match consistency {
            Consistency::Linearizable => None,
            Consistency::Stale => self.inner.freshness.age(self.inner.environment.now()),
        };
        let (found, applied) = self.inner.reader.get(key).map_err(|error| match error {
            quorate_storage::ReadError::Closed => ReadError::ShuttingDown,
            quorate_storage::ReadError::Failed { reason } => {
                self.inner.breakdown.report(&reason);
                ReadError::Damaged { reason }
            }
        })?;
        Ok(ReadAnswer { found, revision: applied.summary.revision, age })
    }

    /// Waits until the local state includes every write acknowledged before this call.
    pub(crate) async fn catch_up(&self, deadline: Moment) -> Result<(), ReadError> {
        let unavailable = |reason: String| ReadError::Unavailable { reason, retry_after: RETRY_AFTER };
        let ReadIndex { index, began } =
            self.inner.read_indexer.read_index(deadline).await.map_err(unavailable)?;
        self.await_applied(index, deadline).await.map_err(unavailable)?;
        self.inner.freshness.note(began);
        Ok(())
    }

    /// After a restart the state may be older than what this node has served before: see
    /// [`crate::freshness`].
    async fn await_recovery(&self, deadline: Moment) -> Result<(), ReadError> {
        match self.inner.freshness.age(self.inner.environment.now()) {
            Some(_) => Ok(()),
            None => self.catch_up(deadline).await,
        }
    }

    async fn await_applied(&self, index: u64, deadline: Moment) -> Result<(), String> {
        let mut progress = self.inner.raft.watch_apply_progress();
        if progress.get().is_some_and(|applied| applied.index() >= index) {
            return Ok(());
        }
        let applied =
            progress.wait_until(|applied| applied.as_ref().is_some_and(|applied| applied.index() >= index));
        match self.inner.environment.timeout_at(deadline, applied).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("raft has stopped".to_owned()),
            Err(_) => Err(format!("this node has not applied index {index} yet")),
        }
    }

    /// Resolves when the replica cannot go on safely (a failed flush, a damaged record, Raft has stopped by
    /// itself), and says why. Whoever runs the node should then end it.
    pub async fn failed(&self) -> String {
        match E::Runtime::select2(self.inner.storage.failure(), self.inner.breakdown.found()).await {
            openraft_rt::Select2::First(failure) => failure.to_string(),
            openraft_rt::Select2::Second(reason) => reason,
        }
    }

    /// Watches for Raft stopping by itself, until it stops. Its metrics change with every entry: this runs
    /// as a task of its own, so that [`Replica::failed`] wakes nobody before there is something to say.
    pub(crate) async fn watch_raft(self) {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let running = metrics.borrow_watched().running_state.clone();
            if let Err(fatal) = running {
                if !self.inner.shutdown.is_cancelled() {
                    self.inner.breakdown.report(&fatal.to_string());
                }
                return;
            }
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }

    /// Hands leadership to the voter that is closest to this node, if this node leads. Returns when
    /// another node leads, or when it has taken too long.
    pub async fn hand_over_leadership(&self) {
        let Some(successor) = self.successor() else { return };
        tracing::info!(to = %successor, "handing leadership over");
        if self.inner.raft.trigger().transfer_leader(successor).await.is_err() {
            return;
        }
        let me = self.inner.directory.node_id();
        let deadline = self.inner.environment.now() + self.inner.options.election_timeout_max() * 4;
        let mut changes = self.inner.raft.server_metrics();
        loop {
            let leader = changes.borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != me) {
                return;
            }
            match self.inner.environment.timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!("no other node has taken over leadership in time");
                    return;
                }
            }
        }
    }

    /// If this node leads: the other voter whose log is the most complete.
    fn successor(&self) -> Option<NodeId> {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let matched = metrics.replication.as_ref()?;
        let membership = metrics.membership_config.membership();
        membership.voter_ids().filter(|voter| *voter != metrics.id).max_by_key(|voter| {
            matched.get(voter).and_then(|log_id| log_id.as_ref().map(|log_id| log_id.index()))
        })
    }

    /// Waits until this node can serve linearizable requests.
    pub async fn ready(&self, deadline: Moment) -> Result<(), ReadError> {
        self.catch_up(deadline).await
    }

    /// Stops and closes the storage. Returns when the data directory is closed. What is still in flight
    /// ends with an unknown outcome: let it finish first, and hand leadership over. Calls after the first
    /// do nothing.
    pub async fn shutdown(&self) {
        if self.inner.shutdown.is_cancelled() {
            return;
        }
        self.inner.shutdown.cancel();
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::error!(%error, "raft did not stop cleanly");
        }
        if let Err(error) = self.inner.storage.close().await {
            tracing::error!(%error, "the data directory was not closed cleanly; nothing acknowledged is lost");
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
