//! A restart must not break a promise.
//!
//! A node that has heard from a leader votes for nobody else for the length of a lease, and the leader relies on
//! that ([`crate::lease`]). Raft keeps the promise in memory only: a node that starts again would vote, or
//! stand for election itself, at once. So for the length of a lease after its start it does neither, unless
//! the leader itself has asked for the election ([`crate::transfer`]).

use std::time::Duration;

use futures::Stream;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::vote::RaftLeaderId;
use quorate_consensus::{NodeId, Vote};
use quorate_environment::{Environment, Moment};
use quorate_peer::{RaftEndpoint, Snapshot};
use tokio_util::sync::CancellationToken;

use crate::raft::{Raft, Types};

/// This node's Raft, as its peers see it: it answers those who stand for election only when what it may have
/// promised before its start is over.
#[derive(Clone)]
pub struct GuardedRaft<E: Environment> {
    pub(crate) environment: E,
    pub(crate) raft: Raft<E>,
    /// Until when it may have promised, before its start, to vote for nobody.
    pub(crate) promised_until: Moment,
}

/// Keeps a Raft that has just started from standing for election, if it may have made a promise to a leader.
/// Says until when; [`stand_again`] ends it.
pub(crate) async fn keep_from_standing<E: Environment>(
    environment: &E,
    raft: &Raft<E>,
    me: NodeId,
    lease: Duration,
) -> Moment {
    raft.runtime_config().elect(false);
    let now = environment.now();
    // Not from the metrics: they say nothing yet.
    let may_have_promised = raft.with_raft_state(move |state| {
        let is_alone = state.membership_state.effective().membership().voter_ids().eq([me]);
        state.vote_ref().leader_id().term() > 0 && !is_alone
    });
    match may_have_promised.await {
        Ok(false) => now,
        // If Raft has stopped already, others will say so.
        Ok(true) | Err(_) => now + lease,
    }
}

/// Lets a Raft stand for election again when the promise is over. A little later on one node than on the other,
/// so that nodes that have started together do not stand against each other.
pub(crate) async fn stand_again<E: Environment>(
    environment: E,
    raft: Raft<E>,
    promised_until: Moment,
    spread: Duration,
    shutdown: CancellationToken,
) {
    let thousandths = (environment.random_u64() % 1000) as u32;
    let wait = environment.sleep_until(promised_until + spread * thousandths / 1000);
    let _ = <E::Runtime as openraft_rt::AsyncRuntime>::select2(shutdown.cancelled(), wait).await;
    raft.runtime_config().elect(true);
}

impl<E: Environment> GuardedRaft<E> {
    async fn await_promise(&self) {
        if self.environment.now() < self.promised_until {
            self.environment.sleep_until(self.promised_until).await;
        }
    }
}

impl<E: Environment> RaftEndpoint<E::Runtime> for GuardedRaft<E> {
    async fn append_entries(
        &self,
        request: AppendEntriesRequest<Types<E>>,
    ) -> Result<AppendEntriesResponse<Types<E>>, String> {
        RaftEndpoint::append_entries(&self.raft, request).await
    }

    fn stream_append<S>(
        &self,
        requests: S,
    ) -> impl Stream<Item = Result<StreamAppendResult<Types<E>>, String>> + Send + 'static
    where
        S: Stream<Item = AppendEntriesRequest<Types<E>>> + Send + 'static,
    {
        RaftEndpoint::stream_append(&self.raft, requests)
    }

    async fn vote(&self, request: VoteRequest<Types<E>>) -> Result<VoteResponse<Types<E>>, String> {
        if !request.leadership_transfer {
            self.await_promise().await;
        }
        RaftEndpoint::vote(&self.raft, request).await
    }

    async fn pre_vote(&self, request: VoteRequest<Types<E>>) -> Result<VoteResponse<Types<E>>, String> {
        self.await_promise().await;
        RaftEndpoint::pre_vote(&self.raft, request).await
    }

    async fn transfer_leader(
        &self,
        request: TransferLeaderRequest<Types<E>>,
    ) -> Result<TransferLeaderResponse<Types<E>>, String> {
        RaftEndpoint::transfer_leader(&self.raft, request).await
    }

    async fn install_snapshot(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<Types<E>>, String> {
        RaftEndpoint::install_snapshot(&self.raft, vote, snapshot).await
    }
}
