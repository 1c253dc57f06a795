//! A replica whose state is damaged, or is not the leader's: it serves nothing of it, and comes back.

use std::path::Path;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Command, Condition, Outcome, Setting, SettingChange};
use quorate_replica::{
    Consistency, ReadError, RepairPolicy, Replica, ReplicaOptions, RequestContext, Role, StartError,
    WriteError,
};
use quorate_storage::OpenError;
use quorate_storage::testing::{apply_apart, flip_bit};

mod support;

use support::{PATIENCE, options, start_again, start_all};

type Node = Replica<TokioEnvironment>;

fn context(replica: &Node) -> RequestContext {
    RequestContext::new(replica.environment().now() + PATIENCE, 7)
}

async fn write(replica: &Node, command: Command) -> Outcome {
    replica.write(&context(replica), command).await.expect("an outcome")
}

fn put(number: u64) -> Command {
    Command::Put {
        key: Bytes::from(format!("key {number}")),
        value: Bytes::from(number.to_string()),
        condition: Condition::Always,
    }
}

async fn read(replica: &Node, number: u64) -> Result<Option<Bytes>, ReadError> {
    let key = format!("key {number}");
    let answer = replica.get(&context(replica), key.as_bytes(), Consistency::Linearizable).await?;
    Ok(answer.found.map(|found| found.value))
}

/// How three members are started that do not change their leader, and fail a write, for a moment's silence.
fn steady_options(root: &Path) -> Vec<ReplicaOptions> {
    let mut options = options(root, 3);
    options.iter_mut().for_each(|options| options.heartbeat_interval_ms = 1_000);
    options
}

/// A cluster of three with some keys, of which the last member has been shut down.
async fn without_the_last(options: &[ReplicaOptions]) -> Vec<Node> {
    let mut replicas = start_all(TokioEnvironment::new(), options).await;
    for number in 0..50 {
        write(&replicas[(number % 3) as usize], put(number)).await;
    }
    assert_eq!(read(&replicas[2], 49).await, Ok(Some(Bytes::from_static(b"49"))), "it has caught up");
    replicas.pop().expect("three").shutdown().await;
    replicas
}

/// Nothing is served, and the node says why, whatever is asked.
async fn assert_serves_nothing(replica: &Node) {
    let stale = replica.get(&context(replica), b"key 1", Consistency::STALE).await;
    assert!(matches!(stale, Err(ReadError::Damaged { .. })), "{stale:?}");
    let linearizable = read(replica, 1).await;
    assert!(matches!(linearizable, Err(ReadError::Damaged { .. })), "{linearizable:?}");
    let written = replica.write(&context(replica), put(1)).await;
    assert!(matches!(written, Err(WriteError::Damaged { .. })), "{written:?}");
    let status = replica.status();
    assert!(status.role == Role::Stopped && !status.ready && status.failure.is_some(), "{status:?}");
}

/// The state of a node is repaired when it may be, and then it is as the others are.
async fn assert_repairs_itself(options: &ReplicaOptions, others: Vec<Node>) {
    let refusal = start_again(options).await.expect_err("it must not start");
    assert!(matches!(&refusal, StartError::Storage(OpenError::NeedsRepair { .. })), "{refusal}");
    write(&others[0], put(50)).await;
    let automatic = ReplicaOptions { repair: RepairPolicy::Automatic, ..options.clone() };
    let repaired = start_again(&automatic).await.expect("it repairs itself");
    for number in 0..=50 {
        assert_eq!(read(&repaired, number).await, Ok(Some(Bytes::from(number.to_string()))));
    }
    write(&repaired, put(51)).await;
    for replica in others.iter().chain([&repaired]) {
        replica.ready(replica.environment().now() + PATIENCE).await.expect("it is as before");
        assert_eq!(replica.status().failure, None);
    }
    let digests = others.iter().chain([&repaired]).map(|replica| replica.status().state.digest);
    assert_eq!(digests.collect::<std::collections::BTreeSet<_>>().len(), 1);
    for replica in others.into_iter().chain([repaired]) {
        replica.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_damaged_record_stops_and_makes_its_state_anew() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let options = steady_options(root.path());
    let others = without_the_last(&options).await;
    let is_wanted = |record: &String| record == "key_index \"key 7\"";
    let damaged =
        flip_bit(&options[2].data_directory, |records| Some((records.iter().position(is_wanted)?, 11)));
    assert!(damaged.expect("the directory is sound").is_some());

    let replica = start_again(&options[2]).await.expect("nobody has noticed yet");
    replica.ready(replica.environment().now() + PATIENCE).await.expect("it is ready");
    let found = read(&replica, 7).await.expect_err("it is damaged");
    assert!(matches!(&found, ReadError::Damaged { reason } if reason.contains("key 7")), "{found}");
    let failure = replica.failed().await;
    assert!(failure.is_damage && failure.reason.contains("key 7"), "{failure}");
    assert_serves_nothing(&replica).await;
    replica.shutdown().await;
    drop(replica);
    assert_repairs_itself(&options[2], others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_differs_copies_the_state_of_another() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let options = steady_options(root.path());
    let others = without_the_last(&options).await;
    apply_apart(&options[2].data_directory, put(7)).expect("the directory is sound");

    let replica = start_again(&options[2]).await.expect("nobody has noticed yet");
    let changes = vec![SettingChange { setting: Setting::DigestIntervalMs, value: 1 }];
    write(&others[0], Command::ChangeSettings { changes }).await;
    let failure = replica.failed().await;
    assert!(failure.is_damage && failure.reason.contains("differs from the leader's"), "{failure}");
    assert_serves_nothing(&replica).await;
    replica.shutdown().await;
    drop(replica);
    assert_repairs_itself(&options[2], others).await;
}
