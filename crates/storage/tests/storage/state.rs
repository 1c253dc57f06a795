//! The state: applied in memory, checkpointed, recovered.

use std::time::Duration;

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogStorage, RaftStateMachine, StorageHelper};

use quorate_kv::Command;
use quorate_storage::FailureCause;

use super::support::*;

#[tokio::test]
async fn what_is_applied_is_read_at_once() {
    let node = Node::new();
    let running = node.open();
    running.apply((0..10).map(|index| counting(1, index))).await;
    assert_eq!(running.value("key 3").as_deref(), Some(&b"3"[..]));
    assert_eq!(running.value("no key"), None);
    let (_, revision) = running.storage.reader().get(b"last").expect("get");
    assert_eq!(revision, 20);
    let moment = running.storage.reader().applied().expect("applied");
    assert_eq!((moment.log_id, moment.summary.revision), (Some(log_id(1, 9)), 20));
    running.close().await;
}

#[tokio::test]
async fn a_clean_stop_keeps_everything() {
    let node = Node::new();
    let running = node.open();
    running.apply((0..100).map(|index| counting(1, index))).await;
    let before = running.storage.reader().verify().expect("sound");
    running.close().await;
    let running = node.open();
    assert_eq!(running.storage.reader().verify().expect("sound"), before);
    assert_eq!(running.storage.status().checkpoint, before.log_id);
    running.close().await;
}

#[tokio::test]
async fn after_a_crash_the_log_is_applied_from_the_checkpoint_on() {
    let mut node = Node::new();
    node.options.checkpoint_interval = Duration::from_secs(3600);
    let running = node.open();
    let mut log = running.storage.log_store();
    running.append((0..100).map(|index| counting(1, index))).await;
    running.apply((0..40).map(|index| counting(1, index))).await;
    running.storage.checkpoint().await.expect("checkpoint");
    running.apply((40..90).map(|index| counting(1, index))).await;
    log.save_committed(Some(log_id(1, 89))).await.expect("save");
    running.append([blank(1, 100)]).await;
    let before = running.storage.reader().verify().expect("sound");
    let crashed = Node::new();
    copy_directory(&node.path(), &crashed.path());
    let recovered = crashed.open();
    assert_eq!(recovered.storage.reader().applied().expect("applied").log_id, Some(log_id(1, 39)));
    let (mut log, mut state) = (recovered.storage.log_store(), recovered.storage.state_store());
    let node_id = recovered.directory.node_id();
    let found =
        StorageHelper::<Types, _, _>::new(&mut log, &mut state).with_id(node_id).get_initial_state().await;
    found.expect("openraft recovers");
    assert_eq!(state.applied_state().await.expect("state").0, Some(log_id(1, 89)));
    assert_eq!(recovered.storage.reader().verify().expect("sound"), before);
    drop((log, state));
    recovered.close().await;
}

#[tokio::test]
async fn reads_see_the_newest_value_while_a_checkpoint_is_on_its_way() {
    let node = Node::new();
    let running = node.open();
    let value = || running.value("key").map(|value| String::from_utf8(value.to_vec()).expect("text"));
    let write =
        |index: u64, text: &str| running.apply([proposal(1, index, vec![put("key", text.to_owned())])]);
    write(0, "on disk").await;
    running.storage.checkpoint().await.expect("checkpoint");
    node.environment.hold_disk();
    write(1, "frozen").await;
    let mut checkpoint = Box::pin(running.storage.checkpoint());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(checkpoint.as_mut().poll(&mut context).is_pending());
    assert_eq!(value().as_deref(), Some("frozen"));
    write(2, "active").await;
    assert_eq!(value().as_deref(), Some("active"));
    node.environment.release_disk();
    checkpoint.await.expect("checkpoint");
    assert_eq!(running.storage.status().checkpoint, Some(log_id(1, 1)));
    assert_eq!(value().as_deref(), Some("active"));
    running.storage.reader().verify().expect("sound");
    running.close().await;
}

#[tokio::test]
async fn a_checkpoint_that_was_given_up_is_taken_up_by_the_next_one() {
    let mut node = Node::new();
    node.options.checkpoint_interval = Duration::from_secs(3600);
    let running = node.open();
    node.environment.hold_disk();
    let (callback, flushed) = flush_callback();
    running.storage.log_store().append([counting(1, 0)], callback).await.expect("append");
    running.apply([counting(1, 0)]).await;
    let mut given_up = Box::pin(running.storage.checkpoint());
    assert!(node.run_while_held(&mut given_up).await.is_none(), "it waits for the log");
    drop(given_up);
    running.apply([counting(1, 1)]).await;
    assert_eq!(running.value("last").as_deref(), Some(&b"1"[..]));
    node.environment.release_disk();
    flushed.await.expect("told").expect("flushed");
    running.storage.checkpoint().await.expect("checkpoint");
    assert_eq!(running.storage.status().checkpoint, Some(log_id(1, 1)), "all of it");
    let before = running.storage.reader().verify().expect("sound");
    running.close().await;
    let running = node.open();
    assert_eq!(running.storage.reader().verify().expect("sound"), before);
    running.close().await;
}

