//! A replica that stops while others rely on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition};
use quorate_replica::{Replica, RequestContext, Role, WriteError};
use tokio_util::sync::CancellationToken;

mod support;

use support::{PATIENCE, start};

const WRITERS: usize = 16;

/// Writes one key after another until `enough`, and counts those that were applied. Gives the first error.
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
        match replica.write(&context, command).await {
            Ok(_) => applied.fetch_add(1, Ordering::Relaxed),
            // Raft itself may lose sight of a proposal when leadership moves.
            Err(WriteError::Unknown { reason }) if reason.contains("leadership was lost") => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

async fn await_applied(environment: TokioEnvironment, applied: &AtomicUsize, count: usize) {
    let deadline = environment.now() + PATIENCE;
    while applied.load(Ordering::Relaxed) < count {
        assert!(environment.now() < deadline, "the writers do not get on");
        environment.sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_were_passed_on_to_a_leader_that_stops_are_answered() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut replicas = start(environment, root.path(), 3).await;
    let leads = |replica: &Replica<_>| replica.status().role == Role::Leader;
    let leader = replicas.remove(replicas.iter().position(leads).expect("somebody leads"));
    let (applied, enough) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| write_on(replicas[writer % 2].clone(), writer, applied.clone(), enough.clone()))
        .map(tokio::spawn)
        .collect();
    await_applied(environment, &applied, 10 * WRITERS).await;
    leader.hand_over_leadership().await;
    leader.shutdown().await;
    let before = applied.load(Ordering::Relaxed);
    await_applied(environment, &applied, before + 10 * WRITERS).await;
    enough.cancel();
    for writer in writers {
        assert_eq!(writer.await.expect("no panic"), Ok(()));
    }
    for replica in replicas {
        replica.shutdown().await;
    }
}
