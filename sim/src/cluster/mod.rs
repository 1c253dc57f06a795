//! The nodes of a run and what can be done to them.
//!
//! Each node is a madsim node with an address and a data directory of its own, and runs what the
//! `quorate` binary runs ([`node`]). The supervisor here holds nothing of a running node: its LMDB
//! environments close when its tasks are dropped, as a process's do when it dies.

mod links;
mod machines;
mod node;
mod orders;
mod router;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::sleep;
use quorate_environment::Environment;
use quorate_replica::{RepairPolicy, ReplicaOptions};
use quorate_storage::StorageOptions;

use self::links::Links;
pub use self::links::{Link, Weather};
pub use self::node::NODES_RUN;
use self::node::{NodeSetup, NodeWitness, Stop};
pub use self::node::{ONLY_REMOVED_NODES_LEAVE, REMOVED_NODES_STAY_AWAY};
use self::orders::Orders;
pub use self::orders::{Disobeyed, Obeyed, Order};
pub use self::router::ROUTER;
use crate::environment::clock::{self, Clock};
use crate::environment::{DiskLatency, SimulatedEnvironment, SimulatedNetwork};
use crate::oracles::Violation;
use crate::plan::{DiskPlan, Plan, ReplicaPlan};
use crate::power_loss;
use crate::recorder::Recorder;

/// The property of a node that is stopped.
pub const NODES_STOP: &str = "a node that is asked to stop stops";
/// The property of a node that cannot know any more what its disk holds.
pub const FAILED_FLUSHES_STOP: &str = "a node stops when a flush has failed";

/// madsim drops the tasks of a killed node in its next round.
const AFTER_KILL: Duration = Duration::from_millis(1);
/// How long a node may take to stop. It may have to give up on handing leadership over, and lets
/// requests finish.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const CLIENT_PORT: u16 = 7801;
const PEER_PORT: u16 = 7901;
const PROPOSAL_BYTES_IN_FLIGHT_MAX: usize = 4 << 20;
const MAP_BYTES: u64 = 1 << 30;
/// A pass over the small states of a simulation takes a fraction of a second.
const SCRUB_BYTES_PER_SECOND: u64 = 8 << 20;
const SCRUB_PAUSE: Duration = Duration::from_secs(4);

/// Whether a node can be touched by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NodeState {
    /// It runs.
    Up,
    /// A fault, or the operator, has it in its hands.
    Claimed,
    /// Nothing runs on its machine.
    Idle,
}

/// The nodes of a run.
#[derive(Debug)]
pub struct Cluster {
    handle: Handle,
    network: SimulatedNetwork,
    recorder: Arc<Recorder>,
    nodes: BTreeMap<u64, ClusterNode>,
    /// If the plan has clients that go through one.
    router: Option<NodeId>,
    states: Mutex<BTreeMap<u64, NodeState>>,
    links: Mutex<Links>,
    disk: DiskLatency,
}

#[derive(Debug)]
struct ClusterNode {
    id: NodeId,
    setup: Arc<NodeSetup>,
    /// How its clock drifts when nothing is wrong.
    drift_ppm: i64,
}

/// The machine that a member runs on.
fn machine(member: u64) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, member as u8).into()
}

/// Where clients reach a member, or the [`ROUTER`].
pub fn client_address(member: u64) -> String {
    let machine = if member == ROUTER { router::machine() } else { machine(member) };
    format!("{machine}:{CLIENT_PORT}")
}

/// Where peers reach a member that has moved so many times.
fn peer_address(member: u64, moves: u16) -> String {
    format!("{}:{}", machine(member), PEER_PORT + moves)
}

/// A disk's latency as a plan says it.
fn latency(plan: &DiskPlan) -> DiskLatency {
    DiskLatency {
        shortest: Duration::from_micros(plan.shortest_us),
        longest: Duration::from_micros(plan.longest_us),
        draws: plan.draws,
        stall_one_in: plan.stall_one_in,
        stall: Duration::from_millis(plan.stall_ms),
    }
}

