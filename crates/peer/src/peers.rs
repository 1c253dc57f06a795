//! All peers of a node: one link per peer and lane, shared by Raft and the application.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use quorate_consensus::{GroupId, Member, NodeId};
use quorate_environment::{Environment, Moment};

use crate::connection::{CallRequest, Connection};
use crate::error::{CallError, NotSent};
use crate::frame::FrameKind;
use crate::gatekeeper::Gatekeeper;
use crate::handshake::Lane;
use crate::link::Link;

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
    /// answer until `deadline`. The peer gets the time that is left along with the request.
    pub async fn call(
        &self,
        node: NodeId,
        member: &Member,
        group: GroupId,
        kind: u8,
        payload: &[u8],
        deadline: Moment,
    ) -> Result<Bytes, CallError> {
        let connection = self.connection(node, &member.peer_address, Lane::Control, deadline).await?;
        let request = CallRequest { kind: FrameKind::Request, group, application_kind: Some(kind), payload };
        connection.call(request, deadline).await
    }

    /// Ends the connections to `node`, which is no longer a member.
    pub fn forget(&self, node: NodeId) {
        for lane in [Lane::Control, Lane::Bulk] {
            let link = self.inner.lock().links.remove(&(node, lane));
            if let Some(link) = link {
                link.close();
            }
        }
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
