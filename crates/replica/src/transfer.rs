//! Handing leadership over on purpose.
//!
//! The leader lets the member that is to take over come close to the end of its log, then holds new proposals
//! back ([`crate::proposer`]) until what Raft has taken is through and that member has all of it, and only
//! then tells it to stand for election. The election is won without waiting for anybody's timeout; the writes
//! that were held back go to the new leader. So nobody sees a failure, and nobody waits for longer than an
//! election takes: a few flushes.
//!
//! From the moment when it hands over, Raft refuses proposals and reads on the old leader, lease reads
//! included, and that until somebody leads in a later term: a lease of the old leader cannot overlap with the
//! new one's writes.
//!
//! If the chosen member fails in the very moment, the others elect a leader by themselves, after their
//! timeouts.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::Instant;
use quorate_consensus::{NodeId, Wanted};
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use tokio::sync::Mutex;

use crate::replica::{RETRY_AFTER, Replica};
use crate::successor::{Candidate, LAG_ENTRIES_MAX, successor};
use crate::transfer_error::TransferError;

/// How long a member that is behind may take to come close to the end of the log.
const CATCH_UP_MAX: Duration = Duration::from_secs(2);
/// How long proposals are held back before the chosen member has all that is in the log. What Raft has taken
/// needs a flush or two; if they take longer than this, it is a bad moment.
const HELD_MAX: Duration = Duration::from_millis(250);

/// What handings-over share: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    turn: Mutex<()>,
}

/// The voters besides the leader, and the end of its log.
struct Electorate {
    me: NodeId,
    last_index: u64,
    candidates: Vec<Candidate>,
}

impl<E: Environment> Replica<E> {
    /// On the node that leads: has `to` lead, or the voter that is best suited. Returns who leads then: this
    /// node itself, if it was meant.
    pub(crate) async fn hand_over(&self, to: Option<u64>, deadline: Moment) -> Result<NodeId, TransferError> {
        let inner = self.inner();
        let turn = inner.environment.timeout_at(deadline, inner.transfers.turn.lock()).await;
        let _turn = turn.map_err(|_| unavailable("leadership is being handed over already"))?;
        let target = self.target(to)?;
        if target == inner.directory.node_id() {
            return Ok(target);
        }
        let skips_waiting = mutant::active(Mutant::TransferToLaggard);
        if !skips_waiting {
            self.await_lag(target, LAG_ENTRIES_MAX, self.soon(CATCH_UP_MAX, deadline)).await?;
        }
        let held_until = self.soon(HELD_MAX, deadline);
        let hold = inner.environment.timeout_at(held_until, inner.proposer.hold()).await;
        let _hold = hold.map_err(|_| unavailable("the leader's proposals do not get through"))?;
        if !skips_waiting {
            self.await_lag(target, 0, held_until).await?;
        }
        tracing::info!(to = %target, "handing leadership over");
        let triggered = inner.raft.trigger().transfer_leader(target).await;
        triggered.map_err(|_| TransferError::ShuttingDown)?;
        self.await_new_leader(target, deadline).await
    }

    /// Who is to lead, if that is possible.
    fn target(&self, to: Option<u64>) -> Result<NodeId, TransferError> {
        let electorate = self.electorate()?;
        let silence_max = self.inner().options.election_timeout_max();
        let Some(member) = to else {
            let chosen = successor(&electorate.candidates, electorate.last_index, silence_max);
            return chosen.ok_or(TransferError::NoSuccessor);
        };
        if member == electorate.me.member {
            return Ok(electorate.me);
        }
        let candidate = electorate.candidates.iter().find(|candidate| candidate.node.member == member);
        match candidate {
            Some(candidate) if candidate.answers(silence_max) => Ok(candidate.node),
            Some(_) => Err(TransferError::Unreachable { member }),
            None if self.is_member(member) => Err(TransferError::NotVoter { member }),
            None => Err(TransferError::UnknownMember { member }),
        }
    }

