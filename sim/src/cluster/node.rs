//! One simulated node: what the `quorate` binary puts together, on the simulated world.

use std::future::pending;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use madsim::plugin;
use madsim::runtime::Handle;
use quorate_environment::{Environment, Fact};
use quorate_http::HttpOptions;
use quorate_replica::{Replica, ReplicaFailure, ReplicaOptions, StartError};
use quorate_storage::OpenError;
use tokio_util::sync::CancellationToken;

use super::orders::{Orders, obey};
use crate::environment::{SimulatedEnvironment, Witness};
use crate::oracles::Violation;
use crate::power_loss;
use crate::recorder::{NodeStatus, Recorder};

/// The property of a node whose disk does what it is asked.
pub const NODES_RUN: &str = "a node starts and runs, whatever was done to it before";
/// The property of a node that is told that it has been removed.
pub const ONLY_REMOVED_NODES_LEAVE: &str = "only a node that has been removed leaves";
/// The property of the directory of a node that has been removed.
pub const REMOVED_NODES_STAY_AWAY: &str = "a node that has left does not start again";

/// In the reason of a node that ends because it cannot become a member.
const CANNOT_JOIN: &str = "cannot join the cluster";
/// How often a node is asked how it is.
const STATUS_INTERVAL: Duration = Duration::from_millis(20);
/// How long a stopping node lets requests go on.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// What a node needs to start, every time that it does.
#[derive(Debug)]
pub(super) struct NodeSetup {
    pub(super) member: u64,
    pub(super) environment: SimulatedEnvironment,
    pub(super) client_address: String,
    pub(super) data_directory: PathBuf,
    /// With which it starts next.
    pub(super) options: Mutex<ReplicaOptions>,
    pub(super) orders: Orders,
    /// How often it has got another address.
    pub(super) moves: AtomicU16,
    /// Whether the machine only stands ready: nothing runs on it.
    pub(super) is_idle: AtomicBool,
    /// Whether the node was removed and has ended by itself. Its directory is left.
    pub(super) has_left: AtomicBool,
    /// Whether an empty disk is a reason to stop: the member number is another node's still.
    pub(super) refusal_expected: AtomicBool,
    pub(super) recorder: Arc<Recorder>,
    pub(super) stop: Mutex<Stop>,
    /// Whether an error of the disk is a reason to stop: a fault is at work that makes such errors.
    pub(super) stops_excused: AtomicBool,
    /// Whether damage of the state is a reason to stop: bits have been flipped.
    pub(super) damage_expected: AtomicBool,
}

/// How the supervisor asks a running node to stop as an operator would, and learns that it has stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    pub(super) asked: CancellationToken,
    pub(super) done: CancellationToken,
    /// Nobody asked: its disk failed, or its state is damaged.
    pub(super) by_itself: CancellationToken,
}

impl NodeSetup {
    pub(super) fn directory(&self) -> &PathBuf {
        &self.data_directory
    }

    pub(super) fn options(&self) -> MutexGuard<'_, ReplicaOptions> {
        self.options.lock().expect("nothing panics under this lock")
    }

    /// Forgets earlier requests to stop.
    pub(super) fn renew_stop(&self) {
        *self.lock_stop() = Stop::default();
    }

    pub(super) fn stop(&self) -> Stop {
        self.lock_stop().clone()
    }

    fn lock_stop(&self) -> MutexGuard<'_, Stop> {
        self.stop.lock().expect("nothing panics under this lock")
    }
}

/// How the process of a node ends, unless something is wrong.
enum Ended {
    /// It was asked to.
    Asked,
    /// It has been removed from the cluster.
    Removed,
}

/// The life of a node's process. Never returns: madsim wants it so.
pub(super) async fn run(setup: Arc<NodeSetup>) {
    if setup.is_idle.load(Ordering::Relaxed) {
        return pending().await;
    }
    setup.recorder.listen_to(setup.member);
    setup.recorder.say_of(setup.member, format_args!("starts"));
    let errors_before = power_loss::errors(setup.directory());
    match serve(&setup).await {
        Ok(Ended::Asked) => {}
        Ok(Ended::Removed) => leave(&setup),
        Err(failure) => judge_failure(&setup, failure, errors_before),
    }
    pending().await
}

