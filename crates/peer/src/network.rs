//! openraft's network, over the connections of [`Peers`].

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, Member, NodeId, RaftTypes, SnapshotFile, Vote};
use quorate_environment::Environment;
use tokio::sync::Notify;

use crate::append_stream::{AppendStream, AppendStreamSettings};
use crate::connection::CallRequest;
use crate::error::CallError;
use crate::frame::FrameKind;
use crate::handler::Snapshot;
use crate::handshake::Lane;
use crate::limits::APPEND_RESPONSE_TIMEOUT_MIN;
use crate::link::dial_backoff;
use crate::peers::Peers;
use crate::rpc_error::{network_error, rpc_error};
use crate::snapshot_sender::send_snapshot;

type Types<E> = RaftTypes<<E as Environment>::Runtime>;

/// How long openraft rests before it tries again to reach a member whose place nobody has taken: it is told of
/// whoever takes it.
const UNCLAIMED_PAUSE: Duration = Duration::from_secs(10);

/// Makes openraft's clients for the peers of one Raft group.
#[derive(Clone, Debug)]
pub struct PeerNetworkFactory<E: Environment> {
    peers: Peers<E>,
    group: GroupId,
    snapshot_rejected: Arc<Notify>,
}

impl<E: Environment> PeerNetworkFactory<E> {
    /// Sends the messages of `group` over the connections of `peers`.
    pub fn new(peers: Peers<E>, group: GroupId) -> Self {
        Self { peers, group, snapshot_rejected: Arc::default() }
    }

    /// Notified when a peer has failed to take a snapshot that it was sent, or when this node could not read
    /// it: it may be damaged, and should be looked at.
    pub fn snapshot_rejected(&self) -> Arc<Notify> {
        self.snapshot_rejected.clone()
    }
}

impl<E: Environment> RaftNetworkFactory<Types<E>> for PeerNetworkFactory<E> {
    type Network = PeerNetwork<E>;

    async fn new_client(&mut self, target: NodeId, node: &Member) -> PeerNetwork<E> {
        PeerNetwork {
            peers: self.peers.clone(),
            group: self.group,
            snapshot_rejected: self.snapshot_rejected.clone(),
            target,
            member: node.clone(),
        }
    }
}

/// openraft's client for one peer. Costs nothing: the connection behind it is shared.
#[derive(Clone, Debug)]
pub struct PeerNetwork<E: Environment> {
    peers: Peers<E>,
    group: GroupId,
    snapshot_rejected: Arc<Notify>,
    target: NodeId,
    member: Member,
}

impl<E: Environment> PeerNetwork<E> {
    async fn call<Q: Encode, A: Decode>(
        &self,
        kind: FrameKind,
        request: &Q,
        option: &RPCOption,
    ) -> Result<A, RPCError<Types<E>>> {
        let deadline = self.peers.environment().now() + option.soft_ttl();
        let payload = request.encode();
        let called = async {
            let address = &self.member.peer_address;
            let connection = self.peers.connection(self.target, address, Lane::Control, deadline).await?;
            let request = CallRequest { kind, group: self.group, application_kind: None, payload: &payload };
            connection.call(request, deadline).await
        };
        let answer = called.await.map_err(|error: CallError| rpc_error(self.target, error))?;
        A::decode(answer).map_err(|error| network_error(format!("malformed answer: {error}")))
    }
}

type AppendAnswer<E> = Result<StreamAppendResult<Types<E>>, RPCError<Types<E>>>;

impl<E: Environment> PeerNetwork<E> {
    /// Opens an append stream when its first request comes.
    ///
    /// openraft's pause after a failure passes while it is asked for the next request. If a failed dial
    /// were reported before that, openraft would come back at once, and so on without end. Hence the
    /// connection is looked for only after the first request has come, and every failure is an item of
    /// the stream.
    async fn append_stream<S>(self, mut input: S, option: RPCOption) -> BoxStream<'static, AppendAnswer<E>>
    where
        S: Stream<Item = AppendEntriesRequest<Types<E>>> + Send + Unpin + 'static,
    {
        let Some(first) = input.next().await else { return Box::pin(stream::empty()) };
        let environment = self.peers.environment().clone();
        let deadline = environment.now() + option.soft_ttl();
        let settings = AppendStreamSettings {
            from: self.peers.node(),
            to: self.target,
            group: self.group,
            response_timeout: option.soft_ttl().max(APPEND_RESPONSE_TIMEOUT_MIN),
        };
        let opened = self
            .peers
            .connection(self.target, &self.member.peer_address, Lane::Control, deadline)
            .await
            .map_err(|error| rpc_error(self.target, error.into()))
            .and_then(|connection| AppendStream::open(environment, connection, settings, first, input));
        match opened {
            Ok(stream) => Box::pin(stream.into_answers()),
            Err(error) => Box::pin(stream::once(ready(Err(error)))),
        }
    }
}

impl<E: Environment> RaftNetworkV2<Types<E>> for PeerNetwork<E> {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<E>>, RPCError<Types<E>>> {
        self.call(FrameKind::AppendEntries, &request, &option).await
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types<E>>, RPCError<Types<E>>>>, RPCError<Types<E>>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types<E>>> + OptionalSend + Unpin + 'static,
    {
        let answers = self.clone().append_stream(input, option).flatten_stream();
        Box::pin(async move { Ok(Box::pin(answers) as BoxStream<'s, _>) })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types<E>>, RPCError<Types<E>>> {
        self.call(FrameKind::Vote, &request, &option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types<E>>, RPCError<Types<E>>> {
        self.call(FrameKind::PreVote, &request, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types<E>>, StreamingError<Types<E>>> {
        let deadline = self.peers.environment().now() + option.soft_ttl().max(Duration::from_secs(1));
        let connection = self
            .peers
            .connection(self.target, &self.member.peer_address, Lane::Bulk, deadline)
            .await
            .map_err(|error| StreamingError::from(rpc_error(self.target, error.into())))?;
        let (environment, rejected) = (self.peers.environment(), &*self.snapshot_rejected);
        send_snapshot(environment, &connection, self.group, self.target, vote, snapshot, rejected, cancel)
            .await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<E>>, RPCError<Types<E>>> {
        self.call(FrameKind::TransferLeader, &request, &option).await
    }

    fn backoff(&self) -> Option<Backoff> {
        if self.target.is_unclaimed() {
            return Some(Backoff::new(std::iter::repeat(UNCLAIMED_PAUSE)));
        }
        let environment = self.peers.environment().clone();
        Some(Backoff::new((0..).map(move |failures| environment.jitter(dial_backoff(failures)))))
    }
}
