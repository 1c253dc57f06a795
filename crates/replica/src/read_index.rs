//! ReadIndex rounds: how a node learns that its state is fresh enough for a linearizable read.
//!
//! A round asks the leader for a *read index*: the leader notes its commit index, then has a quorum
//! confirm that it still leads (Ongaro's dissertation, section 6.4). A read that began before the round
//! may be answered from any state that has applied that index. On the leader a round is a call into
//! Raft; on any other node it is one message to the leader.
//!
//! Rounds are shared: one runs at a time, and whoever arrives while it runs waits for the *next*. To
//! join the running one would be wrong, because its commit index may have been noted before the read
//! began, and writes acknowledged in between would be missed.
//!
//! Waiting for the local state to catch up with the read index happens outside of the round, so that a
//! slow replica does not delay the next round.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use quorate_environment::mutant::{self, Mutant};
use quorate_environment::{Environment, Moment};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// How long a node waits before it tries a failed round again.
const ROUND_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Where rounds get their read index from.
pub(crate) trait ReadIndexSource: Send + Sync + 'static {
    /// Runs one round, begun now: the index that local state must have applied, or why there is none.
    fn round(&self) -> impl Future<Output = Result<u64, String>> + Send;
}

/// What a finished round tells the reads that waited for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadIndex {
    /// The index that must be applied before the read.
    pub(crate) index: u64,
    /// When the round began: the state at `index` includes everything acknowledged before.
    pub(crate) began: Moment,
}

#[derive(Default)]
struct Waiting {
    reads: Vec<oneshot::Sender<ReadIndex>>,
    last_failure: Option<String>,
}

/// See the module's documentation.
pub(crate) struct ReadIndexer<E: Environment, S> {
    environment: E,
    source: S,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

impl<E: Environment, S: ReadIndexSource> ReadIndexer<E, S> {
    /// Starts the task that runs rounds. It ends when `shutdown` is cancelled.
    pub(crate) fn start(environment: E, source: S, shutdown: CancellationToken) -> Arc<Self> {
        let indexer = Arc::new(Self {
            environment: environment.clone(),
            source,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        });
        let task = indexer.clone();
        environment.spawn("read index rounds", async move {
            let _ = E::Runtime::select2(shutdown.cancelled(), task.run()).await;
        });
        indexer
    }

    /// Waits for a round that begins after this call. Fails with what was last seen if there is none
    /// before the deadline.
    pub(crate) async fn read_index(&self, deadline: Moment) -> Result<ReadIndex, String> {
        let (sender, receiver) = oneshot::channel();
        self.lock_waiting().reads.push(sender);
        self.arrived.notify_one();
        match self.environment.timeout_at(deadline, receiver).await {
            Ok(Ok(read_index)) => Ok(read_index),
            Ok(Err(_)) => Err("this node is shutting down".to_owned()),
            Err(_) => Err(self
                .lock_waiting()
                .last_failure
                .clone()
                .unwrap_or_else(|| "no answer in time".to_owned())),
        }
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no code panics while it holds the waiting reads")
    }

    async fn run(&self) {
        loop {
            self.arrived.notified().await;
            let mut reads = std::mem::take(&mut self.lock_waiting().reads);
            reads.retain(|read| !read.is_closed());
            if !reads.is_empty() {
                self.run_round(reads).await;
            }
        }
    }

    async fn run_round(&self, mut reads: Vec<oneshot::Sender<ReadIndex>>) {
        let began = self.environment.now();
        match self.source.round().await {
            Ok(index) => {
                let mut waiting = self.lock_waiting();
                waiting.last_failure = None;
                if mutant::active(Mutant::JoinRunningReadIndexRound) {
                    reads.append(&mut waiting.reads);
                }
                drop(waiting);
                for read in reads {
                    // A read that has gone ran into its deadline.
                    let _ = read.send(ReadIndex { index, began });
                }
            }
            Err(failure) => {
                self.environment.sleep(self.environment.jitter(ROUND_RETRY_DELAY)).await;
                let mut waiting = self.lock_waiting();
                waiting.last_failure = Some(failure);
                // These reads began before the next round too.
                reads.append(&mut waiting.reads);
                waiting.reads = reads;
                drop(waiting);
                self.arrived.notify_one();
            }
        }
    }
}
