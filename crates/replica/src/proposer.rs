//! Batches writes into proposals, on the node that leads.
//!
//! One proposal is with Raft at a time. Writes that come while it is being flushed and replicated queue up
//! ([`ProposalQueue`]); when it is through, a task makes the next proposal of what has queued: one log
//! entry, stamped with this leader's wall time. A single write thus goes out at once, and many share one
//! entry, one flush and one message to each follower. Two and three proposals at a time were measured to be
//! slower at 64 and 256 clients, because their batches are smaller.
//!
//! Whoever hands leadership over holds the proposals back meanwhile ([`Proposer::hold`]): writes queue up, and
//! are told afterwards that another node leads. What Raft has taken is through by then, so that none of it
//! is lost sight of.
//!
//! A write that is still in the queue can be taken back: it has definitely not happened. Once it has
//! been handed to Raft its outcome is whatever Raft says, and unknown if Raft does not say in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::errors::ClientWriteError;
use openraft::impls::OneshotResponder;
use openraft_rt::AsyncRuntime;
use quorate_consensus::{ProposalBytes, ProposalOutcomes};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, Outcome, Proposal};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio_util::sync::CancellationToken;

use crate::proposal_queue::{ProposalQueue, Waiting};
use crate::raft::Raft;

/// How a write on this node ended.
#[derive(Debug)]
pub(crate) enum ProposeResult {
    /// Committed and applied.
    Applied(Outcome),
    /// Raft refused before anything was appended: another node leads, or this one's lease is not valid.
    NotLeader,
    /// The deadline came, or this node's end, while the write was still in the queue.
    NotProposed,
    /// It was handed to Raft and then lost sight of.
    Unknown(&'static str),
}

/// See the module's documentation.
pub(crate) struct Proposer<E: Environment> {
    environment: E,
    raft: Raft<E>,
    queue: ProposalQueue,
    /// Held while a proposal is with Raft, and by whoever keeps proposals back.
    turn: Mutex<()>,
    proposals: AtomicU64,
    commands: AtomicU64,
}

/// Keeps proposals back until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    _turn: MutexGuard<'a, ()>,
}

impl<E: Environment> Proposer<E> {
    /// Starts the batching task. It ends when `shutdown` is cancelled.
    pub(crate) fn start(environment: E, raft: Raft<E>, shutdown: CancellationToken) -> Arc<Self> {
        let queue = ProposalQueue::default();
        let proposer = Arc::new(Self {
            environment: environment.clone(),
            raft,
            queue,
            turn: Mutex::new(()),
            proposals: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        });
        let task = proposer.clone();
        environment.spawn("proposer", async move {
            let _ = E::Runtime::select2(shutdown.cancelled(), task.run()).await;
            task.queue.close();
        });
        proposer
    }

    /// How many proposals this node has made since it started, and how many commands were in them.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.proposals.load(Ordering::Relaxed), self.commands.load(Ordering::Relaxed))
    }

    /// How many writes wait to be proposed.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Waits until no proposal is with Raft, and keeps others back from then on.
    pub(crate) async fn hold(&self) -> Hold<'_> {
        Hold { _turn: self.turn.lock().await }
    }

    async fn run(&self) {
        loop {
            self.queue.arrived().await;
            // First come, first served: whoever wants to hold proposals back waits for one of them at most.
            let _turn = self.turn.lock().await;
            let batch = self.queue.take_batch(self.environment.now());
            if !batch.is_empty() {
                self.propose_batch(batch).await;
            }
        }
    }

    /// Runs one command to its outcome, if this node leads.
    ///
    /// Cancellation: a dropped call takes the write back if it is still in the queue.
    pub(crate) async fn propose(&self, command: Command, deadline: Moment) -> ProposeResult {
        let (result, mut answered) = oneshot::channel();
        let Some(ticket) = self.queue.join(Waiting { command, deadline, result }) else {
            return ProposeResult::NotProposed;
        };
        match self.environment.timeout_at(deadline, &mut answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => ProposeResult::Unknown("the proposal was dropped"),
            Err(_) if ticket.take_back() => ProposeResult::NotProposed,
            // The answer may have come in this very moment.
            Err(_) => answered
                .try_recv()
                .unwrap_or(ProposeResult::Unknown("the deadline passed before the proposal was committed")),
        }
    }

    /// Hands a batch to Raft, waits for the outcome and tells it to those who wait.
    async fn propose_batch(&self, batch: Vec<Waiting>) {
        let mut commands = Vec::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        for waiting in batch {
            commands.push(waiting.command);
            results.push(waiting.result);
        }
        self.proposals.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(commands.len() as u64, Ordering::Relaxed);
        let proposal = Proposal { time_ms: self.environment.wall_now().unix_milliseconds(), commands };
        let (responder, applied) = OneshotResponder::new_pair();
        let handed_over = self.raft.client_write_ff(ProposalBytes(proposal.encode()), Some(responder)).await;
        if handed_over.is_err() {
            // Raft has stopped. Whether it took the message before it did cannot be told.
            answer_all(results, || ProposeResult::Unknown("raft has stopped"));
            return;
        }
        match applied.await {
            Ok(Ok(response)) => answer_each(results, response.data),
            Ok(Err(ClientWriteError::ForwardToLeader(_))) => answer_all(results, || ProposeResult::NotLeader),
            Ok(Err(_)) => {
                answer_all(results, || ProposeResult::Unknown("leadership was lost while committing"))
            }
            Err(_) => answer_all(results, || ProposeResult::Unknown("raft has stopped")),
        }
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
