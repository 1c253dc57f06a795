//! The clients of a run: HTTP over the simulated network, to any node.
//!
//! Clients are on machines of their own. Those of single keys ([`client`]) do not retry and do not fail over:
//! what becomes of each request is what is wanted. Those of the whole store ([`store`]) do one kind of work
//! each, and some of them repeat what they were not told the outcome of. A request that was sent and not answered has an unknown outcome; one that
//! was answered with a retryable error, or that never left, certainly failed.

pub mod client;
mod http;
mod request;
mod store;
mod wire;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::task::JoinHandle;

pub use self::client::{ANSWERS_FIT, Client, Ended, key_name};
use self::store::Signals;
pub use self::store::StoreClient;
use crate::cluster::Cluster;
use crate::environment::SimulatedEnvironment;
use crate::plan::dice::Dice;
use crate::plan::{Job, Plan};
use crate::recorder::Recorder;

/// The clients that work.
#[derive(Debug)]
pub struct Workload {
    signals: Signals,
    clients: Vec<JoinHandle<()>>,
    /// Those of whom others have something to suffer.
    disturbers: Vec<JoinHandle<()>>,
}

/// A machine for the client with this number.
pub fn client_machine(number: u64) -> NodeHandle {
    let address = Ipv4Addr::new(10, 0, 1, number as u8);
    Handle::current().create_node().name(format!("c{number}")).ip(address.into()).build()
}

impl Workload {
    /// Starts every client of `plan`.
    pub fn start(plan: &Plan, cluster: &Cluster, recorder: &Arc<Recorder>) -> Self {
        let signals = Signals::default();
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
            let work = client.work(
                client_plan.clone(),
                workload.clone(),
                plan.machines(),
                dice,
                signals.stop.clone(),
            );
            clients.push(client_machine(number).spawn(work));
        }
        let mut disturbers = Vec::new();
        for (number, client_plan) in (clients.len() as u64 + 1..).zip(&plan.workload.store_clients) {
            let environment = SimulatedEnvironment::new(cluster.network().clone());
            let disturbs = matches!(client_plan.job, Job::Keeper { .. } | Job::Quota { .. });
            let (dice, signals) = (Dice::new(plan.seed, number), signals.clone());
            let (recorder, client_plan) = (recorder.clone(), client_plan.clone());
            let client =
                StoreClient::new(environment, recorder, number, plan.machines(), client_plan, dice, signals);
            let work = client_machine(number).spawn(client.work());
            if disturbs { disturbers.push(work) } else { clients.push(work) }
        }
        Self { signals, clients, disturbers }
    }

    /// Ends the work of those of whom others have something to suffer, and waits for that.
    pub async fn calm(&mut self) {
        self.signals.calm.store(true, Ordering::Relaxed);
        for client in self.disturbers.drain(..) {
            client.await.expect("nobody kills clients");
        }
    }

    /// Lets each client finish what it does, and waits for that.
    pub async fn finish(self) {
        self.signals.stop.store(true, Ordering::Relaxed);
        for client in self.clients.into_iter().chain(self.disturbers) {
            client.await.expect("nobody kills clients");
        }
    }
}
