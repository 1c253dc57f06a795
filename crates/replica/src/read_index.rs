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
/// Reads that may wait for the next round; more are refused.
const READS_WAITING_MAX: usize = 16_384;

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

/// Why a read got no read index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoReadIndex {
    /// Too many reads wait already.
    #[error("too many reads wait for a confirmation of the leader")]
    TooManyWait,
    /// No round has succeeded in time, or will.
    #[error("{0}")]
    NoRound(String),
}

#[derive(Default)]
struct Waiting {
    reads: Vec<oneshot::Sender<ReadIndex>>,
    last_failure: Option<String>,
    /// There are no rounds any more.
    closed: bool,
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
            task.close();
        });
        indexer
    }

    /// Waits for a round that begins after this call. Fails with what was last seen if there is none
    /// before the deadline.
    pub(crate) async fn read_index(&self, deadline: Moment) -> Result<ReadIndex, NoReadIndex> {
        let ended = || NoReadIndex::NoRound("this node is shutting down".to_owned());
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.lock_waiting();
            if waiting.closed {
                return Err(ended());
            }
            if waiting.reads.len() >= READS_WAITING_MAX {
                return Err(NoReadIndex::TooManyWait);
            }
            waiting.reads.push(sender);
        }
        self.arrived.notify_one();
        match self.environment.timeout_at(deadline, receiver).await {
            Ok(Ok(read_index)) => Ok(read_index),
            Ok(Err(_)) => Err(ended()),
            Err(_) => {
                let failure = self.lock_waiting().last_failure.clone();
                Err(NoReadIndex::NoRound(failure.unwrap_or_else(|| "no answer in time".to_owned())))
            }
        }
    }

    /// Ends the wait of all, and takes no others in.
    fn close(&self) {
        let mut waiting = self.lock_waiting();
        waiting.closed = true;
        let reads = std::mem::take(&mut waiting.reads);
        drop(waiting);
        // Who waits finds the other end gone.
        drop(reads);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use quorate_environment::TokioEnvironment;
    use tokio::sync::mpsc;

    use super::*;

    /// Rounds that begin and end when the test says so; each gives the index that was current when it
    /// began.
    struct SteppedRounds {
        committed: Arc<AtomicU64>,
        begun: mpsc::UnboundedSender<()>,
        finish: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<(), String>>>,
    }

    impl ReadIndexSource for SteppedRounds {
        async fn round(&self) -> Result<u64, String> {
            let index = self.committed.load(Ordering::SeqCst);
            self.begun.send(()).expect("the test waits for rounds");
            self.finish.lock().await.recv().await.expect("the test ends rounds").map(|()| index)
        }
    }

    struct Stage {
        indexer: Arc<ReadIndexer<TokioEnvironment, SteppedRounds>>,
        committed: Arc<AtomicU64>,
        begun: mpsc::UnboundedReceiver<()>,
        finish: mpsc::UnboundedSender<Result<(), String>>,
        shutdown: CancellationToken,
    }

    fn stage() -> Stage {
        let committed = Arc::new(AtomicU64::new(1));
        let (begun_sender, begun) = mpsc::unbounded_channel();
        let (finish, finish_receiver) = mpsc::unbounded_channel();
        let source = SteppedRounds {
            committed: committed.clone(),
            begun: begun_sender,
            finish: tokio::sync::Mutex::new(finish_receiver),
        };
        let shutdown = CancellationToken::new();
        let indexer = ReadIndexer::start(TokioEnvironment::new(), source, shutdown.clone());
        Stage { indexer, committed, begun, finish, shutdown }
    }

    fn soon() -> Moment {
        TokioEnvironment::new().now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_read_that_arrives_during_a_round_waits_for_the_next() {
        let mut stage = stage();
        let (first, second) = (stage.indexer.clone(), stage.indexer.clone());
        let first = tokio::spawn(async move { first.read_index(soon()).await });
        stage.begun.recv().await.expect("the first round begins");
        // A write is acknowledged after the first round has noted its index, and then a read begins.
        stage.committed.store(2, Ordering::SeqCst);
        let second = tokio::spawn(async move { second.read_index(soon()).await });
        while stage.indexer.lock_waiting().reads.is_empty() {
            tokio::task::yield_now().await;
        }
        stage.finish.send(Ok(())).expect("the round waits");
        assert_eq!(first.await.expect("no panic").expect("an index").index, 1);
        stage.begun.recv().await.expect("the second round begins");
        stage.finish.send(Ok(())).expect("the round waits");
        assert_eq!(second.await.expect("no panic").expect("an index").index, 2);
    }

    #[tokio::test]
    async fn reads_that_wait_together_share_one_round() {
        let mut stage = stage();
        let blocker = stage.indexer.clone();
        let blocker = tokio::spawn(async move { blocker.read_index(soon()).await });
        stage.begun.recv().await.expect("the first round begins");
        let reads: Vec<_> = (0..10)
            .map(|_| {
                let indexer = stage.indexer.clone();
                tokio::spawn(async move { indexer.read_index(soon()).await })
            })
            .collect();
        while stage.indexer.lock_waiting().reads.len() < 10 {
            tokio::task::yield_now().await;
        }
        stage.finish.send(Ok(())).expect("the round waits");
        stage.begun.recv().await.expect("one more round begins");
        stage.finish.send(Ok(())).expect("the round waits");
        for read in reads {
            read.await.expect("no panic").expect("an index");
        }
        blocker.await.expect("no panic").expect("an index");
        assert!(stage.begun.try_recv().is_err(), "no third round was needed");
    }

    #[tokio::test]
    async fn a_failed_round_is_tried_again_until_the_deadline_and_then_named() {
        let mut stage = stage();
        let indexer = stage.indexer.clone();
        let read = tokio::spawn(async move { indexer.read_index(soon()).await });
        stage.begun.recv().await.expect("a round begins");
        stage.finish.send(Err("no quorum".to_owned())).expect("the round waits");
        stage.begun.recv().await.expect("it is tried again");
        stage.finish.send(Ok(())).expect("the round waits");
        assert_eq!(read.await.expect("no panic").expect("an index").index, 1);

        let indexer = stage.indexer.clone();
        let deadline = TokioEnvironment::new().now() + Duration::from_millis(200);
        let read = tokio::spawn(async move { indexer.read_index(deadline).await });
        for _ in 0..2 {
            stage.begun.recv().await.expect("a round begins");
            stage.finish.send(Err("no quorum".to_owned())).expect("the round waits");
        }
        assert_eq!(
            read.await.expect("no panic").expect_err("no index"),
            NoReadIndex::NoRound("no quorum".to_owned())
        );
    }
    #[tokio::test]
    async fn at_the_end_nobody_is_left_waiting() {
        let mut stage = stage();
        let (running, next) = (stage.indexer.clone(), stage.indexer.clone());
        let running = tokio::spawn(async move { running.read_index(soon()).await });
        stage.begun.recv().await.expect("a round begins");
        let next = tokio::spawn(async move { next.read_index(soon()).await });
        while stage.indexer.lock_waiting().reads.is_empty() {
            tokio::task::yield_now().await;
        }
        stage.shutdown.cancel();
        let ended = NoReadIndex::NoRound("this node is shutting down".to_owned());
        for read in [running, next] {
            assert_eq!(read.await.expect("no panic").expect_err("no index"), ended);
        }
        assert_eq!(stage.indexer.read_index(soon()).await.expect_err("no index"), ended);
    }

    #[tokio::test]
    async fn reads_beyond_the_limit_are_refused() {
        let mut stage = stage();
        let indexer = stage.indexer.clone();
        let running = tokio::spawn(async move { indexer.read_index(soon()).await });
        stage.begun.recv().await.expect("a round begins");
        stage.indexer.lock_waiting().reads.resize_with(READS_WAITING_MAX, || oneshot::channel().0);
        assert_eq!(stage.indexer.read_index(soon()).await.expect_err("no room"), NoReadIndex::TooManyWait);
        stage.finish.send(Ok(())).expect("the round waits");
        running.await.expect("no panic").expect("an index");
    }
}
