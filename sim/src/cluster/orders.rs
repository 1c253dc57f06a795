//! What an operator has a node do about the members: the calls behind the API, made on the node itself.

use std::sync::Mutex;
use std::time::Duration;

use quorate_environment::Environment;
use quorate_replica::{MemberChange, MemberError, MembersView, Replica, RequestContext, TransferError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::environment::SimulatedEnvironment;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Tell who the members are.
    Tell,
    /// Change them.
    Change(MemberChange),
    /// Hand leadership over, to that member or to the best suited.
    Transfer(Option<u64>),
}

/// What became of an order: the members after it.
pub type Obeyed = Result<MembersView, Disobeyed>;

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disobeyed {
    /// The members were not changed.
    #[error(transparent)]
    Change(#[from] MemberError),
    /// Leadership was not handed over.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

#[derive(Debug)]
pub(super) struct Given {
    order: Order,
    timeout: Duration,
    reply: oneshot::Sender<Obeyed>,
}

/// The way to a node, while it runs.
#[derive(Debug, Default)]
pub(super) struct Orders {
    way: Mutex<Option<UnboundedSender<Given>>>,
}

impl Orders {
    /// A node has started and listens.
    pub(super) fn open(&self) -> UnboundedReceiver<Given> {
        let (sender, receiver) = unbounded_channel();
        *self.way.lock().expect("nothing panics under this lock") = Some(sender);
        receiver
    }

    /// Gives a node an order. `None` if it does not run, or ends before it has answered.
    pub(super) async fn give(&self, order: Order, timeout: Duration) -> Option<Obeyed> {
        let (reply, obeyed) = oneshot::channel();
        let way = self.way.lock().expect("nothing panics under this lock").clone()?;
        way.send(Given { order, timeout, reply }).ok()?;
        obeyed.await.ok()
    }
}

/// Does what a node is ordered to, until it ends.
pub(super) async fn obey(replica: Replica<SimulatedEnvironment>, mut orders: UnboundedReceiver<Given>) {
    while let Some(Given { order, timeout, reply }) = orders.recv().await {
        let environment = replica.environment();
        let context = RequestContext::new(environment.now() + timeout, environment.random_u64());
        let replica = replica.clone();
        environment.spawn("operator's order", async move {
            let obeyed = match order {
                Order::Tell => Ok(replica.members()),
                Order::Change(change) => {
                    replica.change_members(&context, change).await.map_err(Disobeyed::from)
                }
                Order::Transfer(to) => {
                    let handed_over = replica.transfer_leadership(&context, to).await;
                    handed_over.map(|_| replica.members()).map_err(Disobeyed::from)
                }
            };
            // Whoever has given the order may have given up.
            let _ = reply.send(obeyed);
        });
    }
}
