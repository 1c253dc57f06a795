//! Nodes with a make-believe Raft, in any environment.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use quorate_consensus::{
    ClusterId, CommittedLeaderId, Entry, EntryPayload, GroupId, LogId, Member, NodeId, ProposalBytes,
    RaftTypes, SnapshotMeta, Vote,
};
use quorate_environment::{Environment, Listener, Moment};
use quorate_peer::{
    Gatekeeper, Hello, Introduction, PeerHandler, Peers, RaftEndpoint, Refusal, RemoteError, Snapshot,
    SnapshotCheck, serve,
};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

/// Long enough for anything that is expected to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The application's requests in these tests.
pub mod request {
    /// Answers with the payload.
    pub const ECHO: u8 = 1;
    /// Answers when the gate lets it through.
    pub const GATED: u8 = 2;
    /// Answers with the milliseconds that are left of the deadline.
    pub const REMAINING: u8 = 3;
    /// Fails.
    pub const FAIL: u8 = 4;
    /// Answers when the deadline has come.
    pub const AT_DEADLINE: u8 = 5;
    /// Is refused.
    pub const REFUSE: u8 = 6;
}

/// The identity of a test node, and its gatekeeper; with the nodes that it takes for guests.
#[derive(Debug)]
pub struct Identity(pub Mutex<Introduction>, pub Mutex<BTreeSet<NodeId>>);

impl Identity {
    /// Node `member` of cluster 7.
    pub fn new(member: u64) -> Arc<Self> {
        let introduction = Introduction {
            cluster: ClusterId([7; 16]),
            node: NodeId::new(member, 1_000 + member),
            member: Member::new(format!("node{member}:1"), ""),
        };
        Arc::new(Self(Mutex::new(introduction), Mutex::default()))
    }
}

impl Gatekeeper for Identity {
    fn introduction(&self) -> Introduction {
        self.0.lock().unwrap().clone()
    }

    fn is_guest(&self, hello: &Hello) -> bool {
        self.1.lock().unwrap().contains(&hello.from.node)
    }
}

/// A Raft that agrees to everything, or as a test wants it.
#[derive(Debug)]
pub struct FakeRaft {
    /// Append requests that have arrived.
    pub arrived: AtomicUsize,
    /// One permit is taken for each append request before it is answered.
    pub append_gate: Semaphore,
    /// The index after which logs conflict.
    pub conflict_after: Mutex<Option<u64>>,
    /// One permit is taken before a snapshot is installed.
    pub install_gate: Semaphore,
    /// The contents of snapshots that were installed.
    pub installed: Mutex<Vec<Vec<u8>>>,
}

impl Default for FakeRaft {
    fn default() -> Self {
        Self {
            arrived: AtomicUsize::new(0),
            append_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            conflict_after: Mutex::default(),
            install_gate: Semaphore::new(Semaphore::MAX_PERMITS),
            installed: Mutex::default(),
        }
    }
}

/// Shared by the tests and by what serves peers.
#[derive(Clone, Debug)]
pub struct TestHandler<E> {
    /// The environment.
    pub environment: E,
    /// The Raft of group 0, if it runs.
    pub raft: Arc<Mutex<Option<Arc<FakeRaft>>>>,
    /// Lets gated requests through.
    pub gate: Arc<Semaphore>,
    /// Requests by kind.
    pub calls: Arc<Mutex<BTreeMap<u8, usize>>>,
    /// Gated requests that were let through.
    gated_done: Arc<AtomicUsize>,
    /// Looks at snapshots.
    pub check: Arc<FakeCheck>,
}

/// Finds fault with the snapshots that a test says.
#[derive(Debug)]
pub struct FakeCheck {
    /// The largest snapshot for which there is room.
    pub room_bytes: AtomicU64,
    /// What a snapshot that is damaged contains.
    pub damaged: Mutex<Option<Vec<u8>>>,
}

impl SnapshotCheck for FakeCheck {
    fn check_room(&self, file_bytes: u64) -> Result<(), String> {
        let has_room = file_bytes <= self.room_bytes.load(Ordering::Relaxed);
        has_room.then_some(()).ok_or_else(|| "it is too large".to_owned())
    }

