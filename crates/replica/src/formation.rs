//! How the initial members become a cluster.
//!
//! Every node starts with a data directory that has a member number and a random incarnation, but no
//! cluster. The *founder* is the initial member with the smallest number:
//!
//! 1. It asks every other initial member who it is (a probe handshake). Only if all of them answer, and
//!    none belongs to a cluster already, does it go on.
//! 2. It draws a cluster ID, writes it into its own directory, and begins the Raft log with a membership
//!    that names every node by member *and* incarnation.
//! 3. Raft dials the others. A fresh node that is dialed by its exact incarnation, which only the founder
//!    has been told, adopts the dialer's cluster before it answers ([`crate::gate`]).
//!
//! A crash at any point is harmless: before step 2 nothing has happened; between its two halves the
//! founder begins again under the ID that it wrote down; after it, Raft knows all that is needed. That
//! all initial members must be there once is the price for binding incarnations, and the reward is that
//! a wiped directory can never vote twice: its node has a new incarnation, is in nobody's membership,
//! and is told so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use quorate_consensus::{ClusterId, Member, NodeId};
use quorate_environment::Environment;
use quorate_peer::{Gatekeeper, Hello, probe};
use quorate_storage::DataDirectory;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::raft::Raft;

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait between attempts.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);

/// Forms the cluster, if this node's directory is not part of one yet.
pub(crate) struct Formation<E: Environment> {
    pub(crate) environment: E,
    pub(crate) directory: Arc<DataDirectory>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) raft: Raft<E>,
    pub(crate) initial_cluster: Vec<(u64, String)>,
}

/// What an attempt came to.
enum Attempt {
    /// The node is part of a cluster.
    Done,
    /// Not yet, and why.
    NotYet(String),
}

impl<E: Environment> Formation<E> {
    /// Tries until the node is part of a cluster, or until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        // The reason of the last attempt, and whether it has been told.
        let mut last: Option<(String, bool)> = None;
        loop {
            let attempt = match E::Runtime::select2(shutdown.cancelled(), self.attempt()).await {
                openraft_rt::Select2::First(()) => return,
                openraft_rt::Select2::Second(attempt) => attempt,
            };
            match attempt {
                Attempt::Done => return,
                // What has changed by the next attempt was only the cluster being formed.
                Attempt::NotYet(reason) if last.as_ref().is_none_or(|(known, _)| *known != reason) => {
                    last = Some((reason, false));
                }
                Attempt::NotYet(reason) => {
                    if last.as_ref().is_some_and(|(_, told)| !told) {
                        tracing::info!(%reason, "the cluster is not formed yet");
                    }
                    last = Some((reason, true));
                }
            }
            let pause = self.environment.sleep(self.environment.jitter(ATTEMPT_INTERVAL));
            let _ = E::Runtime::select2(shutdown.cancelled(), pause).await;
        }
    }

    async fn attempt(&self) -> Attempt {
        match self.raft.is_initialized().await {
            Ok(true) => return Attempt::Done,
            Ok(false) => {}
            Err(error) => return Attempt::NotYet(format!("raft has stopped: {error}")),
        }
        let founder = self.initial_cluster.iter().map(|(member, _)| *member).min();
        let is_founder = founder == Some(self.directory.node_id().member);
        if !is_founder && self.directory.cluster_id().is_some() {
            return Attempt::Done;
        }
        let nodes = match self.probe_all().await {
            Ok(nodes) => nodes,
            Err(reason) => return Attempt::NotYet(reason),
        };
        if !is_founder {
            let founder = founder.unwrap_or_default();
            return Attempt::NotYet(format!("waiting for member {founder} to found the cluster"));
        }
        match self.found(nodes).await {
            Ok(()) => Attempt::Done,
            Err(reason) => Attempt::NotYet(reason),
        }
    }

    /// Who answers at each initial member's address. Fails if one does not, or has a cluster already
    /// that is not this node's.
    async fn probe_all(&self) -> Result<BTreeMap<NodeId, Member>, String> {
        let me = self.gate.introduction();
        let mut nodes = BTreeMap::new();
        for (member, address) in &self.initial_cluster {
            if *member == me.node.member {
                let own = Member::new(address.clone(), me.member.client_url.clone());
                nodes.insert(me.node, own);
                continue;
            }
            let hello = Hello::probe(me.clone(), *member);
            let deadline = self.environment.now() + PROBE_TIMEOUT;
            let welcome = probe(&self.environment, address, &hello, deadline)
                .await
                .map_err(|error| format!("member {member} has not answered yet: {error}"))?;
            if !welcome.by.cluster.is_none() && welcome.by.cluster != me.cluster {
                return Err(format!(
                    "member {member} is part of cluster {} already, but the data directory of this member {} is new \
                     to it. If the directory was lost, this member has to be replaced by a new one; if it was \
                     moved, give its old path",
                    welcome.by.cluster, me.node.member
                ));
            }
            let client_url = welcome.by.member.client_url;
            nodes.insert(welcome.by.node, Member::new(address.clone(), client_url));
        }
        Ok(nodes)
    }

    /// Makes the cluster out of `nodes`.
    async fn found(&self, nodes: BTreeMap<NodeId, Member>) -> Result<(), String> {
        if self.directory.cluster_id().is_none() {
            let mut id = [0; 16];
            self.environment.fill_random(&mut id);
            self.gate.bind(ClusterId(id))?;
        }
        let count = nodes.len();
        self.raft.initialize(nodes).await.map_err(|error| format!("raft cannot be initialised: {error}"))?;
        let cluster = self.gate.introduction().cluster;
        tracing::info!(%cluster, members = count, "founded the cluster");
        Ok(())
    }
}
