//! A member that has moved says so.

use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::Member;
use quorate_environment::Environment;
use quorate_peer::Gatekeeper;
use tokio_util::sync::CancellationToken;

use super::change::{Joining, MemberRequest};
use super::requests::known_membership;
use crate::context::RequestContext;
use crate::replica::{Replica, pause};

/// How often a member looks whether the membership has its addresses.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the leader may take to write them down.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait after that has failed: perhaps the leader is of a release that does not know how.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// Has the log say where this node is, whenever it says something else.
pub(crate) async fn keep_announced<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let inner = replica.inner();
    while pause(&inner.environment, &shutdown, INTERVAL).await {
        let Some(member) = replica.unannounced() else { continue };
        let node = inner.directory.node_id();
        let address = member.peer_address.clone();
        let request = MemberRequest::Join(Joining { node, member, may_be_added: false });
        let context = RequestContext::new(inner.environment.now() + TIMEOUT, inner.environment.random_u64());
        match E::Runtime::select2(shutdown.cancelled(), replica.ask_leader(&context, &request)).await {
            Select2::First(()) => return,
            Select2::Second(Ok(_)) => tracing::info!(address, "the members know where this node is now"),
            Select2::Second(Err(error)) => {
                tracing::info!(address, %error, "the members have not been told yet where this node is");
                pause(&inner.environment, &shutdown, FAILURE_PAUSE).await;
            }
        }
    }
}

impl<E: Environment> Replica<E> {
    /// This node as it is, if it is a member and the membership has it otherwise.
    fn unannounced(&self) -> Option<Member> {
        let inner = self.inner();
        let metrics = inner.raft.server_metrics();
        let membership = known_membership::<E>(&metrics.borrow_watched());
        let known = membership.membership().get_node(&inner.directory.node_id())?;
        let own = Member { wanted: known.wanted, ..inner.gate.introduction().member };
        (own != *known).then_some(own)
    }
}
