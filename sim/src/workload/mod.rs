//! The clients of a run: HTTP over the simulated network, to any node.
//!
//! Clients are on machines of their own. They do not retry and do not fail over: what becomes of each
//! request is what is wanted. A request that was sent and not answered has an unknown outcome; one that
//! was answered with a retryable error, or that never left, certainly failed.

pub mod client;
mod http;
mod request;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::task::JoinHandle;

pub use self::client::{ANSWERS_FIT, Client, Ended, key_name};
use crate::cluster::Cluster;
use crate::environment::SimulatedEnvironment;
use crate::plan::Plan;
use crate::plan::dice::Dice;
use crate::recorder::Recorder;

/// The clients that work.
#[derive(Debug)]
pub struct Workload {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// A machine for the client with this number.
pub fn client_machine(number: u64) -> NodeHandle {
    let address = Ipv4Addr::new(10, 0, 1, number as u8);
    Handle::current().create_node().name(format!("c{number}")).ip(address.into()).build()
}

impl Workload {
    /// Starts every client of `plan`.
    pub fn start(plan: &Plan, cluster: &Cluster, recorder: &Arc<Recorder>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workload = Arc::new(plan.workload.clone());
        let mut clients = Vec::new();
        for (position, client_plan) in plan.workload.clients.iter().enumerate() {
            let number = position as u64 + 1;
            let client = Client::new(
                SimulatedEnvironment::new(cluster.network().clone()),
                recorder.clone(),
                number,
                Duration::from_millis(client_plan.patience_ms),
                Duration::from_millis(client_plan.server_timeout_ms),
            );
            let dice = Dice::new(plan.seed, number);
            let work = client.work(client_plan.clone(), workload.clone(), plan.members, dice, stop.clone());
            clients.push(client_machine(number).spawn(work));
        }
        Self { stop, clients }
    }

    /// Lets each client finish what it does, and waits for that.
    pub async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("nobody kills clients");
        }
    }
}