impl Cluster {
    /// Starts every node of `plan`, with data directories below `directory`.
    pub fn start(plan: &Plan, directory: &Path, recorder: &Arc<Recorder>) -> io::Result<Self> {
        let network = SimulatedNetwork::default();
        let handle = Handle::current();
        let disk = latency(&plan.disk);
        let mut nodes = BTreeMap::new();
        for member in 1..=plan.machines() {
            let witness = Arc::new(NodeWitness { member, recorder: recorder.clone() });
            let environment = SimulatedEnvironment::new(network.clone()).with_witness(witness);
            environment.set_disk_latency(disk);
            let data_directory = directory.join(format!("n{member}"));
            std::fs::create_dir(&data_directory)?;
            power_loss::enable(&data_directory, power_loss::all_but_lock_files);
            let setup = Arc::new(NodeSetup {
                member,
                environment,
                client_address: client_address(member),
                options: Mutex::new(replica_options(plan, member, data_directory.clone())),
                data_directory,
                orders: Orders::default(),
                moves: AtomicU16::new(0),
                is_idle: AtomicBool::new(member > plan.members),
                has_left: AtomicBool::new(false),
                refusal_expected: AtomicBool::new(false),
                recorder: recorder.clone(),
                stop: Mutex::new(Stop::default()),
                stops_excused: AtomicBool::new(false),
                damage_expected: AtomicBool::new(false),
            });
            let life = setup.clone();
            let node = handle.create_node().name(format!("n{member}")).ip(machine(member));
            let node = node.init(move || node::run(life.clone())).build();
            let clock = plan.clocks.of(member);
            let uptime = Duration::from_millis(clock.uptime_ms);
            clock::install(node.id(), Clock::new(clock.drift_ppm, uptime, clock.wall_ahead_ms));
            nodes.insert(member, ClusterNode { id: node.id(), setup, drift_ppm: clock.drift_ppm });
        }
        let ids = nodes.iter().map(|(member, node)| (*member, node.id)).collect();
        let is_routed = plan.workload.clients.iter().any(|client| client.home == Some(ROUTER));
        let router = is_routed
            .then(|| router::start(&handle, SimulatedEnvironment::new(network.clone()), plan.members));
        let first_state = |member: u64| if member > plan.members { NodeState::Idle } else { NodeState::Up };
        let states = nodes.keys().map(|member| (*member, first_state(*member))).collect();
        let links = Mutex::new(Links::new(ids, plan.network));
        Ok(Self {
            handle,
            network,
            recorder: recorder.clone(),
            nodes,
            router,
            states: Mutex::new(states),
            links,
            disk,
        })
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = u64> + '_ {
        self.nodes.keys().copied()
    }

    /// The network that clients are on too.
    pub fn network(&self) -> &SimulatedNetwork {
        &self.network
    }

    /// Takes a running node into a fault's hands. False if another fault has it, or if it does not run.
    pub fn claim(&self, member: u64) -> bool {
        self.take(member, NodeState::Up)
    }

    /// Gives a node back that runs again.
    pub fn release(&self, member: u64) {
        self.lock_states().insert(member, NodeState::Up);
    }

    /// Takes a machine that is in this state. One whose node has left is idle.
    fn take(&self, member: u64, wanted: NodeState) -> bool {
        let has_left = self.nodes[&member].setup.has_left.load(Ordering::Relaxed);
        let mut states = self.lock_states();
        let state = states.get_mut(&member).expect("the member exists");
        if *state == NodeState::Up && has_left {
            *state = NodeState::Idle;
        }
        if *state != wanted {
            return false;
        }
        *state = NodeState::Claimed;
        true
    }

