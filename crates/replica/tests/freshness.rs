//! Lease reads, and stale reads with a bound.

use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition};
use quorate_replica::{Consistency, ReadError, Replica, ReplicaOptions, RequestContext, Role};

mod support;

use support::{PATIENCE, options, start_again, start_all};

/// Long enough that a lease outlives the end of the other nodes.
const HEARTBEAT_MS: u64 = 1_000;
/// Too short for a lease to end, long enough for a read.
const SOON: Duration = Duration::from_millis(300);

fn context(patience: Duration) -> RequestContext {
    RequestContext::new(TokioEnvironment::new().now() + patience, 7)
}

async fn put(replica: &Replica<TokioEnvironment>) {
    let command = Command::Put {
        key: Bytes::from_static(b"key"),
        value: Bytes::from_static(b"value"),
        condition: Condition::Always,
    };
    replica.write(&context(PATIENCE), command).await.expect("is written");
}

/// A leader that a moment ago has lost all others, and what it was started with.
async fn lonely_leader(
    root: &std::path::Path,
    clock_drift_max_ppm: Option<u32>,
) -> Replica<TokioEnvironment> {
    let environment = TokioEnvironment::new();
    let members: Vec<_> = options(root, 3)
        .into_iter()
        .map(|options| ReplicaOptions { heartbeat_interval_ms: HEARTBEAT_MS, clock_drift_max_ppm, ..options })
        .collect();
    let mut replicas = start_all(environment, &members).await;
    let leads = |replica: &Replica<_>| replica.status().role == Role::Leader;
    let leader = replicas.remove(replicas.iter().position(leads).expect("somebody leads"));
    put(&leader).await;
    for replica in replicas {
        // By lease on the followers too, which ask the leader.
        let read = replica.get(&context(PATIENCE), b"key", Consistency::Lease).await;
        assert!(read.expect("is answered").found.is_some());
        replica.shutdown().await;
    }
    leader
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_answers_under_its_lease_without_asking_anybody_and_no_longer() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let leader = lonely_leader(root.path(), Some(500)).await;
    let leased = leader.get(&context(SOON), b"key", Consistency::Lease).await.expect("the lease holds");
    assert!(leased.found.is_some());
    assert_eq!(leased.age, None);
    let asked = leader.get(&context(SOON), b"key", Consistency::Linearizable).await;
    assert!(matches!(asked, Err(ReadError::Unavailable { .. })), "{asked:?}");

    let lease = Duration::from_millis(3 * HEARTBEAT_MS);
    environment.sleep(lease).await;
    let expired = leader.get(&context(SOON), b"key", Consistency::Lease).await;
    assert!(matches!(expired, Err(ReadError::Unavailable { .. })), "{expired:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bound_on_clocks_a_lease_read_asks_a_quorum() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let leader = lonely_leader(root.path(), None).await;
    let refused = leader.get(&context(SOON), b"key", Consistency::Lease).await;
    assert!(matches!(refused, Err(ReadError::Unavailable { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_again_elect_nobody_while_a_lease_from_before_may_hold() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let members: Vec<_> = options(root.path(), 3)
        .into_iter()
        .map(|options| ReplicaOptions { heartbeat_interval_ms: HEARTBEAT_MS, ..options })
        .collect();
    for replica in start_all(environment, &members).await {
        replica.shutdown().await;
    }
    let began = environment.now();
    let mut replicas = Vec::new();
    for options in &members {
        replicas.push(start_again(options).await.expect("it starts again"));
    }
    for replica in &replicas {
        replica.ready(environment.now() + PATIENCE).await.expect("the cluster forms");
    }
    let lease = Duration::from_millis(3 * HEARTBEAT_MS);
    assert!(environment.now().saturating_since(began) >= lease, "a leader was elected too early");
    put(&replicas[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_too_old_catches_up_or_is_not_read() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut replicas = start_all(environment, &options(root.path(), 3)).await;
    put(&replicas[0]).await;
    let within = |milliseconds| Consistency::Stale { age_max: Some(Duration::from_millis(milliseconds)) };
    for replica in &replicas {
        // No state is as fresh as this by itself: it shows what was written before.
        let read = replica.get(&context(PATIENCE), b"key", within(1)).await.expect("catches up");
        assert!(read.found.is_some());
        assert!(read.age.is_some());
    }

    let last = replicas.remove(0);
    for replica in replicas {
        replica.shutdown().await;
    }
    environment.sleep(SOON).await;
    let too_stale = last.get(&context(SOON), b"key", within(100)).await;
    let Err(ReadError::TooStale { age: Some(age) }) = too_stale else { panic!("{too_stale:?}") };
    assert!(age >= SOON, "{age:?}");
    let old = last.get(&context(SOON), b"key", within(600_000)).await.expect("is fresh enough");
    assert!(old.found.is_some());
    assert!(old.age.is_some_and(|old_age| old_age >= age));
    last.get(&context(SOON), b"key", Consistency::STALE).await.expect("any age will do");
}
