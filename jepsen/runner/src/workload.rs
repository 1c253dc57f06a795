//! What clients do.
//!
//! Each workload has keys, clients and a history of its own. For every node there is a client that asks only that one,
//! and some ask any. All together begin about as many operations a second as they are told, so that the nodes have time
//! for the faults; a client waits for its answer before it goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use quorate_jepsen::import::ModelName;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::arguments::Target;
use crate::history::{Histories, Recorder};
use crate::run_clock::RunClock;

/// The name of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadName {
    /// Single keys are written, read, and replaced if they hold a given value.
    Register,
}

impl WorkloadName {
    /// The object that its history is judged by.
    pub fn model(self) -> ModelName {
        match self {
            Self::Register => ModelName::Register,
        }
    }

    /// Whether it can be tried with this store.
    pub fn suits(self, target: Target) -> bool {
        match self {
            Self::Register => matches!(target, Target::Quorate | Target::Etcd),
        }
    }
}

/// What the clients of a run are to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the nodes speak to clients, node 1 first.
    pub addresses: Vec<SocketAddr>,
    /// What runs there.
    pub target: Target,
    /// What clients do.
    pub workloads: Vec<WorkloadName>,
    /// Decides all that is left open.
    pub seed: u64,
    /// How many operations all clients together begin in a second.
    pub rate: u32,
}

impl Plan {
    /// The workloads that these words of a command line name: names, or `all` of those that suit the target.
    ///
    /// # Errors
    ///
    /// The word that names none, or one that does not suit, in a sentence.
    pub fn choose(words: &[String], target: Target) -> Result<Vec<WorkloadName>, String> {
        let mut chosen = Vec::new();
        for word in words {
            if word == "all" {
                let all = WorkloadName::value_variants().iter();
                chosen.extend(all.copied().filter(|workload| workload.suits(target)));
                continue;
            }
            let workload =
                WorkloadName::from_str(word, false).map_err(|_| format!("there is no workload {word}"))?;
            if !workload.suits(target) {
                return Err(format!("the workload {word} needs what only quorate can do"));
            }
            chosen.push(workload);
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// Clients that work.
#[derive(Debug)]
pub struct Workloads {
    recorder: Arc<Recorder>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Workloads {
    /// Starts all clients. They work until [`Workloads::end`], whatever happens to the nodes.
    pub fn start(plan: Plan, clock: RunClock) -> Self {
        let recorder = Arc::new(Recorder::new(clock, &plan.workloads));
        let stop = Arc::new(AtomicBool::new(false));
        Self { recorder, stop, clients: Vec::new() }
    }

    /// How many requests have ended so far: all, and those that were answered.
    pub fn counts(&self) -> (usize, usize) {
        self.recorder.counts()
    }

    /// Lets each client finish what it does and read all of its keys once more at every node, and takes what was
    /// recorded. To be called when all faults are healed; it takes a few seconds at most.
    pub async fn end(self) -> Histories {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("nobody ends clients, and they do not panic");
        }
        self.recorder.take()
    }
}
