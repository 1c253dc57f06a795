//! The way of a verb: to the leader, into the log.
//!
//! Verbs are idempotent, so that an attempt with an unknown outcome is simply followed by another one.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::metrics::RaftServerMetrics;
use openraft::raft::Precondition;
use openraft_rt::Instant;
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{LogId, Member, NodeId, StoredMembership};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use quorate_peer::CallDeadlines;

use super::change::{MemberChange, MemberRequest};
use super::error::MemberError;
use super::plan::{plan, waits_for_silence};
use super::situation::{Contact, Situation};
use super::view::MembersView;
use super::wire::{ForwardedMemberRequest, MemberReply};
use crate::context::RequestContext;
use crate::leadership::{Leader, await_leader, known_leader};
use crate::raft::Types;
use crate::replica::{RETRY_AFTER, Replica};
use crate::wire::kind;

/// How often a request may be passed from node to node.
const HOPS_MAX: u8 = 2;
/// How long to wait before another attempt.
const RETRY_DELAY: Duration = Duration::from_millis(20);
/// How much earlier than this node's own the deadline is that a request is passed on with, at most.
const HOP_MARGIN_MAX: Duration = Duration::from_millis(100);
/// A node that has not answered for so many of the longest election timeouts is out of reach.
const SILENCE_TIMEOUTS: u32 = 4;

/// Why the membership was not changed by an attempt of this node's Raft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeFailure {
    /// The membership is another one by now, or is being changed.
    #[error("the members have been changed meanwhile")]
    Overtaken,
    /// This node does not lead (any more); nothing was proposed.
    #[error("this node does not lead, or cannot reach a quorum")]
    NotLeader,
    /// It makes no valid membership.
    #[error("{0}")]
    Invalid(String),
    /// It may have been proposed.
    #[error("{0}")]
    Unknown(String),
}

/// Why an attempt has no result.
struct Failed {
    reason: String,
    /// Whether it may have changed something.
    is_unknown: bool,
}

impl Failed {
    fn definite(reason: impl Display) -> Self {
        Self { reason: reason.to_string(), is_unknown: false }
    }

    fn unknown(reason: impl Display) -> Self {
        Self { reason: reason.to_string(), is_unknown: true }
    }
}

impl<E: Environment> Replica<E> {
    /// The members, as this node knows them now. What is not committed is not shown.
    pub fn members(&self) -> MembersView {
        let inner = self.inner();
        let (committed, leader) = {
            let metrics = inner.raft.server_metrics();
            let metrics = metrics.borrow_watched();
            (known_membership::<E>(&metrics), metrics.current_leader)
        };
        let mut view = MembersView::of(&committed, leader);
        let (contacts, last_index) = self.contacts();
        let me = inner.directory.node_id();
        for member in &mut view.members {
            let Some(node) = member.node else { continue };
            if let Some(contact) = contacts.get(&node).copied().filter(|_| leader == Some(me)) {
                let is_me = node == me;
                member.matched_index = if is_me { Some(last_index) } else { contact.matched };
                member.lag = member.matched_index.map(|matched| last_index.saturating_sub(matched));
                member.is_reachable = Some(is_me || contact.is_reachable);
            }
        }
        view
    }

    /// Writes down what is wanted of the members, on whatever node leads, before the context's deadline.
    /// Returns when the intention is committed; the leader then works towards it
    /// ([`Replica::await_member`] waits for that).
    pub async fn change_members(
        &self,
        context: &RequestContext,
        change: MemberChange,
    ) -> Result<MembersView, MemberError> {
        if let MemberChange::Add { member: 0, .. } | MemberChange::Replace { new: 0, .. } = change {
            return Err(MemberError::Invalid { reason: "member numbers start at 1".to_owned() });
        }
        self.ask_leader(context, &MemberRequest::Change(change)).await
    }

    /// Waits until nothing of what is wanted of a member is left to do, as this node knows it, or until the
    /// context's deadline.
    pub async fn await_member(
        &self,
        context: &RequestContext,
        member: u64,
    ) -> Result<MembersView, MemberError> {
        let inner = self.inner();
        let mut changes = inner.raft.server_metrics();
        loop {
            let view = self.members();
            if view.is_settled(member) {
                return Ok(view);
            }
            match inner.environment.timeout_at(context.deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(MemberError::ShuttingDown),
                Err(_) => {
                    let reason = view.what_is_left(member);
                    return Err(MemberError::Unfinished { reason });
                }
            }
        }
    }

