//! Answers what other replicas ask of this one.

use bytes::Bytes;
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, NodeId};
use quorate_environment::{Environment, Moment};
use quorate_peer::PeerHandler;

use crate::context::{Principal, RequestContext};
use crate::leadership::{Leader, known_leader};
use crate::raft::Raft;
use crate::replica::Replica;
use crate::wire::{ForwardedWrite, ReadIndexReply, WriteReply, kind};

impl<E: Environment> PeerHandler<E> for Replica<E> {
    type Raft = Raft<E>;

    fn raft(&self, group: GroupId) -> Option<Raft<E>> {
        (group == self.inner().group).then(|| self.inner().raft.clone())
    }

    async fn call(
        &self,
        from: NodeId,
        group: GroupId,
        kind: u8,
        payload: Bytes,
        deadline: Moment,
    ) -> Result<Bytes, String> {
        if group != self.inner().group {
            return Err(format!("this node has no Raft group {group}"));
        }
        match kind {
            kind::WRITE => {
                let write = ForwardedWrite::decode(payload).map_err(|error| error.to_string())?;
                tracing::trace!(%from, request = write.request_id, "a write was passed on to this node");
                let context = RequestContext {
                    principal: Principal::Anonymous,
                    deadline,
                    request_id: write.request_id,
                    hops: write.hops,
                };
                Ok(WriteReply(self.write(&context, write.command).await).encode())
            }
            kind::READ_INDEX => {
                let reply = if known_leader::<E>(&self.inner().raft) == Some(Leader::Here) {
                    self.inner().read_indexer.read_index(deadline).await.map(|read_index| read_index.index)
                } else {
                    Err("this node does not lead".to_owned())
                };
                Ok(ReadIndexReply(reply).encode())
            }
            unknown => Err(format!("requests of kind {unknown} are not known to this release")),
        }
    }
}