/// Whether a node may end as it did.
fn judge_failure(setup: &NodeSetup, failure: ReplicaFailure, errors_before: u64) {
    let ReplicaFailure { reason, is_damage } = failure;
    // Where the directory is differs from run to run.
    let reason = reason.replace(&setup.directory().display().to_string(), "(data directory)");
    let disk_failed = power_loss::errors(setup.directory()) > errors_before;
    let is_refused = reason.contains(CANNOT_JOIN) && setup.refusal_expected.load(Ordering::Relaxed);
    // One of a cluster that is no more finds another where it once joined.
    let is_left_over = reason.contains(CANNOT_JOIN) && setup.recorder.disregards(setup.member);
    let is_excused = match is_damage {
        true => setup.damage_expected.load(Ordering::Relaxed),
        false => disk_failed && setup.stops_excused.load(Ordering::Relaxed) || is_refused || is_left_over,
    };
    if is_refused {
        setup.recorder.met("empty disks refused");
    }
    if is_excused {
        end_process(setup, &reason);
    } else {
        let evidence = format!("n{} {reason}", setup.member);
        setup.recorder.convict(Violation::new(NODES_RUN, evidence));
    }
}

/// The end of a process of a node that has been removed.
fn leave(setup: &NodeSetup) {
    let node = setup.recorder.node_on(setup.member);
    setup.recorder.say_of(setup.member, format_args!("has been removed, and ends"));
    // One that is to be removed may go as soon as it has no vote any more.
    if setup.recorder.is_voter(node) {
        let evidence = format!("{node} is a voter, and has ended as if it had been removed");
        setup.recorder.convict(Violation::new(ONLY_REMOVED_NODES_LEAVE, evidence));
    }
    setup.has_left.store(true, Ordering::Relaxed);
    setup.recorder.forget_status(setup.member);
    Handle::current().kill(plugin::node());
}

/// The end of a process whose disk has failed since it started, or whose state is damaged.
fn end_process(setup: &NodeSetup, reason: &str) {
    setup.recorder.say_of(setup.member, format_args!("{reason}"));
    setup.recorder.forget_status(setup.member);
    setup.stop().by_itself.cancel();
    Handle::current().kill(plugin::node());
}

/// Runs the node until it is asked to stop, or until it cannot go on.
async fn serve(setup: &NodeSetup) -> Result<Ended, ReplicaFailure> {
    let failed = |reason: String| ReplicaFailure { reason, is_damage: false };
    let stop = setup.stop();
    let environment = setup.environment.clone();
    let listener = environment
        .listen(&setup.client_address)
        .await
        .map_err(|error| failed(format!("cannot listen for clients: {error}")))?;
    let options = setup.options().clone();
    let replica = match Replica::start(environment.clone(), options).await {
        Ok(replica) => replica,
        // It was killed between noting that it was removed and saying so.
        Err(StartError::Storage(OpenError::Removed { .. })) => return Ok(Ended::Removed),
        Err(error) => {
            let is_damage = matches!(error, StartError::Damaged(_));
            return Err(ReplicaFailure { reason: format!("does not start: {error}"), is_damage });
        }
    };
    if setup.has_left.load(Ordering::Relaxed) {
        let evidence = format!("n{} runs again", setup.member);
        setup.recorder.convict(Violation::new(REMOVED_NODES_STAY_AWAY, evidence));
    }
    environment.spawn("operator's orders", obey(replica.clone(), setup.orders.open()));
    let stop_http = CancellationToken::new();
    let http_ended = CancellationToken::new();
    let options = HttpOptions { shutdown_grace: SHUTDOWN_GRACE, ..HttpOptions::default() };
    let server =
        quorate_http::serve(environment.clone(), listener, replica.clone(), options, stop_http.clone());
    let ended = http_ended.clone();
    environment.spawn("http server", async move {
        server.await;
        ended.cancel();
    });
    environment
        .spawn("status", watch(replica.clone(), setup.recorder.clone(), setup.member, stop.asked.clone()));
    let ended = tokio::select! {
        biased;
        failure = replica.failed() => {
            let reason = format!("has stopped by itself: {failure}");
            return Err(ReplicaFailure { reason, ..failure });
        }
        () = replica.removed() => Ended::Removed,
        () = stop.asked.cancelled() => Ended::Asked,
    };
    replica.hand_over_leadership().await;
    stop_http.cancel();
    http_ended.cancelled().await;
    replica.shutdown().await;
    stop.done.cancel();
    Ok(ended)
}

/// Tells the recorder how the node is, until it is asked to stop.
async fn watch(
    replica: Replica<SimulatedEnvironment>,
    recorder: Arc<Recorder>,
    member: u64,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        recorder.status(member, NodeStatus::of(&replica.status()));
        replica.environment().sleep(STATUS_INTERVAL).await;
    }
}

/// Hands a node's facts to the recorder.
#[derive(Debug)]
pub(super) struct NodeWitness {
    pub(super) member: u64,
    pub(super) recorder: Arc<Recorder>,
}

impl Witness for NodeWitness {
    fn witness(&self, fact: Fact<'_>) {
        self.recorder.fact(self.member, fact);
    }
}
