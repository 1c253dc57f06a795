//! The environment of one simulated node.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::rand::RngCore;
use quorate_environment::worker::worker_channel;
use quorate_environment::{Environment, Fact, Moment, WallTime, Worker, WorkerFinished, WorkerHandle};

use super::clock;
use super::disk_latency::DiskLatency;
use super::network::{SimulatedListener, SimulatedNetwork, SimulatedStream};
use super::runtime::SimulatedRuntime;
use super::sleep::Sleep;

/// A node's world inside a simulation. Clones share the world.
///
/// Nodes of one simulation share the network; each has a disk of its own and, being a machine of its own, a
/// [clock](super::clock).
#[derive(Clone, Debug, Default)]
pub struct SimulatedEnvironment {
    network: SimulatedNetwork,
    disk_latency: Arc<Mutex<DiskLatency>>,
    witness: Option<Arc<dyn Witness>>,
}

/// Listens to the facts of one node.
pub trait Witness: fmt::Debug + Send + Sync {
    /// The node has just made `fact` true.
    fn witness(&self, fact: Fact<'_>);
}

impl SimulatedEnvironment {
    /// A node's world on `network`, with the default disk.
    pub fn new(network: SimulatedNetwork) -> Self {
        Self { network, disk_latency: Arc::default(), witness: None }
    }

    /// The same world, in which `witness` listens to the node's facts.
    pub fn with_witness(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// The network that this node is on.
    pub fn network(&self) -> &SimulatedNetwork {
        &self.network
    }

    /// Gives this node's disk another latency, from its next round on.
    pub fn set_disk_latency(&self, latency: DiskLatency) {
        *self.disk_latency.lock().expect("nothing panics under this lock") = latency;
    }

    fn draw_disk_latency(&self) -> Duration {
        let latency = *self.disk_latency.lock().expect("nothing panics under this lock");
        latency.draw()
    }
}

impl Environment for SimulatedEnvironment {
    type Runtime = SimulatedRuntime;
    type Stream = SimulatedStream;
    type Listener = SimulatedListener;

    fn now(&self) -> Moment {
        Moment::from_origin(clock::uptime())
    }

    fn wall_now(&self) -> WallTime {
        WallTime::from_unix_milliseconds(clock::wall_now_ms())
    }

    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static {
        let remaining = moment.saturating_since(self.now());
        Sleep::until(clock::now().checked_add(remaining))
    }

    async fn listen(&self, address: &str) -> io::Result<SimulatedListener> {
        self.network.listen(address).await
    }

    async fn connect(&self, address: &str) -> io::Result<SimulatedStream> {
        self.network.connect(address).await
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        madsim::rand::thread_rng().fill_bytes(bytes);
    }

    fn witness<'a>(&self, fact: impl FnOnce() -> Option<Fact<'a>>) {
        if let Some(witness) = &self.witness
            && let Some(fact) = fact()
        {
            witness.witness(fact);
        }
    }

    fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Dropping the handle detaches the task.
        drop(madsim::task::Builder::new().name(name).spawn(future));
    }

    fn spawn_worker<W: Worker>(&self, name: &str, worker: W) -> (WorkerHandle<W::Job>, WorkerFinished) {
        let (handle, finished, worker_loop) = worker_channel(worker);
        let environment = self.clone();
        let rounds = worker_loop.run_async(move || Sleep::exactly(environment.draw_disk_latency()));
        drop(madsim::task::Builder::new().name(name).spawn(rounds));
        (handle, finished)
    }

    fn pause_round(&self, _duration: Duration) {}
}