    fn lock_states(&self) -> MutexGuard<'_, BTreeMap<u64, NodeState>> {
        self.states.lock().expect("nothing panics under this lock")
    }

    fn lock_links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().expect("nothing panics under this lock")
    }

    /// Cuts links for the fault with this number.
    pub fn cut(&self, fault: usize, links: Vec<Link>) {
        self.lock_links().cut(fault, links);
    }

    /// Makes weather for the fault with this number.
    pub fn set_weather(&self, fault: usize, weather: Weather) {
        self.lock_links().set_weather(fault, weather);
    }

    /// Undoes what the fault with this number did to the network.
    pub fn mend(&self, fault: usize) {
        self.lock_links().mend(fault);
    }

    /// The links from a member to all others.
    pub fn links_from(&self, member: u64) -> Vec<Link> {
        self.members().filter(|other| *other != member).map(|other| (member, other)).collect()
    }

    /// The links from all others to a member.
    pub fn links_to(&self, member: u64) -> Vec<Link> {
        self.members().filter(|other| *other != member).map(|other| (other, member)).collect()
    }

    /// Lets a node's disk take other times, or those of the plan again.
    pub fn set_disk(&self, member: u64, disk: Option<&DiskPlan>) {
        let latency = disk.map_or(self.disk, latency);
        self.nodes[&member].setup.environment.set_disk_latency(latency);
    }

    /// Lets a node's clock drift in another way, or in that of the plan again.
    pub fn set_drift(&self, member: u64, drift_ppm: Option<i64>) {
        let node = &self.nodes[&member];
        clock::set_drift(node.id, drift_ppm.unwrap_or(node.drift_ppm));
    }

    /// Sets a node's wall clock forward, or back.
    pub fn set_wall_clock(&self, member: u64, by_ms: i64) {
        clock::jump(self.nodes[&member].id, by_ms);
    }

    /// Lets everything that a node writes fail, or nothing any more.
    pub fn set_disk_full(&self, member: u64, full: bool) {
        power_loss::fail_writes(self.nodes[&member].setup.directory(), full);
    }

    /// Lets a node's next flush fail, or takes that back.
    pub fn set_sync_fails(&self, member: u64, fails: bool) {
        let directory = self.nodes[&member].setup.directory();
        if fails { power_loss::fail_sync(directory) } else { power_loss::spare_sync(directory) }
    }

    /// How many of a node's writes and flushes were made to fail.
    pub fn disk_errors(&self, member: u64) -> u64 {
        power_loss::errors(self.nodes[&member].setup.directory())
    }

    /// Flips a bit of a record in the state of a node that is dead. Gives which record; nothing if it has none.
    pub fn flip_bit(&self, member: u64, record: u64, bit: u64) -> Option<String> {
        let choose = |records: &[String]| {
            let position = record.checked_rem(records.len() as u64)?;
            Some((position as usize, bit))
        };
        let flipped = quorate_storage::testing::flip_bit(self.nodes[&member].setup.directory(), choose);
        flipped.expect("the directory of a dead node can be opened")
    }

    /// From now on a node may stop by itself because its state is damaged, or may not.
    pub fn expect_damage(&self, member: u64, expected: bool) {
        self.nodes[&member].setup.damage_expected.store(expected, Ordering::Relaxed);
    }

    /// From now on a node may stop by itself after an error of its disk, or may not.
    pub fn excuse_stops(&self, member: u64, excused: bool) {
        self.nodes[&member].setup.stops_excused.store(excused, Ordering::Relaxed);
    }

    /// Whether a node has stopped by itself because its disk failed or is damaged.
    pub fn has_stopped(&self, member: u64) -> bool {
        self.nodes[&member].setup.stop().by_itself.is_cancelled()
    }

    /// Starts a node that has stopped by itself.
    pub async fn start_again(&self, member: u64) {
        self.kill(member).await;
        self.boot(member);
    }

    /// Stops a node's tasks until [`Cluster::resume`].
    pub fn pause(&self, member: u64) {
        self.handle.pause(self.nodes[&member].id);
    }

    /// Lets a paused node go on.
    pub fn resume(&self, member: u64) {
        self.handle.resume(self.nodes[&member].id);
    }

    /// Kills a node's process.
    pub async fn kill(&self, member: u64) {
        self.handle.kill(self.nodes[&member].id);
        self.recorder.forget_status(member);
        sleep(AFTER_KILL).await;
    }

    /// Starts a node that was killed.
    pub fn boot(&self, member: u64) {
        let node = &self.nodes[&member];
        node.setup.is_idle.store(false, Ordering::Relaxed);
        remove_lock_files(node.setup.directory()).expect("the data directory can be listed");
        node.setup.renew_stop();
        self.network.restore_power(machine(member));
        self.handle.restart(node.id);
    }

    /// Stops a node as an operator would, which leaves its process dead. A node that does not stop is a
    /// violation.
    pub async fn stop(&self, member: u64) {
        let setup = &self.nodes[&member].setup;
        let stop = setup.stop();
        stop.asked.cancel();
        if setup.environment.timeout(STOP_LIMIT, stop.done.cancelled()).await.is_err() {
            let evidence = format!("n{member} was asked to stop {} s ago", STOP_LIMIT.as_secs());
            self.recorder.convict(Violation::new(NODES_STOP, evidence));
        }
        self.kill(member).await;
    }

    /// Lights a fuse under the first of `members`: when it has completed `operations` more disk
    /// operations, power is lost under all of them.
    pub fn arm_power_loss(&self, members: &[u64], operations: u64, survival: u64) {
        let cut = self.power_cut(members);
        power_loss::arm(self.nodes[&members[0]].setup.directory(), survival, operations, cut);
    }

    /// Whether the fuse has burnt down.
    pub fn power_is_lost(&self, member: u64) -> bool {
        power_loss::blown(self.nodes[&member].setup.directory())
    }

    /// Cuts the power of `members` at whatever moment this is.
    pub fn cut_power(&self, members: &[u64]) {
        self.power_cut(members)();
    }

    /// What happens at the moment in which `members` lose power: they fall silent.
    fn power_cut(&self, members: &[u64]) -> impl FnOnce() + Send + 'static {
        let (handle, network, recorder) = (self.handle.clone(), self.network.clone(), self.recorder.clone());
        let ids: Vec<_> = members.iter().map(|member| (*member, self.nodes[member].id)).collect();
        move || {
            for (member, id) in ids {
                recorder.silence(member);
                recorder.forget_status(member);
                recorder.say_of(member, format_args!("has no power any more"));
                network.lose_power(machine(member));
                handle.kill(id);
            }
        }
    }

    /// Leaves on a dead node's disk what a power loss leaves. The number of pages that had not been
    /// synced.
    pub async fn settle_disk(&self, member: u64, survival: u64) -> usize {
        sleep(AFTER_KILL).await;
        power_loss::power_loss(self.nodes[&member].setup.directory(), survival)
    }

    /// Kills every node, so that nothing of them is left open when the simulation ends.
    pub async fn end(&self) {
        for node in self.nodes.values() {
            self.handle.kill(node.id);
        }
        if let Some(router) = self.router {
            self.handle.kill(router);
        }
        sleep(AFTER_KILL * 10).await;
        for node in self.nodes.values() {
            power_loss::forget(node.setup.directory());
        }
    }
}

