//! All peers of a node: one link per peer and lane, shared by Raft and the application.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::{Environment, Moment};

use crate::connection::{CallRequest, Connection};
use crate::error::{CallError, NotSent};
use crate::frame::FrameKind;
use crate::gatekeeper::Gatekeeper;
use crate::handshake::Lane;
use crate::link::Link;

/// Until when a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallDeadlines {
    /// Until when the request may be on its way, and the peer may work on it.
    pub peer: Moment,
    /// Until when its answer is waited for. Later than the other, so that an answer which the peer gives at
    /// its last moment still arrives.
    pub caller: Moment,
}

impl From<Moment> for CallDeadlines {
    /// The same for both: for requests that can be repeated, so that a late answer is no loss.
    fn from(deadline: Moment) -> Self {
        Self { peer: deadline, caller: deadline }
    }
}

/// The dialing side of a node. Clones share the connections, which end when the last clone is dropped.
#[derive(Debug)]
pub struct Peers<E: Environment> {
    inner: Arc<Inner<E>>,
}

#[derive(Debug)]
struct Inner<E: Environment> {
    environment: E,
    gatekeeper: Arc<dyn Gatekeeper>,
    links: Mutex<Links<E>>,
}

#[derive(Debug)]
struct Links<E: Environment> {
    links: BTreeMap<(NodeId, Lane), Arc<Link<E>>>,
    closed: bool,
}

impl<E: Environment> Clone for Peers<E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<E: Environment> Peers<E> {
    /// Connects to nobody yet. `gatekeeper` says, at each dial, who this node is.
    pub fn new(environment: E, gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        let links = Mutex::new(Links { links: BTreeMap::new(), closed: false });
        Self { inner: Arc::new(Inner { environment, gatekeeper, links }) }
    }

    /// The environment.
    pub fn environment(&self) -> &E {
        &self.inner.environment
    }

    /// This node.
    pub(crate) fn node(&self) -> NodeId {
        self.inner.gatekeeper.introduction().node
    }

    /// Sends an application request to `node`, which is at `member.peer_address`, and waits for its
    /// answer. The peer gets the time that is left along with the request.
    pub async fn call(
        &self,
        node: NodeId,
        member: &Member,
        group: GroupId,
        kind: u8,
        payload: &[u8],
        deadlines: impl Into<CallDeadlines>,
    ) -> Result<Bytes, CallError> {
        let deadlines = deadlines.into();
        let connection = self.connection(node, &member.peer_address, Lane::Control, deadlines.peer).await?;
        let request = CallRequest { kind: FrameKind::Request, group, application_kind: Some(kind), payload };
        connection.call(request, deadlines).await
    }

    /// How long the newest ping to `node` took to come back, if this node is connected to it and one has.
    pub fn round_trip(&self, node: NodeId) -> Option<Duration> {
        let link = self.inner.lock().links.get(&(node, Lane::Control)).cloned();
        link?.round_trip()
    }

    /// Ends every connection; later calls fail.
    pub fn close(&self) {
        self.inner.close();
    }

    /// The connection to `node` on `lane`, dialed if there is none.
    pub(crate) async fn connection(
        &self,
        node: NodeId,
        address: &str,
        lane: Lane,
        deadline: Moment,
    ) -> Result<Arc<Connection<E>>, NotSent> {
        let link = self.inner.link(node, lane)?;
        let address = self.inner.gatekeeper.address_of(node, address);
        link.connection(&address, deadline).await
    }
}

impl<E: Environment> Inner<E> {
    fn link(&self, node: NodeId, lane: Lane) -> Result<Arc<Link<E>>, NotSent> {
        if node.is_unclaimed() {
            // Such a hello would only ask who is there.
            return Err(NotSent::Unclaimed);
        }
        let mut links = self.lock();
        if links.closed {
            return Err(NotSent::ShuttingDown);
        }
        let new = || Arc::new(Link::new(self.environment.clone(), self.gatekeeper.clone(), node, lane));
        Ok(links.links.entry((node, lane)).or_insert_with(new).clone())
    }

    fn close(&self) {
        let links = {
            let mut links = self.lock();
            links.closed = true;
            std::mem::take(&mut links.links)
        };
        for link in links.values() {
            link.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Links<E>> {
        // No code panics while it holds this lock; if it ever does, the process ends anyway.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Environment> Drop for Inner<E> {
    fn drop(&mut self) {
        self.close();
    }
}
