//! Who may connect. The decision belongs to the layer that owns identity and membership.

use std::fmt::Debug;

use quorate_consensus::NodeId;

use crate::handshake::{Hello, Introduction, Reject, RejectCode, Welcome};

/// Speaks for this node in handshakes.
pub trait Gatekeeper: Debug + Send + Sync + 'static {
    /// Who this node is at this moment. Asked for every dial, because a node joins its cluster while its
    /// connections are already in use.
    fn introduction(&self) -> Introduction;

    /// Where to dial `node`, which the membership says is at `address`. The default believes it; a node
    /// that has been told better (by its own configuration) says so here.
    fn address_of(&self, node: NodeId, address: &str) -> String {
        let _ = node;
        address.to_owned()
    }

    /// A node that this one has dialed has accepted the connection, and says so of itself. The default does
    /// nothing with it.
    fn welcomed(&self, by: &Introduction) {
        let _ = by;
    }

    /// `node` was dialed at `address`, as [`Gatekeeper::address_of`] said, and was not found there. The default
    /// does nothing with it; a node that knows of several addresses says another one next time.
    fn not_found_at(&self, node: NodeId, address: &str) {
        let _ = (node, address);
    }

    /// Whether a node that is welcome is only a guest: it may ask what the application answers to guests, and
    /// takes no part in Raft. Asked for whatever arrives, because a node may be removed while it is connected. The
    /// default takes a node without a cluster for one.
    fn is_guest(&self, hello: &Hello) -> bool {
        hello.from.cluster.is_none()
    }

    /// Whether to accept a connection. The protocol version has been checked. The default is
    /// [`check`] against [`Gatekeeper::introduction`].
    fn welcome(&self, hello: &Hello) -> Result<Welcome, Reject> {
        let by = self.introduction();
        check(hello, &by)?;
        Ok(Welcome::new(by))
    }
}

/// In a probe: whoever answers.
pub(crate) const ANYBODY: NodeId = NodeId::new(0, 0);

/// The rules that hold in every situation: two different clusters do not talk, and a connection must
/// have been meant for this member and, unless it is a probe, for this incarnation.
pub fn check(hello: &Hello, by: &Introduction) -> Result<(), Reject> {
    let (theirs, ours) = (hello.from.cluster, by.cluster);
    if !theirs.is_none() && !ours.is_none() && theirs != ours {
        let message = format!("this node belongs to cluster {ours}, not to {theirs}");
        return Err(Reject { code: RejectCode::WrongCluster, message, by: by.clone() });
    }
    check_node(hello.to, by)
}

/// Checks that `to` means the node `by`.
pub(crate) fn check_node(to: NodeId, by: &Introduction) -> Result<(), Reject> {
    if to == ANYBODY {
        return Ok(());
    }
    if to.member != by.node.member {
        let message =
            format!("member {} was expected here, but this is member {}", to.member, by.node.member);
        return Err(Reject { code: RejectCode::WrongMember, message, by: by.clone() });
    }
    if to.incarnation != 0 && to.incarnation != by.node.incarnation {
        let message = format!(
            "node {to} was expected here, but this is {}: its data directory is another one",
            by.node
        );
        return Err(Reject { code: RejectCode::WrongIncarnation, message, by: by.clone() });
    }
    Ok(())
}
