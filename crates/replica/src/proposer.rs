//! Batches writes into proposals, on the node that leads.
//!
//! Writes queue up while earlier proposals are being flushed and replicated. A task takes what has
//! queued, makes one proposal of it (one log entry, stamped with this leader's wall time) and hands it
//! to Raft without waiting, up to [`PROPOSALS_IN_FLIGHT_MAX`] at a time. Few writes thus go out at
//! once, and many share one entry, one flush and one message to each follower.
//!
//! A write that is still in the queue can be taken back: it has definitely not happened. Once it has
//! been handed to Raft its outcome is whatever Raft says, and unknown if Raft does not say in time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use openraft::errors::ClientWriteError;
use openraft::impls::OneshotResponder;
use openraft_rt::AsyncRuntime;
use quorate_consensus::{ProposalBytes, ProposalOutcomes};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, Outcome, Proposal};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::raft::Raft;

/// Proposals that may be with Raft at once. One: whatever arrives while it is being flushed shares the next
/// one. Two and three were measured to be slower at 64 and 256 clients, because their batches are smaller.
const PROPOSALS_IN_FLIGHT_MAX: usize = 1;
/// Commands in one proposal.
const PROPOSAL_COMMANDS_MAX: usize = 1024;
/// Bytes of keys and values after which a proposal takes no further command.
const PROPOSAL_BYTES_MAX: usize = 1 << 20;

/// How a write on this node ended.
#[derive(Debug)]
pub(crate) enum ProposeResult {
    /// Committed and applied.
    Applied(Outcome),
    /// Raft refused before anything was appended: another node leads, or this one's lease is not valid.
    NotLeader,
    /// The deadline came while the write was still in the queue.
    NotProposed,
    /// It was handed to Raft and then lost sight of.
    Unknown(&'static str),
}

struct Waiting {
    command: Command,
    deadline: Moment,
    result: oneshot::Sender<ProposeResult>,
}

#[derive(Default)]
struct Queue {
    next_ticket: u64,
    /// In order of arrival; a ticket that is missing in `waiting` was taken back.
    order: VecDeque<u64>,
    waiting: BTreeMap<u64, Waiting>,
}

/// See the module's documentation.
pub(crate) struct Proposer<E: Environment> {
    environment: E,
    raft: Raft<E>,
    queue: Mutex<Queue>,
    arrived: Notify,
    in_flight: Arc<Semaphore>,
}

impl<E: Environment> Proposer<E> {
    /// Starts the batching task. It ends when `shutdown` is cancelled.
    pub(crate) fn start(environment: E, raft: Raft<E>, shutdown: CancellationToken) -> Arc<Self> {
        let proposer = Arc::new(Self {
            environment: environment.clone(),
            raft,
            queue: Mutex::default(),
            arrived: Notify::new(),
            in_flight: Arc::new(Semaphore::new(PROPOSALS_IN_FLIGHT_MAX)),
        });
        let task = proposer.clone();
        environment.spawn("proposer", async move {
            let _ = E::Runtime::select2(shutdown.cancelled(), task.run()).await;
        });
        proposer
    }

    async fn run(&self) {
        loop {
            let permit = self.in_flight.clone().acquire_owned().await.expect("the semaphore is never closed");
            self.arrived.notified().await;
            let batch = self.take_batch();
            if !batch.is_empty() {
                self.propose_batch(batch, permit).await;
            }
        }
    }

    /// Runs one command to its outcome, if this node leads.
    pub(crate) async fn propose(&self, command: Command, deadline: Moment) -> ProposeResult {
        let (result, mut answered) = oneshot::channel();
        let ticket = {
            let mut queue = self.lock_queue();
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            queue.order.push_back(ticket);
            queue.waiting.insert(ticket, Waiting { command, deadline, result });
            ticket
        };
        self.arrived.notify_one();
        match self.environment.timeout_at(deadline, &mut answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => ProposeResult::Unknown("the proposal was dropped"),
            Err(_) => match self.lock_queue().waiting.remove(&ticket) {
                Some(_) => ProposeResult::NotProposed,
                None => ProposeResult::Unknown("the deadline passed before the proposal was committed"),
            },
        }
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no code panics while it holds the queue")
    }

    /// Takes the commands of one proposal off the queue.
    fn take_batch(&self) -> Vec<Waiting> {
        let now = self.environment.now();
        let mut queue = self.lock_queue();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < PROPOSAL_COMMANDS_MAX && bytes < PROPOSAL_BYTES_MAX {
            let Some(ticket) = queue.order.pop_front() else { break };
            let Some(waiting) = queue.waiting.remove(&ticket) else { continue };
            if waiting.deadline <= now {
                // The waiter may have gone already.
                let _ = waiting.result.send(ProposeResult::NotProposed);
                continue;
            }
            bytes += waiting.command.encoded_bytes();
            batch.push(waiting);
        }
        if !queue.order.is_empty() {
            self.arrived.notify_one();
        }
        batch
    }

    /// Hands a batch to Raft and lets a task of its own wait for the outcome.
    async fn propose_batch(&self, batch: Vec<Waiting>, permit: OwnedSemaphorePermit) {
        let mut commands = Vec::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        for waiting in batch {
            commands.push(waiting.command);
            results.push(waiting.result);
        }
        let proposal = Proposal { time_ms: self.environment.wall_now().unix_milliseconds(), commands };
        let (responder, applied) = OneshotResponder::new_pair();
        let handed_over = self.raft.client_write_ff(ProposalBytes(proposal.encode()), Some(responder)).await;
        if handed_over.is_err() {
            // Raft has stopped. Whether it took the message before it did cannot be told.
            answer_all(results, || ProposeResult::Unknown("raft has stopped"));
            return;
        }
        self.environment.spawn("proposal", async move {
            let answer = applied.await;
            drop(permit);
            match answer {
                Ok(Ok(response)) => answer_each(results, response.data),
                Ok(Err(ClientWriteError::ForwardToLeader(_))) => {
                    answer_all(results, || ProposeResult::NotLeader)
                }
                Ok(Err(_)) => {
                    answer_all(results, || ProposeResult::Unknown("leadership was lost while committing"))
                }
                Err(_) => answer_all(results, || ProposeResult::Unknown("raft has stopped")),
            }
        });
    }
}

fn answer_each(results: Vec<oneshot::Sender<ProposeResult>>, ProposalOutcomes(outcomes): ProposalOutcomes) {
    assert_eq!(results.len(), outcomes.len(), "the state machine gives one outcome for each command");
    for (result, outcome) in results.into_iter().zip(outcomes) {
        // A waiter that has gone reported the outcome as unknown.
        let _ = result.send(ProposeResult::Applied(outcome));
    }
}

fn answer_all(results: Vec<oneshot::Sender<ProposeResult>>, answer: impl Fn() -> ProposeResult) {
    for result in results {
        // A waiter that has gone reported the outcome as unknown.
        let _ = result.send(answer());
    }
}
