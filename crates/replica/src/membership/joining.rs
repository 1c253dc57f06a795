//! How a node with an empty directory becomes a member of a cluster that exists.
//!
//! It knows addresses of members. It asks who answers there, and then presents itself, as a guest (it has no
//! cluster yet, so this is all that it may do). Whoever it asks passes that on to the leader. As soon as the
//! log has it, the leader dials it by its exact incarnation; on that it adopts the cluster, exactly as an
//! initial member does ([`crate::formation`]).
//!
//! All of it can be repeated: a node that has presented itself and does not know what became of it presents
//! itself again, until it finds itself in the committed membership.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{Member, Wanted};
use quorate_environment::Environment;
use quorate_peer::{Gatekeeper, Hello, Introduction, RejectCode, call_once, probe};
use tokio_util::sync::CancellationToken;

use super::change::{Joining, MemberRequest};
use super::error::MemberError;
use super::wire::{ForwardedMemberRequest, MemberReply};
use crate::replica::{Replica, pause};
use crate::wire::kind;

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the leader may take to write a new member down.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait between attempts.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);
/// How long a node that has been written down waits for the leader before it presents itself again.
const DIAL_PATIENCE: Duration = Duration::from_secs(3);

/// Presents this node to a cluster.
pub(crate) struct Joiner<E: Environment> {
    pub(crate) replica: Replica<E>,
    /// Peer addresses of members.
    pub(crate) addresses: Vec<String>,
    /// Whether the node is to stay a learner.
    pub(crate) stays_learner: bool,
}

/// Why an attempt has not made this node a member.
enum NotYet {
    /// It may work later.
    Later(String),
    /// It never will.
    Never(String),
}

impl<E: Environment> Joiner<E> {
    /// Tries until this node is a member that is served, it turns out that it cannot become one, or until
    /// `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let inner = self.replica.inner();
        let mut told: Option<String> = None;
        // One that is a member already only has to wait, as a rule.
        if self.is_member() && !self.await_done(DIAL_PATIENCE, &shutdown).await {
            return;
        }
        while !self.is_done() {
            let attempt = match E::Runtime::select2(shutdown.cancelled(), self.attempt()).await {
                Select2::First(()) => return,
                Select2::Second(attempt) => attempt,
            };
            let patience = match attempt {
                Ok(()) => DIAL_PATIENCE,
                Err(NotYet::Never(reason)) => {
                    inner.breakdown.report(&format!("this node cannot join the cluster: {reason}"));
                    return;
                }
                Err(NotYet::Later(reason)) => {
                    if told.as_ref() != Some(&reason) {
                        tracing::warn!(reason, "this node has not joined the cluster yet");
                        told = Some(reason);
                    }
                    inner.environment.jitter(ATTEMPT_INTERVAL)
                }
            };
            if !self.await_done(patience, &shutdown).await {
                return;
            }
        }
        tracing::info!(node = %inner.directory.node_id(), "this node is a member of the cluster");
    }

    /// Whether this node finds itself in the committed membership.
    fn is_member(&self) -> bool {
        let inner = self.replica.inner();
        let metrics = inner.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.committed_membership_config.membership().get_node(&inner.directory.node_id()).is_some()
    }

    /// Whether this node is a member, and the leader of its cluster talks to it.
    fn is_done(&self) -> bool {
        let inner = self.replica.inner();
        self.is_member() && inner.freshness.age(inner.environment.now()).is_some()
    }

    /// Waits until there is nothing left to do, but not longer than `patience`. False at `shutdown`.
    async fn await_done(&self, patience: Duration, shutdown: &CancellationToken) -> bool {
        let environment = &self.replica.inner().environment;
        let end = environment.now() + patience;
        while !self.is_done() && environment.now() < end {
            let step = ATTEMPT_INTERVAL.min(end.saturating_since(environment.now()));
            if !pause(environment, shutdown, step).await {
                return false;
            }
        }
        true
    }

    /// Presents this node to the first member that can be reached.
    async fn attempt(&self) -> Result<(), NotYet> {
        let mut reasons = Vec::new();
        for address in &self.addresses {
            match self.present_at(address).await {
                Err(NotYet::Later(reason)) => reasons.push(reason),
                result => return result,
            }
        }
        Err(NotYet::Later(reasons.join("; ")))
    }

    async fn present_at(&self, address: &str) -> Result<(), NotYet> {
        let inner = self.replica.inner();
        let introduction = inner.gate.introduction();
        let by = self.probe(&introduction, address).await?;
        if by.node == introduction.node {
            return Err(NotYet::Later(format!("{address} is this node itself")));
        }
        if by.cluster.is_none() {
            return Err(NotYet::Later(format!("{address} is not part of a cluster yet")));
        }
        if self.is_member() {
            // It has been found that this is not another cluster: there is nothing to ask for.
            return Ok(());
        }
        let wanted = if self.stays_learner { Wanted::Learner } else { Wanted::Voter };
        let request = ForwardedMemberRequest {
            request_id: inner.environment.random_u64(),
            hops: 0,
            request: MemberRequest::Join(Joining {
                node: introduction.node,
                member: Member { wanted, ..introduction.member.clone() },
                may_be_added: true,
            }),
        };
        let payload = request.encode();
        let deadline = inner.environment.now() + JOIN_TIMEOUT;
        let to = (by.node, address);
        let called =
            call_once(&inner.environment, introduction, to, inner.group, (kind::MEMBERS, &payload), deadline);
        let later = |reason: String| NotYet::Later(format!("{address}: {reason}"));
        let reply = called.await.map_err(|error| later(error.to_string()))?;
        match MemberReply::decode(reply).map_err(|error| later(error.to_string()))?.0 {
            Ok(_) => {
                tracing::info!(cluster = %by.cluster, %address, "this node has been written down as a member");
                Ok(())
            }
            Err(
                error @ (MemberError::Exists { .. }
                | MemberError::NotAMember { .. }
                | MemberError::Invalid { .. }),
            ) => Err(NotYet::Never(error.to_string())),
            Err(error) => Err(later(error.to_string())),
        }
    }

    async fn probe(&self, introduction: &Introduction, address: &str) -> Result<Introduction, NotYet> {
        let inner = self.replica.inner();
        let hello = Hello::probe_anybody(introduction.clone());
        let deadline = inner.environment.now() + PROBE_TIMEOUT;
        match probe(&inner.environment, address, &hello, deadline).await {
            Ok(welcome) => Ok(welcome.by),
            Err(error) => Err(match error.reject() {
                Some(reject) if reject.code == RejectCode::WrongCluster => NotYet::Never(format!(
                    "{error}. The data directory of this node belongs to another cluster: give the right addresses \
                     with --join, or start it as a new node with --force-new"
                )),
                _ => NotYet::Later(error.to_string()),
            }),
        }
    }
}
