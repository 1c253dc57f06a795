//! The way of a write, on the node that it arrives at and on the one that leads.
//!
//! A write takes a share of the node's budget of bytes in flight, finds out who leads, and either
//! joins the next proposal here ([`crate::proposer`]) or is passed on to the leader's replica, with what
//! is left of its one deadline. What is definite ("not the leader", "not reachable") is tried again until
//! the deadline; what is unknown is reported as unknown at once, because trying again could apply the
//! write twice.

use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{Member, NodeId};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, InvalidTransaction, Outcome};
use quorate_peer::CallDeadlines;
use tracing::Instrument;

use crate::context::RequestContext;
use crate::errors::WriteError;
use crate::leadership::{Leader, await_leader, known_leader};
use crate::proposer::ProposeResult;
use crate::replica::{RETRY_AFTER, Replica};
use crate::wire::{ForwardedWrite, WriteReply, kind};

/// How often a write may be passed from node to node. One hop finds a stable leader; more only help
/// while leadership moves.
const HOPS_MAX: u8 = 2;
/// How long to wait before a definite failure is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(10);
/// How much earlier than this node's own the deadline is that a request is passed on with, at most.
const HOP_MARGIN_MAX: Duration = Duration::from_millis(100);
/// What a command costs in memory besides its key and value.
const COMMAND_OVERHEAD_BYTES: usize = 256;

impl<E: Environment> Replica<E> {
    /// Runs one command to its outcome, on whatever node leads, before the context's deadline. A transaction
    /// that cannot be done, whatever the state, is refused here and proposed nowhere.
    ///
    /// An unknown outcome is not looked into here, even if the write is a part of a session and so could be
    /// sent again safely: that is for the client, who knows how long it wants to wait.
    ///
    /// Cancellation: a dropped call leaves the outcome unknown.
    pub async fn write(&self, context: &RequestContext, command: Command) -> Result<Outcome, WriteError> {
        if command.encoded_bytes() > Command::ENCODED_BYTES_MAX {
            return Err(WriteError::TooLarge { maximum: Command::ENCODED_BYTES_MAX as u64 });
        }
        if let Err(invalid) = check_transaction(&command) {
            return Ok(Outcome::TransactionRefused(invalid));
        }
        let inner = self.inner();
        let cost = COMMAND_OVERHEAD_BYTES + command.encoded_bytes();
        let Some(_share) = inner.bytes_in_flight.take(cost) else {
            return Err(match inner.leaving.is_cancelled() {
                true => WriteError::ShuttingDown,
                false => WriteError::Overloaded { retry_after: RETRY_AFTER },
            });
        };
        let unavailable = |reason| Err(WriteError::Unavailable { reason, retry_after: RETRY_AFTER });
        let mut reason = "no leader is known".to_owned();
        loop {
            if let Some(reason) = self.damage() {
                return Err(WriteError::Damaged { reason });
            }
            if inner.shutdown.is_cancelled() {
                return Err(WriteError::ShuttingDown);
            }
            let Some(leader) = self.leader_for(context).await else { return unavailable(reason) };
            match self.write_once(context, &leader, &command).await {
                Ok(result) => return result,
                Err(definite) => reason = definite,
            }
            if known_leader::<E>(&inner.raft).is_some_and(|now| now != leader) && !self.sends_back(context) {
                continue;
            }
            let pause = inner.environment.jitter(RETRY_DELAY);
            if self.sends_back(context) || inner.environment.now() + pause >= context.deadline {
                return unavailable(reason);
            }
            inner.environment.sleep(pause).await;
        }
    }

    /// The leader, for which the request waits at most until its deadline. This node is no help to others
    /// when it is leaving and does not lead.
    async fn leader_for(&self, context: &RequestContext) -> Option<Leader> {
        let inner = self.inner();
        let leader = await_leader::<E>(&inner.environment, &inner.raft, context.deadline);
        if context.hops == 0 {
            return leader.await;
        }
        match E::Runtime::select2(leader, inner.leaving.cancelled()).await {
            Select2::First(leader) => {
                leader.filter(|leader| *leader == Leader::Here || !self.sends_back(context))
            }
            Select2::Second(()) => None,
        }
    }

    /// Whether the request should go back to the node that has passed it on to this one, which is leaving:
    /// that node can try again elsewhere.
    fn sends_back(&self, context: &RequestContext) -> bool {
        context.hops > 0 && self.inner().leaving.is_cancelled()
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
        if !self.has_room_for(command) {
            return Ok(Err(WriteError::DiskFull));
        }
        let proposing = self.inner().proposer.propose(command.clone(), context.deadline);
        match proposing.instrument(tracing::debug_span!("propose")).await {
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
        let (inner, deadlines) = (self.inner(), self.deadlines_of_hop(context.deadline));
        let call = inner.peers.call(node_id, member, inner.group, kind::WRITE, &payload, deadlines);
        let reply: Bytes = match call.instrument(tracing::debug_span!("forward", to = %node_id)).await {
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
                | WriteError::ShuttingDown
                | WriteError::Damaged { .. }),
            ))) => Err(format!("node {node_id}: {error}")),
            Ok(WriteReply(Err(error))) => Ok(Err(error)),
            Err(error) => {
                Ok(Err(WriteError::Unknown { reason: format!("the answer of {node_id}: {error}") }))
            }
        }
    }

    /// The deadlines of a request that is passed on. The other node has a little less time, so that a
    /// definite answer that it gives at the last moment still arrives here in time.
    pub(crate) fn deadlines_of_hop(&self, deadline: Moment) -> CallDeadlines {
        let left = deadline.saturating_since(self.inner().environment.now());
        let margin = (left / 10).min(HOP_MARGIN_MAX);
        CallDeadlines { peer: deadline - margin, caller: deadline }
    }

    /// Whether this node, which leads, and the voters that follow it have room on their disks. What stores
    /// no value may help to make room, and is refused only when not much of the reserve is left.
    pub(crate) fn has_room_for(&self, command: &Command) -> bool {
        let inner = self.inner();
        if !command.has_puts() {
            return inner.storage.has_room_for_deletes();
        }
        inner.storage.has_room() && !self.a_voter_lacks_room()
    }

    fn a_voter_lacks_room(&self) -> bool {
        let lacking = self.inner().follower_reports.lacking_room(self.inner().environment.now());
        if lacking.is_empty() {
            return false;
        }
        let metrics = self.inner().raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        membership.voter_ids().any(|voter| lacking.contains(&voter))
    }
}

/// Whether a command has a transaction that could not be done.
fn check_transaction(command: &Command) -> Result<(), InvalidTransaction> {
    match command {
        Command::Transaction(transaction) => transaction.check(),
        Command::InSession(in_session) => check_transaction(in_session.command()),
        _ => Ok(()),
    }
}