    fn check(&self, path: &Path, _meta: &SnapshotMeta) -> Result<(), String> {
        let contents = std::fs::read(path).map_err(|error| error.to_string())?;
        let is_damaged = self.damaged.lock().unwrap().as_ref() == Some(&contents);
        (!is_damaged).then_some(()).ok_or_else(|| "it is damaged".to_owned())
    }
}

/// [`FakeRaft`] as the serving side wants it.
#[derive(Clone, Debug)]
pub struct FakeEndpoint(pub Arc<FakeRaft>);

impl<E: Environment> TestHandler<E> {
    /// With a running Raft and an open gate.
    pub fn new(environment: E) -> Self {
        Self {
            environment,
            raft: Arc::new(Mutex::new(Some(Arc::default()))),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            calls: Arc::default(),
            gated_done: Arc::default(),
            check: Arc::new(FakeCheck { room_bytes: AtomicU64::new(u64::MAX), damaged: Mutex::default() }),
        }
    }

    /// The Raft.
    pub fn fake_raft(&self) -> Arc<FakeRaft> {
        self.raft.lock().unwrap().clone().expect("this test runs a Raft")
    }

    /// How many gated requests have been let through.
    pub fn gated_done(&self) -> usize {
        self.gated_done.load(Ordering::SeqCst)
    }

    /// How many requests of `kind` have begun.
    pub fn calls_of(&self, kind: u8) -> usize {
        self.calls.lock().unwrap().get(&kind).copied().unwrap_or(0)
    }
}

impl<E: Environment> PeerHandler<E> for TestHandler<E> {
    type Raft = FakeEndpoint;

    fn raft(&self, group: GroupId) -> Option<FakeEndpoint> {
        if group != GroupId::FIRST {
            return None;
        }
        self.raft.lock().unwrap().clone().map(FakeEndpoint)
    }

    fn snapshot_check(&self) -> Arc<dyn SnapshotCheck> {
        self.check.clone()
    }

    async fn call(
        &self,
        _from: NodeId,
        _group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> Result<Bytes, RemoteError> {
        *self.calls.lock().unwrap().entry(kind).or_default() += 1;
        match kind {
            request::ECHO => Ok(payload),
            request::GATED => {
                self.gate.acquire().await.expect("the gate is never closed").forget();
                self.gated_done.fetch_add(1, Ordering::SeqCst);
                Ok(payload)
            }
            request::REMAINING => {
                let remaining = deadline.saturating_since(self.environment.now()).as_millis() as u64;
                Ok(Bytes::copy_from_slice(&remaining.to_le_bytes()))
            }
            request::AT_DEADLINE => {
                self.environment.sleep_until(deadline).await;
                Ok(payload)
            }
            request::REFUSE => Err(Refusal::Malformed.into()),
            _ => Err(RemoteError::Failed("as was asked".to_owned())),
        }
    }
}

impl FakeRaft {
    fn append<R>(&self, request: &AppendEntriesRequest<RaftTypes<R>>) -> StreamAppendResult<RaftTypes<R>>
    where
        R: openraft::AsyncRuntime + Send + Sync,
    {
        let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        match (*self.conflict_after.lock().unwrap(), last) {
            (Some(index), Some(last)) if last.index() > index => {
                Err(StreamAppendError::Conflict(request.prev_log_id.unwrap_or(last)))
            }
            _ => Ok(last),
        }
    }
}

impl<R: openraft::AsyncRuntime + Send + Sync> RaftEndpoint<R> for FakeEndpoint {
    async fn append_entries(
        &self,
        request: AppendEntriesRequest<RaftTypes<R>>,
    ) -> Result<AppendEntriesResponse<RaftTypes<R>>, String> {
        Ok(self.0.append(&request).into())
    }

    fn stream_append<S>(
        &self,
        requests: S,
    ) -> impl Stream<Item = Result<StreamAppendResult<RaftTypes<R>>, String>> + Send + 'static
    where
        S: Stream<Item = AppendEntriesRequest<RaftTypes<R>>> + Send + 'static,
    {
        let (arriving, answering) = (self.0.clone(), self.0.clone());
        requests
            .map(move |request| {
                arriving.arrived.fetch_add(1, Ordering::Relaxed);
                let raft = answering.clone();
                async move {
                    raft.append_gate.acquire().await.expect("the gate is never closed").forget();
                    Ok(raft.append(&request))
                }
            })
            .buffered(1_000)
    }