    /// Has the leader carry out a request. Tries again until the deadline.
    pub(crate) async fn ask_leader(
        &self,
        context: &RequestContext,
        request: &MemberRequest,
    ) -> Result<MembersView, MemberError> {
        let inner = self.inner();
        let mut failed = Failed::definite("no leader is known");
        loop {
            if let Some(reason) = self.damage() {
                return Err(MemberError::Unavailable { reason, retry_after: RETRY_AFTER });
            }
            if inner.shutdown.is_cancelled() {
                return Err(MemberError::ShuttingDown);
            }
            let leader = await_leader::<E>(&inner.environment, &inner.raft, context.deadline).await;
            let attempt = match leader {
                None => Err(Failed { reason: failed.reason.clone(), is_unknown: false }),
                Some(Leader::Here) => self.change_here(context, request).await,
                Some(Leader::There(node, member)) => self.change_there(context, request, node, &member).await,
            };
            match attempt {
                // An earlier attempt may have done it.
                Ok(Err(MemberError::UnknownMember { .. })) if failed.is_unknown => return Ok(self.members()),
                Ok(result) => return result,
                Err(attempt) => {
                    let is_unknown = attempt.is_unknown || failed.is_unknown;
                    failed = Failed { is_unknown, ..attempt };
                }
            }
            let pause = inner.environment.jitter(RETRY_DELAY);
            if inner.environment.now() + pause >= context.deadline {
                let reason = failed.reason;
                return Err(match failed.is_unknown {
                    true => MemberError::OutcomeUnknown { reason },
                    false => MemberError::Unavailable { reason, retry_after: RETRY_AFTER },
                });
            }
            inner.environment.sleep(pause).await;
        }
    }

