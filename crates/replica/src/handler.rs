//! Answers what other replicas ask of this one.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, NodeId, SnapshotMeta};
use quorate_environment::{Environment, Moment};
use quorate_peer::{PeerHandler, Refusal, RemoteError, SnapshotCheck};
use tracing::Instrument;

use crate::context::{Principal, RequestContext};
use crate::leadership::{Leader, known_leader};
use crate::membership::{ForwardedMemberRequest, MemberReply, MemberRequest};
use crate::replica::Replica;
use crate::rounds::Confirmation;
use crate::transfer_wire::{TransferReply, TransferRequest};
use crate::vote_guard::GuardedRaft;
use crate::wire::{ForwardedWrite, ReadIndexReply, ReadIndexRequest, SnapshotRequest, WriteReply, kind};

/// The storage's judgement of the snapshots that peers send.
struct ReceivedSnapshots(quorate_storage::snapshot::SnapshotCheck);

impl SnapshotCheck for ReceivedSnapshots {
    fn check_room(&self, file_bytes: u64) -> Result<(), String> {
        self.0.check_room(file_bytes).map_err(|refusal| refusal.to_string())
    }

    fn check(&self, path: &Path, meta: &SnapshotMeta) -> Result<(), String> {
        self.0.check(path, meta).map_err(|refusal| refusal.to_string())
    }
}

impl<E: Environment> PeerHandler<E> for Replica<E> {
    type Raft = GuardedRaft<E>;

    /// None once this node has been removed: others may not know it yet, and its Raft has stopped.
    fn raft(&self, group: GroupId) -> Option<GuardedRaft<E>> {
        let inner = self.inner();
        let runs = group == inner.group && !inner.departed.is_cancelled();
        runs.then(|| inner.guarded_raft.clone())
    }

    fn snapshot_check(&self) -> Arc<dyn SnapshotCheck> {
        Arc::new(ReceivedSnapshots(self.inner().storage.snapshot_check()))
    }

    async fn call(
        &self,
        from: NodeId,
        group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> Result<Bytes, RemoteError> {
        if group != self.inner().group {
            return Err(Refusal::NotReady.into());
        }
        match kind {
            kind::WRITE => {
                let write = ForwardedWrite::decode(payload).map_err(|error| malformed(from, &error))?;
                let span = forwarded_write_span(write.request_id, from);
                span.in_scope(|| tracing::debug!("a write was passed on to this node"));
                let context = RequestContext {
                    principal: Principal::Anonymous,
                    deadline,
                    request_id: write.request_id,
                    hops: write.hops,
                };
                Ok(WriteReply(self.write(&context, write.command).instrument(span).await).encode())
            }
            kind::READ_INDEX => {
                let request =
                    ReadIndexRequest::decode_payload(payload).map_err(|error| malformed(from, &error))?;
                let mut confirmation = Confirmation::Quorum;
                if let Some(request) = request {
                    let now = self.inner().environment.now();
                    self.inner().follower_reports.note(from, request.report, now);
                    confirmation = request.confirmation;
                }
                let index = self.read_index_for_peer(from, confirmation, deadline).await;
                Ok(ReadIndexReply(index).encode())
            }
            kind::MEMBERS => self.members_for_peer(member_request(from, payload)?, deadline).await,
            kind::STANDING => self.standing_for_peer(from, deadline).await,
            kind::SNAPSHOT => {
                let request = SnapshotRequest::decode(payload).map_err(|error| malformed(from, &error))?;
                Ok(self.snapshot_piece(&request).await.encode())
            }
            kind::TRANSFER_LEADERSHIP => {
                let request = TransferRequest::decode(payload).map_err(|error| malformed(from, &error))?;
                let context = RequestContext {
                    hops: request.hops,
                    ..RequestContext::new(deadline, request.request_id)
                };
                Ok(TransferReply(self.transfer_leadership(&context, request.to).await).encode())
            }
            unknown => Err(malformed(from, &format!("requests of kind {unknown} are not known"))),
        }
    }

    /// A guest may ask to be added, and whether it is a member.
    async fn guest_call(
        &self,
        from: NodeId,
        group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> Result<Bytes, RemoteError> {
        if group != self.inner().group {
            return Err(Refusal::NotReady.into());
        }
        match kind {
            kind::MEMBERS => {
                let request = member_request(from, payload)?;
                match &request.request {
                    MemberRequest::Join(joining) if joining.node == from => {
                        self.members_for_peer(request, deadline).await
                    }
                    _ => Err(Refusal::NotAllowed.into()),
                }
            }
            kind::STANDING => self.standing_for_peer(from, deadline).await,
            _ => Err(Refusal::NotAllowed.into()),
        }
    }
}

impl<E: Environment> Replica<E> {
    async fn members_for_peer(
        &self,
        forwarded: ForwardedMemberRequest,
        deadline: Moment,
    ) -> Result<Bytes, RemoteError> {
        let ForwardedMemberRequest { request_id, hops, request } = forwarded;
        let context = RequestContext { principal: Principal::Anonymous, deadline, request_id, hops };
        Ok(MemberReply(self.ask_leader(&context, &request).await).encode())
    }

    async fn standing_for_peer(&self, from: NodeId, deadline: Moment) -> Result<Bytes, RemoteError> {
        let standing = self.standing_of(from, deadline).await;
        standing.map(|standing| standing.encode()).map_err(RemoteError::Failed)
    }

    async fn read_index_for_peer(
        &self,
        from: NodeId,
        confirmation: Confirmation,
        deadline: Moment,
    ) -> Result<u64, String> {
        if known_leader::<E>(&self.inner().raft) != Some(Leader::Here) {
            return Err("this node does not lead".to_owned());
        }
        if !self.knows_member(from) {
            return Err(format!("{from} is not a member"));
        }
        let round = self.read_index(confirmation, deadline).await;
        round.map(|read_index| read_index.index).map_err(|error| error.to_string())
    }
}

/// What a write does here that has arrived at another node. It bears the name that it was given there.
fn forwarded_write_span(request_id: u64, from: NodeId) -> tracing::Span {
    tracing::debug_span!("forwarded_write", request_id = %format_args!("{request_id:016x}"), %from)
}

fn member_request(from: NodeId, payload: Bytes) -> Result<ForwardedMemberRequest, RemoteError> {
    ForwardedMemberRequest::decode(payload).map_err(|error| malformed(from, &error))
}

/// Refuses what this release does not understand. It is certain then that nothing was done.
fn malformed(from: NodeId, reason: &impl Display) -> RemoteError {
    tracing::warn!(%from, %reason, "a peer's request cannot be understood");
    Refusal::Malformed.into()
}
