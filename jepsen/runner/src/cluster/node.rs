//! One node: its process, from outside.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Cluster;
use super::ends::Ends;
use super::launch::Launch;
use super::layer::Layer;
use super::machines::Machines;
use crate::error::HarnessError;
use crate::history::Conviction;
use crate::property::Property;
use crate::run_clock::RunClock;

/// How long the system may take to do what a signal says.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);
/// How often it is asked whether it has.
const POLL: Duration = Duration::from_millis(1);

/// A node, whether it runs or not.
pub struct Node {
    number: u8,
    pub data: PathBuf,
    pub log: PathBuf,
    clock: RunClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    /// Whether the next start is one of a node that joins.
    joins: bool,
    ends: Ends,
}

impl Node {
    pub fn new(number: u8, folder: &Path, clock: RunClock) -> Self {
        Self {
            number,
            data: folder.join(format!("data-{number}")),
            log: folder.join(format!("node-{number}.log")),
            clock,
            state: Mutex::default(),
        }
    }

    /// The number of the process, if it runs.
    pub async fn process(&self) -> Option<u32> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.child.as_ref().and_then(Child::id)
    }

    /// How it ended, if it did so without being told.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.last
    }

    /// Ends that nothing explains.
    pub async fn unexplained_ends(&self) -> Vec<Conviction> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.unexplained.clone()
    }

    /// There is something now that its processes may end of.
    pub async fn expect_end(&self) {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.expect();
    }

    /// That is over: if the process that runs ends of it, it does so soon.
    pub async fn expect_end_soon(&self) {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.expect_soon(self.clock.now());
    }

    /// It is to be removed: its processes may end, with success.
    pub async fn expect_departure(&self) {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.expect_departure();
    }

    /// It is known whether it was removed: if the process that runs ends of that, it does so soon.
    pub async fn expect_departure_soon(&self) {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        state.ends.expect_departure_soon(self.clock.now());
    }

    pub async fn joins(&self) -> bool {
        self.state.lock().await.joins
    }

    pub async fn start(
        &self,
        launch: &mut Launch,
        layers: &[Arc<dyn Layer>],
        machines: &Machines,
    ) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        if state.child.is_some() {
            return Ok(());
        }
        let making = format!("making {}", self.data.display());
        std::fs::create_dir_all(&self.data).map_err(HarnessError::system(making))?;
        for layer in layers {
            layer.prepare(self.number, launch)?;
        }
        let opening = || HarnessError::system(format!("opening {}", self.log.display()));
        let log = File::options().create(true).append(true).open(&self.log).map_err(opening())?;
        let log_too = log.try_clone().map_err(opening())?;
        let mut command = machines.command(self.number, launch);
        command.stdin(Stdio::null()).stdout(log).stderr(log_too).kill_on_drop(true);
        let child =
            command.spawn().map_err(HarnessError::system(format!("starting node {}", self.number)))?;
        state.child = Some(child);
        state.ends.forget_process();
        Ok(())
    }

    pub async fn kill(&self) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        let Some(mut child) = state.child.take() else { return Ok(()) };
        child.kill().await.map_err(HarnessError::system(format!("killing node {}", self.number)))
    }

    pub async fn terminate(&self, limit: Duration) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        let Some(mut child) = state.child.take() else { return Ok(()) };
        self.signal(&child, Signal::CONT)?;
        self.signal(&child, Signal::TERM)?;
        let Ok(ended) = tokio::time::timeout(limit, child.wait()).await else {
            child.kill().await.map_err(HarnessError::system(format!("killing node {}", self.number)))?;
            return Err(self.late(Property::DoneInTime, "did not end when it was told to", limit));
        };
        let status = ended.map_err(HarnessError::system(format!("waiting for node {}", self.number)))?;
        state.ends.note_told(self.number, status, self.clock.now());
        Ok(())
    }

    pub async fn await_departure(&self, limit: Duration) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        while self.process().await.is_some() {
            if Instant::now() > deadline {
                return Err(self.late(
                    Property::RemovedNodesStop,
                    "was removed and did not end by itself",
                    limit,
                ));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    pub async fn pause(&self) -> Result<(), HarnessError> {
        self.signal_and_wait(Signal::STOP, |state| state == 'T').await
    }

    pub async fn resume(&self) -> Result<(), HarnessError> {
        self.signal_and_wait(Signal::CONT, |state| state != 'T').await
    }

    pub async fn wipe(&self) -> Result<(), HarnessError> {
        let mut state = self.state.lock().await;
        self.reap(&mut state);
        if state.child.is_some() {
            return Err(HarnessError::Nonsense(format!("node {} runs and cannot be wiped", self.number)));
        }
        state.joins = true;
        // The folder itself may be a file system of its own.
        let removing = || HarnessError::system(format!("emptying {}", self.data.display()));
        for entry in std::fs::read_dir(&self.data).map_err(removing())? {
            let entry = entry.map_err(removing())?;
            let is_folder = entry.file_type().map_err(removing())?.is_dir();
            let path = entry.path();
            let removed = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            removed.map_err(removing())?;
        }
        Ok(())
    }

    /// Sends a signal to the process, if there is one, and waits until what the system says of all its threads is as
    /// it should be.
    async fn signal_and_wait(&self, signal: Signal, done: fn(char) -> bool) -> Result<(), HarnessError> {
        let state = self.state.lock().await;
        let Some(child) = &state.child else { return Ok(()) };
        let Some(process) = child.id() else { return Ok(()) };
        self.signal(child, signal)?;
        let deadline = Instant::now() + SIGNAL_LIMIT;
        // A process that has ended meanwhile has no threads, and is waited for by somebody else.
        while !thread_states(process).into_iter().all(|state| done(state) || state == 'Z') {
            if Instant::now() > deadline {
                let what = format!("node {} did not heed a signal within {SIGNAL_LIMIT:?}", self.number);
                return Err(HarnessError::Nonsense(what));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Learns whether the process has ended by itself.
    fn reap(&self, state: &mut State) {
        // An error means that it has been waited for already.
        let ended = state.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            state.child = None;
            state.ends.note(self.number, status, self.clock.now());
        }
    }

    fn signal(&self, child: &Child, signal: Signal) -> Result<(), HarnessError> {
        let process = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let Some(process) = process else { return Ok(()) };
        kill_process(process, signal)
            .map_err(|error| HarnessError::system(format!("signalling node {}", self.number))(error.into()))
    }

    fn late(&self, property: Property, what: &str, limit: Duration) -> HarnessError {
        HarnessError::Late {
            property,
            what: format!("node {} {what}", self.number),
            seconds: limit.as_secs(),
        }
    }
}

impl Cluster {
    /// Whether a node has ended by itself, and was not started again.
    pub async fn has_ended(&self, node: u8) -> bool {
        self.node(node).ended().await.is_some()
    }

    /// What was done to a node of which [`Cluster::expect_end`] was told is over: if it still ends of that, it does so
    /// soon.
    pub async fn expect_end_soon(&self, node: u8) {
        self.node(node).expect_end_soon().await;
    }

    /// A node is to be removed, and may end by itself, with success, until [`Self::expect_departure_soon`].
    pub async fn expect_departure(&self, node: u8) {
        self.node(node).expect_departure().await;
    }

    /// It is known whether a node was removed of which [`Self::expect_departure`] was told: if it still ends of that,
    /// it does so soon.
    pub async fn expect_departure_soon(&self, node: u8) {
        self.node(node).expect_departure_soon().await;
    }
}

/// The state of each thread of a process, as `/proc` calls it.
fn thread_states(process: u32) -> Vec<char> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let state = |folder: PathBuf| {
        let text = std::fs::read_to_string(folder.join("stat")).ok()?;
        // Behind the name, which may have anything in it but ends with the last parenthesis.
        text.rsplit_once(") ")?.1.chars().next()
    };
    threads.flatten().filter_map(|thread| state(thread.path())).collect()
}
