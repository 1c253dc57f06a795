//! One simulated node: what the `quorate` binary puts together, on the simulated world.

use std::future::pending;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::plugin;
use madsim::runtime::Handle;
use quorate_environment::{Environment, Fact};
use quorate_http::HttpOptions;
use quorate_replica::{Replica, ReplicaFailure, ReplicaOptions, StartError};
use tokio_util::sync::CancellationToken;

use crate::environment::{SimulatedEnvironment, Witness};
use crate::oracles::Violation;
use crate::power_loss;
use crate::recorder::{NodeStatus, Recorder};

/// The property of a node whose disk does what it is asked.
pub const NODES_RUN: &str = "a node starts and runs, whatever was done to it before";

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
    pub(super) options: ReplicaOptions,
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
        &self.options.data_directory
    }

    /// Forgets earlier requests to stop.
    pub(super) fn renew_stop(&self) {
        *self.lock_stop() = Stop::default();
    }

    pub(super) fn stop(&self) -> Stop {
        self.lock_stop().clone()
    }

    fn lock_stop(&self) -> std::sync::MutexGuard<'_, Stop> {
        self.stop.lock().expect("nothing panics under this lock")
    }
}

/// The life of a node's process. Never returns: madsim wants it so.
pub(super) async fn run(setup: Arc<NodeSetup>) {
    setup.recorder.listen_to(setup.member);
    setup.recorder.say_of(setup.member, format_args!("starts"));
    let errors_before = power_loss::errors(setup.directory());
    if let Err(ReplicaFailure { reason, is_damage }) = serve(&setup).await {
        // Where the directory is differs from run to run.
        let reason = reason.replace(&setup.directory().display().to_string(), "(data directory)");
        let disk_failed = power_loss::errors(setup.directory()) > errors_before;
        let is_excused = match is_damage {
            true => setup.damage_expected.load(Ordering::Relaxed),
            false => disk_failed && setup.stops_excused.load(Ordering::Relaxed),
        };
        if is_excused {
            end_process(&setup, &reason);
        } else {
            let evidence = format!("n{} {reason}", setup.member);
            setup.recorder.convict(Violation::new(NODES_RUN, evidence));
        }
    }
    pending().await
}

/// The end of a process whose disk has failed since it started, or whose state is damaged.
fn end_process(setup: &NodeSetup, reason: &str) {
    setup.recorder.say_of(setup.member, format_args!("{reason}"));
    setup.recorder.forget_status(setup.member);
    setup.stop().by_itself.cancel();
    Handle::current().kill(plugin::node());
}

/// Runs the node until it is asked to stop, or until it cannot go on.
async fn serve(setup: &NodeSetup) -> Result<(), ReplicaFailure> {
    let failed = |reason: String| ReplicaFailure { reason, is_damage: false };
    let stop = setup.stop();
    let environment = setup.environment.clone();
    let listener = environment
        .listen(&setup.client_address)
        .await
        .map_err(|error| failed(format!("cannot listen for clients: {error}")))?;
    let replica = Replica::start(environment.clone(), setup.options.clone()).await.map_err(|error| {
        let is_damage = matches!(error, StartError::Damaged(_));
        ReplicaFailure { reason: format!("does not start: {error}"), is_damage }
    })?;
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
    tokio::select! {
        biased;
        failure = replica.failed() => {
            let reason = format!("has stopped by itself: {failure}");
            return Err(ReplicaFailure { reason, ..failure });
        }
        () = stop.asked.cancelled() => {}
    }
    replica.hand_over_leadership().await;
    stop_http.cancel();
    http_ended.cancelled().await;
    replica.shutdown().await;
    stop.done.cancel();
    Ok(())
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
