//! A member that nobody talks to asks whether it is still one.
//!
//! It may have been removed while it was down, or cut off. Nobody sends it anything then, and nobody answers
//! its elections; from inside that looks like a broken network. So a node whose state has not been current for
//! a while asks the others, one after the other. The answer rests on a ReadIndex round: that the node is in no
//! membership that a quorum has committed. A node that once was a member and hears that has been removed, for
//! ever.
//!
//! Whoever was away for long knows members that are gone too, or are elsewhere. So it asks at every place that
//! it has ever heard of or been told (its log, its configuration, `--join`), and asks whoever is there now and
//! belongs to the cluster. Only when nobody is at any of them it has to be told of another place.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::NodeId;
use quorate_consensus::encoding::Decode;
use quorate_environment::{Environment, Moment};
use quorate_peer::{Gatekeeper, Hello, call_once, probe};
use tokio_util::sync::CancellationToken;

use super::wire::Standing;
use crate::housekeeping::READY_AGE_MAX;
use crate::replica::{Replica, pause};
use crate::wire::kind;

/// How often a node that is not current asks.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks for this node's standing while it is not current, until it has been removed.
pub(crate) async fn keep_standing<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    let started = inner.environment.now();
    while pause(&inner.environment, &shutdown, inner.environment.jitter(INTERVAL)).await {
        let now = inner.environment.now();
        let age = inner.freshness.age(now).unwrap_or(now.saturating_since(started));
        if age <= READY_AGE_MAX || inner.departed.is_cancelled() || !replica.was_member() {
            continue;
        }
        match E::Runtime::select2(shutdown.cancelled(), replica.ask_others()).await {
            Select2::First(()) => return,
            Select2::Second(Some(Standing::NotAMember)) => replica.depart().await,
            Select2::Second(Some(Standing::Member) | None) => {}
        }
    }
}

impl<E: Environment> Replica<E> {
    /// Whether `node` is in this node's newest membership, committed or not.
    pub(crate) fn knows_member(&self, node: NodeId) -> bool {
        let metrics = self.inner().raft.server_metrics();
        metrics.borrow_watched().membership_config.membership().get_node(&node).is_some()
    }

    /// Asks everywhere until somebody can say.
    async fn ask_others(&self) -> Option<Standing> {
        let inner = self.inner();
        let mut places = inner.gate.places_of_others();
        let told = inner.options.join.iter().filter(|place| !places.contains(place)).cloned();
        places.extend(told.collect::<Vec<_>>());
        for place in places {
            match self.ask_standing(&place).await {
                Ok(standing) => return Some(standing),
                Err(reason) => {
                    tracing::debug!(place, reason, "nobody there says whether this node is a member")
                }
            }
        }
        None
    }

    /// Asks whoever is at `address`, if it is of this node's cluster.
    async fn ask_standing(&self, address: &str) -> Result<Standing, String> {
        let inner = self.inner();
        let deadline = inner.environment.now() + TIMEOUT;
        let introduction = inner.gate.introduction();
        let hello = Hello::probe_anybody(introduction.clone());
        let found = probe(&inner.environment, address, &hello, deadline).await;
        let by = found.map_err(|error| error.to_string())?.by;
        if by.node == introduction.node || by.cluster != introduction.cluster {
            return Err(format!("{} of cluster {} is no other node of this cluster", by.node, by.cluster));
        }
        let asked = (kind::STANDING, &[][..]);
        let to = (by.node, address);
        let called = call_once(&inner.environment, introduction, to, inner.group, asked, deadline);
        let reply = called.await.map_err(|error| error.to_string())?;
        Standing::decode(reply).map_err(|error| error.to_string())
    }

    /// Whether `node` is a member, by the newest membership that a quorum has committed.
    pub(crate) async fn standing_of(&self, node: NodeId, deadline: Moment) -> Result<Standing, String> {
        self.catch_up(deadline).await.map_err(|error| error.to_string())?;
        // What is applied here is in Raft's own state before it is in its metrics.
        let is_member = self.inner().raft.with_raft_state(move |state| {
            state.membership_state.committed().membership().get_node(&node).is_some()
        });
        let is_member = is_member.await.map_err(|error| error.to_string())?;
        Ok(if is_member { Standing::Member } else { Standing::NotAMember })
    }
}
