//! Speaks for this node in handshakes, and lets a fresh node adopt its cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_consensus::{ClusterId, Member, NodeId};
use quorate_peer::{Gatekeeper, Hello, Introduction, Reject, RejectCode, Welcome, check};
use quorate_storage::DataDirectory;

/// See [`crate::formation`] for the protocol that this is the answering half of.
#[derive(Debug)]
pub(crate) struct Gate {
    directory: Arc<DataDirectory>,
    member: Member,
    /// Where the configuration says that members are. It wins over the membership in the log, so that a
    /// cluster whose addresses have changed can be started again.
    configured: BTreeMap<u64, String>,
}

impl Gate {
    /// Speaks for the node of `directory`, reachable as `member` says.
    pub(crate) fn new(
        directory: Arc<DataDirectory>,
        member: Member,
        configured: BTreeMap<u64, String>,
    ) -> Self {
        Self { directory, member, configured }
    }

    /// Binds the directory to a cluster, durably.
    fn adopt(&self, cluster: ClusterId, by: &Introduction) -> Result<(), Reject> {
        self.directory.bind_cluster(cluster).map_err(|error| Reject {
            code: RejectCode::NotNow,
            message: format!("cannot write down the cluster's ID: {error}"),
            by: by.clone(),
        })?;
        tracing::info!(%cluster, node = %by.node, "this node is now part of a cluster");
        Ok(())
    }
}

impl Gatekeeper for Gate {
    fn introduction(&self) -> Introduction {
        Introduction {
            cluster: self.directory.cluster_id().unwrap_or(ClusterId::NONE),
            node: self.directory.node_id(),
            member: self.member.clone(),
        }
    }

    fn address_of(&self, node: NodeId, address: &str) -> String {
        self.configured.get(&node.member).map_or(address, String::as_str).to_owned()
    }

    fn welcome(&self, hello: &Hello) -> Result<Welcome, Reject> {
        let by = self.introduction();
        check(hello, &by)?;
        if hello.is_probe() {
            return Ok(Welcome::new(by));
        }
        match (hello.from.cluster.is_none(), by.cluster.is_none()) {
            // Only the founder can know this node's incarnation before the node has a cluster.
            (false, true) => self.adopt(hello.from.cluster, &by)?,
            (true, _) => {
                let message = "a node that is not part of a cluster may only ask who is there".to_owned();
                return Err(Reject { code: RejectCode::NotAllowed, message, by });
            }
            (false, false) => {}
        }
        Ok(Welcome::new(self.introduction()))
    }
}