    /// If this node leads: a voter that is caught up and could lead in its place, and that has said that it does
    /// not mind, if `is_willing`.
    pub(crate) fn relief(&self, is_willing: bool) -> Option<NodeId> {
        let inner = self.inner();
        let Electorate { candidates, last_index, .. } = self.electorate().ok()?;
        let silence_max = inner.options.election_timeout_max();
        let willing = inner.follower_reports.willing(inner.environment.now());
        candidates
            .iter()
            .filter(|candidate| candidate.answers(silence_max) && candidate.is_caught_up(last_index))
            .filter(|candidate| !is_willing || !candidate.is_reluctant && willing.contains(&candidate.node))
            .max_by_key(|candidate| (willing.contains(&candidate.node), candidate.matched))
            .map(|candidate| candidate.node)
    }

    fn is_member(&self, member: u64) -> bool {
        let metrics = self.inner().raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().nodes().any(|(node, _)| node.member == member)
    }

    /// The voters besides this node, if it leads.
    fn electorate(&self) -> Result<Electorate, TransferError> {
        let inner = self.inner();
        let metrics = inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let (Some(matched), Some(answered)) = (&metrics.replication, &metrics.heartbeat) else {
            return Err(unavailable("this node leads no longer"));
        };
        let reluctant = inner.follower_reports.avoiding(inner.environment.now());
        let membership = metrics.membership_config.membership();
        let is_leaving =
            |node| membership.get_node(&node).is_some_and(|member| member.wanted == Wanted::Removed);
        // While the members change, only those who will still vote afterwards.
        let voters = membership.get_joint_config().last().into_iter().flatten().copied();
        let candidates = voters.filter(|voter| *voter != metrics.id).map(|node| Candidate {
            node,
            silent_for: answered.get(&node).and_then(|last| last.as_ref().map(|last| last.elapsed())),
            matched: matched.get(&node).and_then(|last| last.as_ref().map(|log_id| log_id.index())),
            is_reluctant: reluctant.contains(&node) || is_leaving(node),
        });
        let last_index = metrics.last_log_index.unwrap_or(0);
        Ok(Electorate { me: metrics.id, last_index, candidates: candidates.collect() })
    }

    /// Waits until `target` lacks at most `lag_max` of the entries in this leader's log.
    async fn await_lag(&self, target: NodeId, lag_max: u64, until: Moment) -> Result<(), TransferError> {
        let inner = self.inner();
        let mut changes = inner.raft.metrics();
        loop {
            let electorate = self.electorate()?;
            let candidate = electorate.candidates.iter().find(|candidate| candidate.node == target);
            let candidate = candidate.ok_or(TransferError::NotVoter { member: target.member })?;
            let lag = candidate.lag(electorate.last_index);
            if lag <= lag_max {
                return Ok(());
            }
            match inner.environment.timeout_at(until, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(TransferError::ShuttingDown),
                Err(_) => return Err(TransferError::Lagging { member: target.member, entries: lag }),
            }
        }
    }

    /// Waits until another node leads than this one.
    async fn await_new_leader(&self, target: NodeId, deadline: Moment) -> Result<NodeId, TransferError> {
        let inner = self.inner();
        let me = inner.directory.node_id();
        let until = self.soon(inner.options.election_timeout_max() * 4, deadline);
        let mut changes = inner.raft.server_metrics();
        loop {
            match changes.borrow_watched().current_leader {
                Some(leader) if leader == target => return Ok(leader),
                // The others have elected somebody by themselves.
                Some(leader) if leader != me => {
                    return Err(TransferError::NotTakenOver { member: target.member });
                }
                _ => {}
            }
            match inner.environment.timeout_at(until, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(TransferError::ShuttingDown),
                Err(_) => {
                    tracing::warn!(%target, "the chosen node has not taken over leadership in time");
                    return Err(TransferError::NotTakenOver { member: target.member });
                }
            }
        }
    }

    /// After `duration`, or at the deadline if that comes first.
    fn soon(&self, duration: Duration, deadline: Moment) -> Moment {
        deadline.min(self.inner().environment.now() + duration)
    }
}

pub(crate) fn unavailable(reason: &str) -> TransferError {
    TransferError::Unavailable { reason: reason.to_owned(), retry_after: RETRY_AFTER }
}