#[tokio::test]
async fn an_entry_that_cannot_be_applied_leaves_nothing_to_read_or_to_write() {
    let mut node = Node::new();
    node.options.checkpoint_interval = Duration::from_secs(3600);
    let running = node.open();
    running.apply([counting(1, 0)]).await;
    running.storage.checkpoint().await.expect("checkpoint");
    running.apply([counting(1, 1)]).await;
    let unknown = quorate_consensus::ProposalBytes(bytes::Bytes::from_static(b"of another release"));
    let entry = quorate_consensus::Entry { log_id: log_id(1, 2), payload: EntryPayload::Normal(unknown) };
    let mut state = running.storage.state_store();
    state.apply(futures::stream::iter([Ok((entry, None))])).await.expect_err("refused");
    assert!(running.storage.reader().get(b"last").is_err());
    running.storage.checkpoint().await.expect_err("refused");
    running.storage.close().await.expect_err("what failed is not written");
    drop((running, state));
    let running = node.open_after_crash().await;
    assert_eq!(running.storage.status().checkpoint, Some(log_id(1, 0)));
    assert_eq!(running.value("last").as_deref(), Some(&b"0"[..]));
    running.close().await;
}

#[tokio::test]
async fn checkpoints_come_by_themselves_and_only_when_something_changed() {
    let node = Node::new();
    let running = node.open();
    running.apply((0..10).map(|index| counting(1, index))).await;
    while running.storage.status().checkpoint != Some(log_id(1, 9)) {
        tokio::task::yield_now().await;
    }
    let file = node.path().join("state-0/data.mdb");
    let written =
        |path: &std::path::Path| std::fs::metadata(path).and_then(|it| it.modified()).expect("metadata");
    let before = written(&file);
    running.storage.checkpoint().await.expect("checkpoint");
    running.storage.checkpoint().await.expect("checkpoint");
    assert_eq!(written(&file), before, "nothing had changed");
    assert_eq!(running.storage.status().overlay_bytes, 0);
    running.close().await;
}

#[tokio::test]
async fn applying_pauses_while_too_much_waits_for_the_disk() {
    let mut node = Node::new();
    node.options.checkpoint_bytes = 10_000;
    node.options.overlay_bytes_max = 50_000;
    let running = node.open();
    node.environment.hold_disk();
    let entries = (0..100).map(|index| proposal(1, index, vec![put(&format!("key {index}"), vec![0; 2000])]));
    let mut applying = Box::pin(running.apply(entries));
    let polled = node.run_while_held(&mut applying).await;
    assert!(polled.is_none(), "it waits");
    let waiting = running.storage.status();
    assert!(waiting.overlay_bytes < 60_000, "{waiting:?}");
    node.environment.release_disk();
    applying.await;
    assert_eq!(running.storage.status().applied, Some(log_id(1, 99)));
    running.close().await;
}

#[tokio::test]
async fn the_membership_is_kept_with_the_state() {
    let node = Node::new();
    let running = node.open();
    let voters = std::collections::BTreeSet::from([running.directory.node_id()]);
    let nodes = voters.iter().map(|node_id| (*node_id, quorate_consensus::Member::default()));
    let membership = quorate_consensus::Membership::new(
        vec![voters.clone()],
        nodes.collect::<std::collections::BTreeMap<_, _>>(),
    )
    .expect("a membership");
    let entry = quorate_consensus::Entry::new_membership(log_id(1, 0), membership.clone());
    running.apply([entry, blank(1, 1)]).await;
    running.close().await;
    let running = node.open();
    let (applied, found) = running.storage.state_store().applied_state().await.expect("state");
    assert_eq!(applied, Some(log_id(1, 1)));
    assert_eq!((found.log_id(), found.membership()), (&Some(log_id(1, 0)), &membership));
    running.close().await;
}

#[tokio::test]
async fn a_state_that_is_not_the_leaders_is_served_no_more() {
    let node = Node::new();
    let running = node.open();
    let reader = running.storage.reader();
    running.apply([counting(1, 0), proposal(1, 1, vec![Command::MarkDigest])]).await;
    let mark = reader.digest_mark().expect("open");
    assert_eq!(mark, 1);
    let check = |index, mark, digest| proposal(1, index, vec![Command::CheckDigest { mark, digest }]);
    running.apply([check(2, mark + 1, 0), counting(1, 3)]).await;
    assert!(running.value("last").is_some(), "a mark that is not known says nothing");
    let mut state = running.storage.state_store();
    state.apply(futures::stream::iter([Ok((check(4, mark, 0), None))])).await.expect_err("it differs");
    let failure = running.storage.status().failure.expect("reported");
    assert!(failure.cause == FailureCause::Divergence { index: 4 }, "{failure:?}");
    let text = failure.to_string();
    assert!(text.contains("index 4 of the log") && text.contains("quorate repair"), "{text}");
    assert!(reader.get(b"last").is_err());
    running.storage.close().await.expect_err("what failed is not written");
}
