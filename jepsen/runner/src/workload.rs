//! What clients do.
//!
//! Each workload has keys, clients and a history of its own. For every node there is a client that asks only that one,
//! and some ask any. All together begin about as many operations a second as they are told, so that the nodes have time
//! for the faults; a client waits for its answer before it goes on.
//!
//! No value is written twice, so what a read saw names the write that it saw. Most keys are only used for some seconds
//! (an *epoch*), so that no key has a history so long that the search for an order gets lost in what is unknown. When a
//! run ends, everything is read once more at every node: also what nobody has asked for since an early fault.

mod append;
mod bank;
mod conditional;
mod counter;
mod exactly_once;
mod names;
mod past;
mod ranges;
mod register;
mod set;
mod stale;
mod versioned;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use bank::wrong_sum;
pub use names::WorkloadName;

use crate::arguments::Target;
use crate::client::{Client, ClientPlan, Surroundings};
use crate::history::{Histories, Recorder};
use crate::random::Choices;
use crate::run_clock::RunClock;

/// Clients of a workload that ask any node.
const ROAMING_CLIENTS: u64 = 2;
/// How long a client waits for an answer: one of these.
const PATIENCE_MS: [u64; 3] = [600, 1_000, 2_000];
/// The stream of the seed that decides who is how patient; clients have their numbers, which begin at 1.
const PATIENCE_STREAM: u64 = 0;
/// How long the same keys are used.
const EPOCH: Duration = Duration::from_secs(8);

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
            let workload = WorkloadName::from_str(word, false);
            let workload = workload.map_err(|_| format!("there is no workload {word}"))?;
            if !workload.suits(target) {
                return Err(format!("the workload {word} needs what only quorate can do"));
            }
            chosen.push(workload);
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }

    /// The clients of all workloads.
    fn clients(&self) -> Vec<ClientPlan> {
        let nodes = self.addresses.len() as u64;
        let clients_count = (nodes + ROAMING_CLIENTS) * self.workloads.len() as u64;
        let period = Duration::from_secs(clients_count) / self.rate.max(1);
        let mut choices = Choices::new(self.seed, PATIENCE_STREAM);
        let mut clients = Vec::new();
        for workload in &self.workloads {
            for place in 1..=nodes + ROAMING_CLIENTS {
                clients.push(ClientPlan {
                    workload: *workload,
                    number: clients.len() as u64 + 1,
                    home: (place <= nodes).then_some(place as u8),
                    patience: Duration::from_millis(PATIENCE_MS[choices.range(0..=2) as usize]),
                    period,
                });
            }
        }
        clients
    }
}

/// Clients that work.
#[derive(Debug)]
pub struct Workloads {
    surroundings: Arc<Surroundings>,
    clients: Vec<JoinHandle<()>>,
}

impl Workloads {
    /// Starts all clients. They work until [`Workloads::end`], whatever happens to the nodes.
    pub fn start(plan: Plan, clock: RunClock) -> Self {
        let surroundings = Arc::new(Surroundings {
            recorder: Arc::new(Recorder::new(clock, &plan.workloads)),
            addresses: plan.addresses.clone(),
            target: plan.target,
            ended: OnceLock::new(),
            compacted: AtomicU64::new(0),
            unanswered_at_end: Mutex::default(),
        });
        let start = |client: ClientPlan| {
            let client = Client::new(surroundings.clone(), client, plan.seed);
            tokio::spawn(work(client))
        };
        let clients = plan.clients().into_iter().map(start).collect();
        Self { surroundings, clients }
    }

    /// How many requests have ended so far: all, and those that were answered.
    pub fn counts(&self) -> (usize, usize) {
        self.surroundings.recorder.counts()
    }

    /// Lets each client finish what it does and read all of its keys once more at every node, and takes what was
    /// recorded, and which of those reads were not answered. To be called when all faults are healed and the cluster
    /// serves; it takes a few seconds then, and about half a minute at most.
    pub async fn end(self) -> (Histories, Vec<String>) {
        self.surroundings.ended.get_or_init(Instant::now);
        for client in self.clients {
            client.await.expect("nobody ends clients, and they do not panic");
        }
        let unanswered = &self.surroundings.unanswered_at_end;
        let unanswered = std::mem::take(&mut *unanswered.lock().unwrap_or_else(PoisonError::into_inner));
        (self.surroundings.recorder.take(), unanswered)
    }
}

async fn work(client: Client) {
    match client.plan().workload {
        WorkloadName::Register => register::work(client).await,
        WorkloadName::Conditional => conditional::work(client).await,
        WorkloadName::Append => append::work(client).await,
        WorkloadName::Bank => bank::work(client).await,
        WorkloadName::Set => set::work(client).await,
        WorkloadName::Counter => counter::work(client).await,
        WorkloadName::ExactlyOnce => exactly_once::work(client).await,
        WorkloadName::Ranges => ranges::work(client).await,
        WorkloadName::Stale => stale::work(client).await,
        WorkloadName::Past => past::work(client).await,
    }
}

/// The number of the epoch, the same for all clients.
fn epoch(client: &Client) -> u64 {
    client.recorder().now() / EPOCH.as_nanos() as u64
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        let addresses = (1..=3).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let workloads = vec![WorkloadName::Register, WorkloadName::Bank];
        Plan { addresses, target: Target::Quorate, workloads, seed, rate: 100 }
    }

    #[test]
    fn a_seed_decides_who_the_clients_are() {
        let clients = |seed| format!("{:?}", plan(seed).clients());
        assert_eq!(clients(1), clients(1));
        assert_ne!(clients(1), clients(2));
    }

    #[test]
    fn every_node_has_a_client_of_its_own_and_all_together_keep_the_rate() {
        let clients = plan(1).clients();
        for workload in [WorkloadName::Register, WorkloadName::Bank] {
            let mut homes: Vec<_> =
                clients.iter().filter(|it| it.workload == workload).map(|it| it.home).collect();
            homes.sort_unstable();
            assert_eq!(homes, [None, None, Some(1), Some(2), Some(3)]);
        }
        let rate: f64 = clients.iter().map(|client| 1.0 / client.period.as_secs_f64()).sum();
        assert!((rate - 100.0).abs() < 0.1, "{rate}");
    }

    #[test]
    fn workloads_are_chosen_by_name_and_by_what_the_store_can_do() {
        let choose = |word: &str, target| Plan::choose(&[word.to_owned()], target);
        assert_eq!(choose("all", Target::Quorate).expect("all").len(), WorkloadName::value_variants().len());
        let of_etcd = choose("all", Target::Etcd).expect("some");
        assert!(of_etcd.contains(&WorkloadName::Append) && !of_etcd.contains(&WorkloadName::Past));
        assert!(choose("past", Target::Etcd).is_err());
        assert!(choose("registers", Target::Quorate).is_err());
        for workload in WorkloadName::value_variants() {
            let name = workload.to_possible_value().expect("none is hidden");
            assert_eq!(name.get_name(), workload.name());
        }
    }
}
