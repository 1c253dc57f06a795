//! Where this replica's ReadIndex rounds get their index: from its own Raft if it leads, else from the
//! leader over the network.
//!
//! A round that was begun with one leader is begun again as soon as another leads. Without that, two nodes
//! could wait for each other while leadership moves from one to the other: the new leader's round still asks
//! the old one, which passes the question on to the new one, where it has to wait for the end of that very
//! round.

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use openraft::raft::linearizable_read::LinearizerOption;
use openraft_rt::{AsyncRuntime, Select2};
use quorate_consensus::encoding::{Decode, Encode};
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::Environment;
use quorate_peer::Peers;
use quorate_storage::Storage;

use crate::follower_reports::FollowerReport;
use crate::leadership::{Leader, await_leader, await_other_leader};
use crate::raft::Raft;
use crate::read_index::ReadIndexSource;
use crate::wire::{ReadIndexReply, ReadIndexRequest, kind};

/// What confirms that the leader still leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// A quorum, asked now.
    Quorum,
    /// The leader's lease, if it has one that holds; else a quorum.
    Lease,
}

/// See the module's documentation.
pub(crate) struct Rounds<E: Environment> {
    pub(crate) environment: E,
    pub(crate) group: GroupId,
    pub(crate) raft: Raft<E>,
    pub(crate) peers: Peers<E>,
    pub(crate) storage: Arc<Storage<E>>,
    /// Whether this node should rather not lead.
    pub(crate) avoids_leading: bool,
    /// How long one round may take before it is tried again, perhaps with another leader.
    pub(crate) round_timeout: Duration,
    /// For how long after it has sent what a quorum has answered this node, if it leads, may rely on that.
    pub(crate) lease: Option<Duration>,
}

impl<E: Environment> ReadIndexSource for Arc<Rounds<E>> {
    async fn round(&self) -> Result<u64, String> {
        let round = |leader| async move {
            match leader {
                Leader::Here => self.local_round().await,
                Leader::There(node_id, member) => {
                    self.remote_round(node_id, &member, Confirmation::Quorum).await
                }
            }
        };
        self.with_leader(round).await
    }
}

impl<E: Environment> Rounds<E> {
    /// Runs a round with whoever leads, and begins it again if another does before it ends.
    pub(crate) async fn with_leader<Round>(
        &self,
        round: impl Fn(Leader) -> Round + Send,
    ) -> Result<u64, String>
    where
        Round: Future<Output = Result<u64, String>> + Send,
    {
        loop {
            let deadline = self.environment.now() + self.round_timeout;
            let Some(leader) = await_leader::<E>(&self.environment, &self.raft, deadline).await else {
                return Err("no leader is known".to_owned());
            };
            let moved = await_other_leader::<E>(&self.raft, &leader);
            match E::Runtime::select2(round(leader.clone()), moved).await {
                Select2::First(result) => return result,
                Select2::Second(()) => {}
            }
        }
    }

    /// A round on the leader: a quorum confirms that it still leads.
    async fn local_round(&self) -> Result<u64, String> {
        let round = self.raft.get_read_linearizer(ReadPolicy::ReadIndex);
        match self.environment.timeout(self.round_timeout, round).await {
            Ok(Ok(linearizer)) => Ok(linearizer.read_log_id().log_id().index()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("a quorum did not confirm this leader in time".to_owned()),
        }
    }

    /// The index of a lease read, if this node leads and its lease holds: see [`crate::lease`].
    pub(crate) async fn leased_index(&self) -> Option<u64> {
        let option = LinearizerOption::new(Some(self.lease?), false).with_wait_timeout(Duration::ZERO);
        let linearizer = self.raft.get_read_linearizer(option).await.ok()?;
        Some(linearizer.read_log_id().log_id().index())
    }

    /// A round on another node: one message to the leader, which lets it join a round of its own. The
    /// leader learns on the way what this node says of itself: see [`crate::follower_reports`].
    pub(crate) async fn remote_round(
        &self,
        node_id: NodeId,
        member: &Member,
        confirmation: Confirmation,
    ) -> Result<u64, String> {
        let deadline = self.environment.now() + self.round_timeout;
        let report =
            FollowerReport { has_room: self.storage.has_room(), avoids_leading: self.avoids_leading };
        let request = ReadIndexRequest { report, confirmation }.encode();
        let reply = self
            .peers
            .call(node_id, member, self.group, kind::READ_INDEX, &request, deadline)
            .await
            .map_err(|error| format!("leader {node_id}: {error}"))?;
        ReadIndexReply::decode(reply).map_err(|error| format!("leader {node_id}: {error}"))?.0
    }
}