/// LMDB's table of readers is of the processes that run; the process of a dead node does not, but ours
/// does, so LMDB would take its readers for living ones.
fn remove_lock_files(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_lock_files(&path)?;
        } else if !power_loss::all_but_lock_files(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn replica_options(plan: &Plan, member: u64, data_directory: PathBuf) -> ReplicaOptions {
    ReplicaOptions {
        member,
        data_directory,
        peer_listen: peer_address(member, 0),
        client_url: format!("http://{}", client_address(member)),
        peer_address: None,
        initial_cluster: (1..=plan.members).map(|member| (member, peer_address(member, 0))).collect(),
        join: Vec::new(),
        force_new: false,
        stays_learner: false,
        proposal_bytes_in_flight_max: PROPOSAL_BYTES_IN_FLIGHT_MAX,
        heartbeat_interval_ms: plan.replica.heartbeat_interval_ms,
        clock_drift_max_ppm: plan.replica.clock_drift_max_ppm,
        avoid_leading: false,
        repair: RepairPolicy::Automatic,
        storage: storage_options(&plan.replica),
    }
}

fn storage_options(plan: &ReplicaPlan) -> StorageOptions {
    StorageOptions {
        log_bytes_max: MAP_BYTES,
        log_segment_bytes: plan.log_segment_bytes,
        state_map_bytes: MAP_BYTES,
        checkpoint_interval: Duration::from_millis(plan.checkpoint_interval_ms),
        checkpoint_bytes: plan.checkpoint_bytes,
        overlay_bytes_max: plan.overlay_bytes_max,
        snapshot_log_bytes: plan.snapshot_log_bytes,
        log_keep_bytes: plan.log_keep_bytes,
        // How much is free is the real disk's affair, which differs from run to run.
        reserve_bytes: 0,
        tail_bytes_max: plan.tail_bytes_max,
        unflushed_bytes_max: plan.unflushed_bytes_max,
        read_batch_bytes_max: plan.read_batch_bytes_max,
        scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND,
        scrub_pause: SCRUB_PAUSE,
    }
}
