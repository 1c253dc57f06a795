//! Clients that write one key after another, to several replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition};
use quorate_replica::{Replica, RequestContext, WriteError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;

/// Writers at work.
pub struct Writers {
    applied: Arc<AtomicUsize>,
    enough: CancellationToken,
    tasks: Vec<JoinHandle<Result<(), WriteError>>>,
}

impl Writers {
    /// Starts so many, spread over `replicas`.
    pub fn start(replicas: &[Replica<TokioEnvironment>], count: usize) -> Self {
        let (applied, enough) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let start = |writer| {
            let replica: &Replica<_> = &replicas[writer % replicas.len()];
            tokio::spawn(write_on(replica.clone(), writer, applied.clone(), enough.clone()))
        };
        let tasks = (0..count).map(start).collect();
        Self { applied, enough, tasks }
    }

    /// Waits until each has written a few times more, about.
    pub async fn get_on(&self) {
        let environment = TokioEnvironment::new();
        let deadline = environment.now() + PATIENCE;
        let enough = self.applied.load(Ordering::Relaxed) + 10 * self.tasks.len();
        while self.applied.load(Ordering::Relaxed) < enough {
            assert!(environment.now() < deadline, "the writers do not get on");
            environment.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends them. Gives the first error that one of them met.
    pub async fn stop(self) -> Result<(), WriteError> {
        self.enough.cancel();
        let mut result = Ok(());
        for task in self.tasks {
            result = result.and(task.await.expect("no panic"));
        }
        result
    }
}

/// Writes until `enough` or the first error, and counts what was applied.
async fn write_on(
    replica: Replica<TokioEnvironment>,
    writer: usize,
    applied: Arc<AtomicUsize>,
    enough: CancellationToken,
) -> Result<(), WriteError> {
    while !enough.is_cancelled() {
        let context = RequestContext::new(replica.environment().now() + PATIENCE, writer as u64);
        let command = Command::Put {
            key: Bytes::from(format!("key-{writer}")),
            value: Bytes::from_static(b"value"),
            condition: Condition::Always,
        };
        replica.write(&context, command).await?;
        applied.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
