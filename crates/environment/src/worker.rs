//! The storage worker: the one place where disk writes block.
//!
//! A worker is a loop: wait for jobs, take *all* that are queued, handle them at once (that is group
//! commit), complete their callbacks. Production gives each worker a thread of its own; a simulation
//! runs it as a task that lets a seeded latency pass before each round. The code of the round is the
//! same.
//!
//! Queues here are not bounded by count: what is admitted upstream (proposals, replication batches)
//! is bounded in bytes before it becomes a job.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

/// Blocking work done in rounds.
pub trait Worker: Send + 'static {
    /// One piece of work, with whatever it needs to report its completion.
    type Job: Send + 'static;

    /// Handles all queued `jobs`, in order. May block on the disk.
    fn run(&mut self, jobs: Vec<Self::Job>);
}

/// Hands jobs to a running worker. The worker ends, after it has handled what was queued, when the
/// last handle is dropped.
#[derive(Debug)]
pub struct WorkerHandle<J> {
    jobs: mpsc::UnboundedSender<J>,
}

impl<J> Clone for WorkerHandle<J> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone() }
    }
}

impl<J> WorkerHandle<J> {
    /// Queues a job. Gives it back if the worker has ended.
    pub fn submit(&self, job: J) -> Result<(), J> {
        self.jobs.send(job).map_err(|refused| refused.0)
    }
}

/// Resolves when the worker has ended and been dropped (its files are closed).
#[derive(Debug)]
pub struct WorkerFinished(oneshot::Receiver<()>);

impl Future for WorkerFinished {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // An error means that the sender was dropped without a word, which is also an end.
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

/// The receiving side, for implementations of [`crate::Environment::spawn_worker`].
#[derive(Debug)]
pub struct WorkerLoop<W: Worker> {
    worker: W,
    jobs: mpsc::UnboundedReceiver<W::Job>,
    finished: oneshot::Sender<()>,
}

/// Connects a worker with its handle.
pub fn worker_channel<W: Worker>(worker: W) -> (WorkerHandle<W::Job>, WorkerFinished, WorkerLoop<W>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (finished_sender, finished_receiver) = oneshot::channel();
    let worker_loop = WorkerLoop { worker, jobs: receiver, finished: finished_sender };
    (WorkerHandle { jobs: sender }, WorkerFinished(finished_receiver), worker_loop)
}

impl<W: Worker> WorkerLoop<W> {
    /// Runs on a thread that may block, until the last handle is dropped.
    pub fn run_blocking(mut self) {
        let mut jobs = Vec::new();
        while self.jobs.blocking_recv_many(&mut jobs, usize::MAX) > 0 {
            self.worker.run(std::mem::take(&mut jobs));
        }
        self.end();
    }

    /// Runs as a task. `before_round` is awaited after the first job of a round has arrived and before
    /// the round is taken: a simulated disk's latency, during which more jobs may queue up.
    pub async fn run_async<F, R>(mut self, mut before_round: F)
    where
        F: FnMut() -> R,
        R: Future<Output = ()>,
    {
        while let Some(first) = self.jobs.recv().await {
            before_round().await;
            let mut jobs = vec![first];
            while let Ok(job) = self.jobs.try_recv() {
                jobs.push(job);
            }
            self.worker.run(jobs);
        }
        self.end();
    }

    fn end(self) {
        drop(self.worker);
        // Nobody may be waiting for the end; that is fine.
        let _ = self.finished.send(());
    }
}
