//! What a replica does for the store by itself, and reads of the past.

use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{
    Budget, Command, Condition, KeyRange, Outcome, RangeQuery, Setting, SettingChange, Transaction,
    UnavailableRevision,
};
use quorate_replica::{Consistency, ReadError, Replica, RequestContext, Status, WriteError};

mod support;

use support::{PATIENCE, options, start, start_all};

type Node = Replica<TokioEnvironment>;

fn context(replica: &Node) -> RequestContext {
    RequestContext::new(replica.environment().now() + PATIENCE, 7)
}

async fn write(replica: &Node, command: Command) -> Outcome {
    replica.write(&context(replica), command).await.expect("an outcome")
}

fn put(key: &str, value: String) -> Command {
    Command::Put { key: Bytes::from(key.to_owned()), value: value.into(), condition: Condition::Always }
}

async fn change(replica: &Node, setting: Setting, value: u64) {
    let changes = vec![SettingChange { setting, value }];
    assert_eq!(write(replica, Command::ChangeSettings { changes }).await, Outcome::SettingsChanged);
}

async fn await_status(replica: &Node, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let environment = *replica.environment();
    let deadline = environment.now() + PATIENCE;
    loop {
        let status = replica.status();
        if is_so(&status) {
            return status;
        }
        assert!(environment.now() < deadline, "{what}: {status:?}");
        environment.sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_shows_one_revision_page_by_page() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start(environment, root.path(), 1).await;
    let replica = &replicas[0];
    for number in 0..20 {
        write(replica, put(&format!("key {number:02}"), number.to_string())).await;
    }
    let view = replica.view(&context(replica), Consistency::Linearizable).await.expect("a view");
    assert_eq!((view.revision, view.age), (20, None));
    let mut query = RangeQuery { revision: Some(view.revision), ..RangeQuery::new(KeyRange::all()) };
    let mut found = Vec::new();
    loop {
        let page = replica.range_page(&query, Budget { records: 3, bytes: 1 << 20 });
        let page = page.expect("it can be read").expect("the revision is there");
        let rest = query.rest(&page);
        found.extend(page.entries.into_iter().map(|entry| entry.value.expect("asked for")));
        // What is written meanwhile is of a later revision.
        write(replica, put(&format!("key {:02}", 3 * found.len()), "later".to_owned())).await;
        match rest {
            Some(rest) => query = rest,
            None => break,
        }
    }
    assert_eq!(found, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    let future = replica.get_at(b"key 00", 1000).expect("it can be read");
    assert!(matches!(future, Err(UnavailableRevision::Future { .. })), "{future:?}");
    let changes = replica.changes_page(20, Budget { records: 1, bytes: 1 << 20 });
    let changes = changes.expect("it can be read").expect("the revision is there");
    assert_eq!((changes.changes[0].key.as_ref(), changes.next_revision), (&b"key 19"[..], 21));
    let stale = replica.view(&context(replica), Consistency::STALE).await.expect("a view");
    assert!(stale.revision > 20 && stale.age.is_some());
    replica.shutdown().await;
    let closed = replica.view(&context(replica), Consistency::STALE).await;
    assert_eq!(closed, Err(ReadError::ShuttingDown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_not_proposed() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    let replicas = start(environment, root.path(), 1).await;
    let replica = &replicas[0];
    let before = replica.status().work.proposed_commands;
    let nested = |inside| Transaction {
        success: vec![quorate_kv::Operation::Transaction(inside)],
        ..Transaction::default()
    };
    let too_deep = Command::Transaction(nested(nested(Transaction::default())));
    assert!(matches!(write(replica, too_deep).await, Outcome::TransactionRefused(_)));
    let too_large = put("key", "v".repeat(Command::ENCODED_BYTES_MAX));
    let refused = replica.write(&context(replica), too_large).await;
    assert_eq!(refused, Err(WriteError::TooLarge { maximum: Command::ENCODED_BYTES_MAX as u64 }));
    assert_eq!(replica.status().work.proposed_commands, before);
    replica.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_compacts_and_sweeps_and_has_states_compared() {
    let environment = TokioEnvironment::new();
    let root = tempfile::tempdir().expect("a temporary directory");
    // Nobody else comes to lead, so that no write fails, for a moment's silence.
    let mut options = options(root.path(), 3);
    options.iter_mut().for_each(|options| options.heartbeat_interval_ms = 1_000);
    let replicas = start_all(environment, &options).await;
    change(&replicas[0], Setting::CompactionRevisions, 10).await;
    change(&replicas[1], Setting::DigestIntervalMs, 1).await;
    let opened = write(&replicas[2], Command::OpenSession { ttl_ms: 1 }).await;
    assert!(matches!(opened, Outcome::SessionOpened { .. }), "{opened:?}");
    for number in 0..200 {
        write(&replicas[0], put("key", number.to_string())).await;
    }
    for replica in &replicas {
        let is_done = |status: &Status| {
            let state = &status.state;
            let is_compacted = state.compacted_revision == 191 && status.work.sweep_backlog == 0;
            is_compacted && state.session_count == 0 && status.work.digest_mark > 0
        };
        let status = await_status(replica, "compacted, swept, compared", is_done).await;
        assert_eq!(status.state.settings.get(Setting::CompactionRevisions), 10);
        let compacted = replica.get_at(b"key", 190).expect("it can be read");
        assert_eq!(compacted, Err(UnavailableRevision::Compacted { oldest: 191 }));
        let kept = replica.get_at(b"key", 191).expect("it can be read").expect("kept").expect("there");
        assert_eq!(kept.value, "190");
    }
    let compared = replicas.iter().map(|replica| replica.status().work.digests_compared).sum::<u64>();
    assert!(compared > 0);
    for replica in replicas {
        replica.shutdown().await;
    }
}
