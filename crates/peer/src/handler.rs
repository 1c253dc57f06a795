//! What the serving side of a node offers its peers.

use std::future::{Future, ready};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::storage::RaftStateMachine;
use openraft_rt::AsyncRuntime;
use quorate_consensus::{
    CommittedLeaderId, GroupId, LogId, Member, NodeId, RaftTypes, SnapshotFile, SnapshotMeta, Vote,
};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};

use crate::error::{Refusal, RemoteError};

/// A snapshot in a file, as openraft hands it around.
pub type Snapshot = openraft::storage::Snapshot<CommittedLeaderId, NodeId, Member, SnapshotFile>;

/// Answers peers. Clones share the state.
pub trait PeerHandler<E: Environment>: Clone + Send + Sync + 'static {
    /// The Raft instance that this node runs.
    type Raft: RaftEndpoint<E::Runtime>;

    /// The Raft instance of `group`, once there is one. Until then peers are told "not ready".
    fn raft(&self, group: GroupId) -> Option<Self::Raft>;

    /// Looks at the snapshots that this node is sent.
    fn snapshot_check(&self) -> Arc<dyn SnapshotCheck>;

    /// Answers an application request. `kind` and `payload` mean nothing to this crate. The future is
    /// dropped at `deadline`, and when the connection breaks: whatever must go on belongs into a task of
    /// its own. A refusal is certain: nothing was done. An outcome that the caller must understand is a
    /// result.
    fn call(
        &self,
        from: NodeId,
        group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> impl Future<Output = Result<Bytes, RemoteError>> + Send;

    /// Answers an application request of a guest (see [`crate::Gatekeeper::is_guest`]), as
    /// [`PeerHandler::call`] does for peers. The default refuses it.
    fn guest_call(
        &self,
        from: NodeId,
        group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> impl Future<Output = Result<Bytes, RemoteError>> + Send {
        let _ = (from, group, kind, payload, deadline);
        ready(Err(Refusal::NotAllowed.into()))
    }
}

/// Says whether a snapshot from a peer can be installed. What is wrong with it must be found before Raft is
/// handed the file: for Raft, an installation that fails is a broken disk, and the node stops.
pub trait SnapshotCheck: Send + Sync + 'static {
    /// Whether there is room to receive and install a file of so many bytes; if not, says why.
    fn check_room(&self, file_bytes: u64) -> Result<(), String>;

    /// Whether the file that has arrived is sound, and the snapshot `meta`; if not, says why. Reads all of
    /// it, and blocks for as long as that takes.
    fn check(&self, path: &Path, meta: &SnapshotMeta) -> Result<(), String>;
}

/// A Raft instance, as peers see it. Errors mean that the instance has stopped.
pub trait RaftEndpoint<R: AsyncRuntime + Send + Sync>: Clone + Send + Sync + 'static {
    /// Appends entries.
    fn append_entries(
        &self,
        request: AppendEntriesRequest<RaftTypes<R>>,
    ) -> impl Future<Output = Result<AppendEntriesResponse<RaftTypes<R>>, String>> + Send;

    /// Appends entries of many requests, answered in their order.
    fn stream_append<S>(
        &self,
        requests: S,
    ) -> impl Stream<Item = Result<StreamAppendResult<RaftTypes<R>>, String>> + Send + 'static
    where
        S: Stream<Item = AppendEntriesRequest<RaftTypes<R>>> + Send + 'static;

    /// Asks for a vote.
    fn vote(
        &self,
        request: VoteRequest<RaftTypes<R>>,
    ) -> impl Future<Output = Result<VoteResponse<RaftTypes<R>>, String>> + Send;

    /// Asks whether a vote would be granted.
    fn pre_vote(
        &self,
        request: VoteRequest<RaftTypes<R>>,
    ) -> impl Future<Output = Result<VoteResponse<RaftTypes<R>>, String>> + Send;

    /// Hands over leadership.
    fn transfer_leader(
        &self,
        request: TransferLeaderRequest<RaftTypes<R>>,
    ) -> impl Future<Output = Result<TransferLeaderResponse<RaftTypes<R>>, String>> + Send;

    /// Installs a snapshot that has arrived whole.
    fn install_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> impl Future<Output = Result<SnapshotResponse<RaftTypes<R>>, String>> + Send;
}

impl<R, SM> RaftEndpoint<R> for openraft::Raft<RaftTypes<R>, SM>
where
    R: AsyncRuntime + Send + Sync,
    SM: RaftStateMachine<RaftTypes<R>, SnapshotData = SnapshotFile>,
{
    async fn append_entries(
        &self,
        request: AppendEntriesRequest<RaftTypes<R>>,
    ) -> Result<AppendEntriesResponse<RaftTypes<R>>, String> {
        openraft::Raft::append_entries(self, request).await.map_err(|error| error.to_string())
    }

    fn stream_append<S>(
        &self,
        requests: S,
    ) -> impl Stream<Item = Result<StreamAppendResult<RaftTypes<R>>, String>> + Send + 'static
    where
        S: Stream<Item = AppendEntriesRequest<RaftTypes<R>>> + Send + 'static,
    {
        openraft::Raft::stream_append(self, requests).map(|item| item.map_err(|error| error.to_string()))
    }

    async fn vote(
        &self,
        mut request: VoteRequest<RaftTypes<R>>,
    ) -> Result<VoteResponse<RaftTypes<R>>, String> {
        if request.leadership_transfer && mutant::active(Mutant::TransferToLaggard) {
            request.last_log_id = Some(LogId::new(CommittedLeaderId::new(u64::MAX), u64::MAX));
        }
        openraft::Raft::vote(self, request).await.map_err(|error| error.to_string())
    }

    async fn pre_vote(
        &self,
        request: VoteRequest<RaftTypes<R>>,
    ) -> Result<VoteResponse<RaftTypes<R>>, String> {
        openraft::Raft::pre_vote(self, request).await.map_err(|error| error.to_string())
    }

    async fn transfer_leader(
        &self,
        mut request: TransferLeaderRequest<RaftTypes<R>>,
    ) -> Result<TransferLeaderResponse<RaftTypes<R>>, String> {
        if mutant::active(Mutant::TransferToLaggard) {
            request = TransferLeaderRequest::new(*request.from_leader(), *request.to_node_id(), None);
        }
        self.handle_transfer_leader(request).await.map_err(|error| error.to_string())
    }

    async fn install_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<RaftTypes<R>>, String> {
        self.install_full_snapshot(vote, snapshot).await.map_err(|error| error.to_string())
    }
}
