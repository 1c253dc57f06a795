//! How clients ask, and what answers mean.
//!
//! A client speaks HTTP/1.1 over connections of its own, one to each node. What it asks is an [`Ask`], whatever the
//! store; the modules [`quorate`] and [`etcd`] know how it is written there and what the answers mean. They are strict:
//! an answer that the store's API does not give convicts the store, and what may have had an effect is never said to
//! have had none.

pub mod ask;
mod asking;
pub mod connection;
pub mod etcd;
pub mod quorate;
mod revelation;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::arguments::Target;
use crate::history::{Call, Completion, Operation, Outcome, Recorder};
use crate::random::Choices;
use crate::workload::WorkloadName;
use ask::Told;
use connection::Connections;

/// A client that gave up on a call goes on as another process, since the call may still run.
const PROCESSES_PER_CLIENT: u64 = 1_000_000;
/// How long clients may read what there is when they have been told to come to an end.
const LAST_READS_MAX: Duration = Duration::from_secs(20);
/// How long they then wait for an answer: what there is after a long run is much at once.
const LAST_PATIENCE: Duration = Duration::from_secs(8);
/// The process numbers of operations that a client does beside others are so much larger.
const ASIDE: u64 = PROCESSES_PER_CLIENT / 2;

/// What all clients of a run share.
#[derive(Debug)]
pub struct Surroundings {
    /// Where they say what they do.
    pub recorder: Arc<Recorder>,
    /// Where the nodes are, node 1 first.
    pub addresses: Vec<SocketAddr>,
    /// What runs there.
    pub target: Target,
    /// Since when clients are to come to an end, if they are.
    pub ended: OnceLock<Instant>,
    /// The largest revision up to which anybody has asked to compact.
    pub compacted: AtomicU64,
    /// Reads that were not answered although they were repeated until the run was over, each in words.
    pub unanswered_at_end: Mutex<Vec<String>>,
}

/// What distinguishes a client.
#[derive(Clone, Copy, Debug)]
pub struct ClientPlan {
    /// What it does.
    pub workload: WorkloadName,
    /// Its number, different for every client of a run.
    pub number: u64,
    /// The only node that it asks; any, if there is none.
    pub home: Option<u8>,
    /// How long it waits for an answer.
    pub patience: Duration,
    /// The time from one operation to the next, on average.
    pub period: Duration,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    surroundings: Arc<Surroundings>,
    plan: ClientPlan,
    connections: Connections,
    /// For requests that are sent twice.
    other_connections: Connections,
    /// What it chooses by.
    pub choices: Choices,
    next: Instant,
    given_up: u64,
    values: u64,
}

impl Client {
    /// The client that a plan describes.
    pub fn new(surroundings: Arc<Surroundings>, plan: ClientPlan, seed: u64) -> Self {
        Self {
            surroundings,
            plan,
            connections: Connections::default(),
            other_connections: Connections::default(),
            choices: Choices::new(seed, plan.number),
            next: Instant::now(),
            given_up: 0,
            values: 0,
        }
    }

    /// What it was made for.
    pub fn plan(&self) -> &ClientPlan {
        &self.plan
    }

    /// What runs on the nodes.
    pub fn target(&self) -> Target {
        self.surroundings.target
    }

    /// Where it says what it does.
    pub fn recorder(&self) -> &Recorder {
        &self.surroundings.recorder
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u8 {
        u8::try_from(self.surroundings.addresses.len()).expect("a cluster has few nodes")
    }

    /// The node that it asks next.
    pub fn node(&mut self) -> u8 {
        match self.plan.home {
            Some(home) => home,
            None => self.any_node(),
        }
    }

    /// Any node.
    pub fn any_node(&mut self) -> u8 {
        let nodes = u64::from(self.nodes());
        self.choices.range(1..=nodes) as u8
    }

    /// Whether to come to an end.
    pub fn is_stopped(&self) -> bool {
        self.surroundings.ended.get().is_some()
    }

    /// Whether even the last reads have to come to an end.
    fn is_over(&self) -> bool {
        self.surroundings.ended.get().is_some_and(|ended| ended.elapsed() > LAST_READS_MAX)
    }

    /// One of the last reads was not answered.
    fn note_unanswered(&self, what: String) {
        self.surroundings.unanswered_at_end.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// How long it waits for an answer.
    pub fn patience(&self) -> Duration {
        if self.is_stopped() { LAST_PATIENCE } else { self.plan.patience }
    }

    /// The largest revision up to which anybody has asked to compact.
    pub fn compacted(&self) -> &AtomicU64 {
        &self.surroundings.compacted
    }

    /// Waits until it is time for the next operation; whether there is to be one. What was missed while a node did not
    /// answer is not made up for.
    pub async fn goes_on(&mut self) -> bool {
        let period_us = self.plan.period.as_micros() as u64;
        let pause = Duration::from_micros(self.choices.range(period_us / 2..=period_us * 3 / 2));
        self.next = (self.next + pause).max(Instant::now());
        tokio::time::sleep_until(self.next).await;
        !self.is_stopped()
    }

    /// A text that no client makes but this one, and it only once.
    pub fn unique(&mut self) -> String {
        self.values += 1;
        format!("{}-{}", self.plan.number, self.values)
    }

    /// A number that no client makes but this one, and it only once.
    pub fn unique_number(&mut self) -> u64 {
        self.values += 1;
        self.plan.number * 10_000_000 + self.values
    }

    /// Begins an operation of the history.
    pub fn begin(&self, call: Call) -> Operation {
        let process = self.plan.number * PROCESSES_PER_CLIENT + self.given_up;
        self.recorder().invoke(self.plan.workload, process, call)
    }

    /// Begins an operation while others of the client are under way. `place` tells it from those.
    pub fn begin_aside(&self, place: u64, call: Call) -> Operation {
        let process = self.plan.number * PROCESSES_PER_CLIENT + ASIDE + place;
        self.recorder().invoke(self.plan.workload, process, call)
    }

    /// Ends one.
    pub fn end(&mut self, operation: Operation, outcome: Outcome, completion: Completion) {
        if outcome == Outcome::Unknown {
            self.given_up += 1;
        }
        self.recorder().complete(operation, outcome, completion);
    }

    /// Ends one that was not answered as it was meant to be. What only reads has then had no effect.
    pub fn end_unanswered(&mut self, operation: Operation, told: &Told, is_read: bool) {
        let (outcome, error) = match told {
            Told::Unknown { .. } if !is_read => (Outcome::Unknown, told.to_string()),
            _ => (Outcome::Failed, told.to_string()),
        };
        self.end(operation, outcome, Completion { error: Some(error), ..Completion::default() });
    }
}
