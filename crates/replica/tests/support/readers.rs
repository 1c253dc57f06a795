//! Clients that read again and again, from several replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate_environment::{Environment, TokioEnvironment};
use quorate_replica::{Consistency, ReadError, Replica, RequestContext};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;

/// Readers at work.
pub struct Readers {
    answered: Arc<AtomicUsize>,
    enough: CancellationToken,
    tasks: Vec<JoinHandle<Result<Duration, ReadError>>>,
}

impl Readers {
    /// Starts so many, spread over `replicas`.
    pub fn start(replicas: &[Replica<TokioEnvironment>], count: usize, consistency: Consistency) -> Self {
        let (answered, enough) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let start = |reader| {
            let replica: &Replica<_> = &replicas[reader % replicas.len()];
            tokio::spawn(read_on(replica.clone(), consistency, answered.clone(), enough.clone()))
        };
        let tasks = (0..count).map(start).collect();
        Self { answered, enough, tasks }
    }

    /// Waits until each has read a few times more, about.
    pub async fn get_on(&self) {
        let environment = TokioEnvironment::new();
        let deadline = environment.now() + PATIENCE;
        let enough = self.answered.load(Ordering::Relaxed) + 10 * self.tasks.len();
        while self.answered.load(Ordering::Relaxed) < enough {
            assert!(environment.now() < deadline, "the readers do not get on");
            environment.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends them. Gives how long the slowest read took, or the first error that one of them met.
    pub async fn stop(self) -> Result<Duration, ReadError> {
        self.enough.cancel();
        let mut slowest = Duration::ZERO;
        for task in self.tasks {
            slowest = slowest.max(task.await.expect("no panic")?);
        }
        Ok(slowest)
    }
}

/// Reads until `enough` or the first error, and counts what was answered. Gives how long the slowest took.
async fn read_on(
    replica: Replica<TokioEnvironment>,
    consistency: Consistency,
    answered: Arc<AtomicUsize>,
    enough: CancellationToken,
) -> Result<Duration, ReadError> {
    let mut slowest = Duration::ZERO;
    while !enough.is_cancelled() {
        let began = replica.environment().now();
        replica.get(&RequestContext::new(began + PATIENCE, 1), b"key", consistency).await?;
        slowest = slowest.max(replica.environment().now().saturating_since(began));
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(slowest)
}