    /// One attempt on this node, which leads.
    async fn change_here(
        &self,
        context: &RequestContext,
        request: &MemberRequest,
    ) -> Result<Result<MembersView, MemberError>, Failed> {
        let inner = self.inner();
        // What is answered without a change to the log rests on a quorum too: a leader that was replaced
        // without having noticed may know members that are gone.
        self.catch_up(context.deadline).await.map_err(Failed::definite)?;
        let mut changes = inner.raft.server_metrics();
        loop {
            if known_leader::<E>(&inner.raft) != Some(Leader::Here) {
                return Err(Failed::definite("this node does not lead any more"));
            }
            let Some((log_id, situation)) = self.situation().filter(|(_, situation)| !situation.is_joint())
            else {
                match inner.environment.timeout_at(context.deadline, changes.changed()).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) => return Ok(Err(MemberError::ShuttingDown)),
                    Err(_) => {
                        let reason = "it has not been committed yet".to_owned();
                        return Ok(Err(MemberError::InProgress { reason, retry_after: RETRY_AFTER }));
                    }
                }
            };
            let change = match plan(request, &situation) {
                Ok(Some(change)) => change,
                Ok(None) => return Ok(Ok(self.members())),
                // A node that was stopped a moment ago counts as one that answers for a while.
                Err(_) if self.may_fall_silent(request, &situation, context.deadline) => {
                    inner.environment.sleep(RETRY_DELAY).await;
                    continue;
                }
                Err(refused) => return Ok(Err(refused)),
            };
            tracing::info!(?request, request_id = %format_args!("{:016x}", context.request_id), "changing the members as asked");
            match self.change_membership(change, log_id, context.deadline).await {
                Ok(()) => return Ok(Ok(self.members())),
                Err(ChangeFailure::Overtaken) => inner.environment.sleep(RETRY_DELAY).await,
                Err(ChangeFailure::Invalid(reason)) => return Ok(Err(MemberError::Invalid { reason })),
                Err(failure @ ChangeFailure::NotLeader) => return Err(Failed::definite(failure)),
                Err(failure @ ChangeFailure::Unknown(_)) => return Err(Failed::unknown(failure)),
            }
            if inner.environment.now() >= context.deadline {
                let reason = "others come first again and again".to_owned();
                return Ok(Err(MemberError::InProgress { reason, retry_after: RETRY_AFTER }));
            }
        }
    }

    /// Whether the request waits for a node to fall silent, and may see it in time.
    fn may_fall_silent(&self, request: &MemberRequest, situation: &Situation, deadline: Moment) -> bool {
        let MemberRequest::Change(MemberChange::Replace { old, new, .. }) = request else { return false };
        let is_in_time = self.inner().environment.now() + 2 * RETRY_DELAY < deadline;
        is_in_time && waits_for_silence(*old, *new, situation)
    }

    /// One attempt on another node, which leads.
    async fn change_there(
        &self,
        context: &RequestContext,
        request: &MemberRequest,
        node: NodeId,
        member: &Member,
    ) -> Result<Result<MembersView, MemberError>, Failed> {
        if context.hops >= HOPS_MAX {
            return Err(Failed::definite(format!("it was passed on {} times", context.hops)));
        }
        let inner = self.inner();
        let forwarded = ForwardedMemberRequest {
            request_id: context.request_id,
            hops: context.hops + 1,
            request: request.clone(),
        };
        let left = context.deadline.saturating_since(inner.environment.now());
        let margin = (left / 10).min(HOP_MARGIN_MAX);
        let deadlines = CallDeadlines { peer: context.deadline - margin, caller: context.deadline };
        let payload = forwarded.encode();
        let call = inner.peers.call(node, member, inner.group, kind::MEMBERS, &payload, deadlines);
        let reply = match call.await {
            Ok(reply) => reply,
            Err(error) => {
                let is_unknown = !error.is_certainly_not_begun();
                return Err(Failed { reason: format!("leader {node}: {error}"), is_unknown });
            }
        };
        match MemberReply::decode(reply) {
            Ok(MemberReply(Err(MemberError::OutcomeUnknown { reason }))) => Err(Failed::unknown(reason)),
            Ok(MemberReply(Err(error @ (MemberError::Unavailable { .. } | MemberError::ShuttingDown)))) => {
                Err(Failed::definite(format!("node {node}: {error}")))
            }
            Ok(MemberReply(result)) => Ok(result),
            Err(error) => Err(Failed::unknown(format!("the answer of {node}: {error}"))),
        }
    }

    /// Has this node's Raft change the membership, if `expected` is still the newest one. Returns when the
    /// change is committed and this node shows it.
    pub(crate) async fn change_membership(
        &self,
        change: ChangeMembers<NodeId, Member>,
        expected: Option<LogId>,
        deadline: Moment,
    ) -> Result<(), ChangeFailure> {
        let inner = self.inner();
        let precondition = Precondition::LastMembershipLogId { last_membership_log_id: expected };
        let changing = inner.raft.change_membership_if(change, true, [precondition]);
        let changed = match inner.environment.timeout_at(deadline, changing).await {
            Ok(Ok(changed)) => changed,
            Ok(Err(error)) => return Err(change_failure(error)),
            Err(_) => return Err(ChangeFailure::Unknown("it was not committed in time".to_owned())),
        };
        let mut metrics = inner.raft.server_metrics();
        let index = changed.log_id.index();
        let is_shown = |metrics: &RaftServerMetrics<Types<E>>| {
            metrics.committed_membership_config.log_id().is_some_and(|shown| shown.index() >= index)
        };
        while !is_shown(&metrics.borrow_watched()) {
            match inner.environment.timeout_at(deadline, metrics.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
        }
        Ok(())
    }

    /// What this node knows as the leader, with the log ID of the membership. `None` if it does not lead, or
    /// if the newest membership is not committed.
    pub(crate) fn situation(&self) -> Option<(Option<LogId>, Situation)> {
        let me = self.inner().directory.node_id();
        let stored = {
            let metrics = self.inner().raft.server_metrics();
            let metrics = metrics.borrow_watched();
            let is_committed = metrics.committed_membership_config == metrics.membership_config;
            if metrics.current_leader != Some(me) || !is_committed {
                return None;
            }
            metrics.membership_config.clone()
        };
        let (contacts, last_index) = self.contacts();
        let membership = stored.membership().clone();
        Some((*stored.log_id(), Situation { me, membership, last_index, contacts }))
    }

    /// What this node knows as the leader of the others, and the end of its log.
    fn contacts(&self) -> (BTreeMap<NodeId, Contact>, u64) {
        let metrics = self.inner().raft.metrics();
        let metrics = metrics.borrow_watched();
        let silence_max = self.inner().options.election_timeout_max() * SILENCE_TIMEOUTS;
        let answered = |node: &NodeId| {
            let last = metrics.heartbeat.as_ref()?.get(node)?.as_ref()?;
            Some(last.elapsed() <= silence_max)
        };
        let replication = metrics.replication.iter().flatten();
        let contacts = replication.map(|(node, matched)| {
            let matched = matched.as_ref().map(|log_id| log_id.index());
            (*node, Contact { matched, is_reachable: answered(node).unwrap_or(false) })
        });
        (contacts.collect(), metrics.last_log_index.unwrap_or(0))
    }
}

/// The membership that this node shows and goes by: the committed one. A newer one may still vanish.
pub(crate) fn known_membership<E: Environment>(
    metrics: &RaftServerMetrics<Types<E>>,
) -> Arc<StoredMembership> {
    match mutant::active(Mutant::AddressChangeBeforeCommit) {
        true => metrics.membership_config.clone(),
        false => metrics.committed_membership_config.clone(),
    }
}

/// What openraft's refusal means.
fn change_failure<C>(error: RaftError<C, ClientWriteError<C>>) -> ChangeFailure
where
    C: openraft::RaftTypeConfig,
{
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ChangeFailure::NotLeader,
        RaftError::APIError(ClientWriteError::PreconditionFailed(_))
        | RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(
            _,
        ))) => ChangeFailure::Overtaken,
        RaftError::APIError(error @ ClientWriteError::LogEntryDiscarded(_)) => {
            ChangeFailure::Unknown(error.to_string())
        }
        RaftError::APIError(error) => ChangeFailure::Invalid(error.to_string()),
        RaftError::Fatal(error) => ChangeFailure::Unknown(error.to_string()),
    }
}
