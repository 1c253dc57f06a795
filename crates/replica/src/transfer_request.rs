//! The way of a request to hand leadership over, from whatever node it arrives at to the leader.
//!
//! It can be repeated: handing over to the member that leads already does nothing. So one whose answer is lost
//! is asked again, if it names a member; if it does not, it is done as soon as another node leads.

use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{Member, NodeId};
use quorate_environment::Environment;
use std::time::Duration;

use crate::context::RequestContext;
use crate::leadership::{Leader, await_leader};
use crate::replica::{RETRY_AFTER, Replica};
use crate::transfer::unavailable;
use crate::transfer_error::TransferError;
use crate::transfer_wire::{TransferReply, TransferRequest};
use crate::wire::kind;

/// How often a request may be passed from node to node.
const HOPS_MAX: u8 = 2;
/// How long to wait before the leader is asked again.
const RETRY_DELAY: Duration = Duration::from_millis(20);

impl<E: Environment> Replica<E> {
    /// Hands leadership to the member `to`, or to the voter that is best suited, whatever node this is. Returns
    /// the member that leads then. No write fails because of it, and none waits for longer than an election
    /// takes, which nobody's timeout delays.
    pub async fn transfer_leadership(
        &self,
        context: &RequestContext,
        to: Option<u64>,
    ) -> Result<u64, TransferError> {
        let inner = self.inner();
        let mut refusal = unavailable("no leader is known");
        // Whoever led when this request first reached the leader.
        let mut asked: Option<NodeId> = None;
        loop {
            if inner.shutdown.is_cancelled() || self.damage().is_some() {
                return Err(TransferError::ShuttingDown);
            }
            let leader = await_leader::<E>(&inner.environment, &inner.raft, context.deadline).await;
            let Some(leader) = leader else { return Err(refusal) };
            let leader_id = match &leader {
                Leader::Here => inner.directory.node_id(),
                Leader::There(node, _) => *node,
            };
            let is_done = asked.is_some_and(|before| before != leader_id);
            if is_done && to.is_none_or(|to| to == leader_id.member) {
                return Ok(leader_id.member);
            }
            refusal = match self.transfer_once(context, &leader, to).await {
                Err(error @ TransferError::Unavailable { .. }) => error,
                Err(error @ TransferError::Unknown { .. }) => {
                    asked = asked.or(Some(leader_id));
                    error
                }
                result => return result,
            };
            let pause = inner.environment.jitter(RETRY_DELAY);
            if context.hops > 0 || inner.environment.now() + pause >= context.deadline {
                return Err(refusal);
            }
            inner.environment.sleep(pause).await;
        }
    }

    async fn transfer_once(
        &self,
        context: &RequestContext,
        leader: &Leader,
        to: Option<u64>,
    ) -> Result<u64, TransferError> {
        match leader {
            Leader::Here => self.hand_over(to, context.deadline).await.map(|leader| leader.member),
            Leader::There(node, member) => self.transfer_there(context, *node, member, to).await,
        }
    }

    async fn transfer_there(
        &self,
        context: &RequestContext,
        node: NodeId,
        member: &Member,
        to: Option<u64>,
    ) -> Result<u64, TransferError> {
        if context.hops >= HOPS_MAX {
            return Err(unavailable("the nodes do not agree about who leads"));
        }
        let request = TransferRequest { request_id: context.request_id, hops: context.hops + 1, to };
        let (inner, deadlines) = (self.inner(), self.deadlines_of_hop(context.deadline));
        let payload = request.encode();
        let call =
            inner.peers.call(node, member, inner.group, kind::TRANSFER_LEADERSHIP, &payload, deadlines);
        let reply = match call.await {
            Ok(reply) => reply,
            Err(error) if error.is_certainly_not_begun() => {
                let reason = format!("leader {node}: {error}");
                return Err(TransferError::Unavailable { reason, retry_after: RETRY_AFTER });
            }
            Err(error) => return Err(TransferError::Unknown { reason: format!("leader {node}: {error}") }),
        };
        match TransferReply::decode(reply) {
            Ok(TransferReply(Err(TransferError::ShuttingDown))) => Err(unavailable("the leader is stopping")),
            Ok(TransferReply(result)) => result,
            Err(error) => Err(TransferError::Unknown { reason: format!("the answer of {node}: {error}") }),
        }
    }
}