    async fn vote(&self, request: VoteRequest<RaftTypes<R>>) -> Result<VoteResponse<RaftTypes<R>>, String> {
        Ok(VoteResponse::new(request.vote, request.last_log_id, true))
    }

    async fn pre_vote(
        &self,
        request: VoteRequest<RaftTypes<R>>,
    ) -> Result<VoteResponse<RaftTypes<R>>, String> {
        Ok(VoteResponse::new(request.vote, None, false))
    }

    async fn transfer_leader(
        &self,
        _request: TransferLeaderRequest<RaftTypes<R>>,
    ) -> Result<TransferLeaderResponse<RaftTypes<R>>, String> {
        Ok(Ok(()))
    }

    async fn install_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<RaftTypes<R>>, String> {
        self.0.install_gate.acquire().await.expect("the gate is never closed").forget();
        let contents = std::fs::read(snapshot.snapshot.path()).map_err(|error| error.to_string())?;
        self.0.installed.lock().unwrap().push(contents);
        Ok(SnapshotResponse::new(vote))
    }
}

/// A node that serves peers.
pub struct TestNode<E: Environment> {
    /// Where it listens.
    pub address: String,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// What it answers.
    pub handler: TestHandler<E>,
    shutdown: CancellationToken,
    finished: oneshot::Receiver<()>,
}

impl<E: Environment> TestNode<E> {
    /// Starts node `member` at `address`, with received snapshots in `directory`.
    pub async fn start(environment: &E, member: u64, address: &str, directory: PathBuf) -> Self {
        let listener = environment.listen(address).await.expect("the address is free");
        let address = listener.local_address().expect("a listener has an address");
        let identity = Identity::new(member);
        let handler = TestHandler::new(environment.clone());
        let shutdown = CancellationToken::new();
        let (finished_sender, finished) = oneshot::channel();
        let serving = serve(
            environment.clone(),
            listener,
            identity.clone(),
            handler.clone(),
            directory,
            shutdown.clone(),
        );
        environment.spawn("test node", async move {
            serving.await;
            let _ = finished_sender.send(());
        });
        Self { address, identity, handler, shutdown, finished }
    }

    /// The node's ID.
    pub fn id(&self) -> NodeId {
        self.identity.introduction().node
    }

    /// Where others reach it.
    pub fn member(&self) -> Member {
        Member::new(self.address.clone(), "")
    }

    /// Stops serving and waits until everything has ended.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.finished.await.expect("serving ends without a panic");
    }
}

/// The dialing side of node `member`.
pub fn peers_of<E: Environment>(environment: &E, member: u64) -> Peers<E> {
    Peers::new(environment.clone(), Identity::new(member))
}

/// The log ID `index` of term 1.
pub fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1), index)
}

/// Leadership of node 1 in term 1.
pub fn vote() -> Vote {
    Vote::new_committed(1, NodeId::new(1, 1_001))
}

/// An append of entry `index`, with `value_bytes` in it.
pub fn append<R: openraft::AsyncRuntime + Send + Sync>(
    index: u64,
    value_bytes: usize,
) -> AppendEntriesRequest<RaftTypes<R>> {
    let payload = EntryPayload::Normal(ProposalBytes(vec![index as u8; value_bytes].into()));
    AppendEntriesRequest {
        vote: vote(),
        prev_log_id: Some(log_id(index - 1)),
        entries: vec![Entry { log_id: log_id(index), payload }],
        leader_commit: Some(log_id(index - 1)),
    }
}

/// Waits until `condition` holds.
pub async fn eventually<E: Environment>(environment: &E, what: &str, condition: impl Fn() -> bool) {
    let deadline = environment.now() + PATIENCE;
    while !condition() {
        assert!(environment.now() < deadline, "never happened: {what}");
        environment.sleep(Duration::from_millis(2)).await;
    }
}
