//! A disk that is full or fails: told, never tried again, nothing lost that was acknowledged.

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use quorate_storage::FailureCause;

use super::support::*;

const KIB: u64 = 1024;

fn large(index: u64) -> quorate_consensus::Entry {
    proposal(1, index, vec![put("key", vec![b'v'; 10_000])])
}

#[tokio::test]
async fn a_full_log_stops_the_storage_and_keeps_what_was_acknowledged() {
    let mut node = Node::new();
    node.options.log_bytes_max = 400 * KIB;
    let running = node.open();
    let mut log = running.storage.log_store();
    let failure = running.storage.failure();
    let mut acknowledged = 0;
    while log.blocking_append([large(acknowledged)]).await.is_ok() {
        acknowledged += 1;
    }
    assert!(acknowledged > 10, "{acknowledged}");
    let failure = failure.await;
    assert_eq!(failure.cause, FailureCause::DiskFull, "{failure}");
    assert_eq!(running.storage.status().failure, Some(failure));
    // Nothing is tried again, not even what would fit.
    log.save_vote(&quorate_consensus::Vote::new(1, running.directory.node_id())).await.expect_err("refused");
    log.blocking_append([blank(1, acknowledged)]).await.expect_err("refused");
    drop(log);
    running.storage.close().await.expect_err("what failed is not written");
    drop(running.directory);
    node.options.log_bytes_max = 4096 * KIB;
    let running = node.open_after_crash().await;
    let entries = running.entries(0..1000).await.expect("read");
    assert_eq!(entries, (0..acknowledged).map(large).collect::<Vec<_>>());
    assert_eq!(running.vote().await, None);
    running.close().await;
}

#[tokio::test]
async fn queued_writes_behind_a_failed_one_are_all_told() {
    let mut node = Node::new();
    node.options.log_bytes_max = 200 * KIB;
    let running = node.open();
    let mut log = running.storage.log_store();
    node.environment.hold_disk();
    let mut receivers = Vec::new();
    for index in 0..60 {
        let (callback, receiver) = flush_callback();
        log.append([large(index)], callback).await.expect("append");
        receivers.push(receiver);
    }
    node.environment.release_disk();
    let mut failed = false;
    for receiver in receivers {
        let result = receiver.await.expect("told");
        assert!(!failed || result.is_err(), "no write succeeds behind a failed one");
        failed |= result.is_err();
    }
    assert!(failed);
}

#[tokio::test]
async fn a_full_state_stops_the_storage_and_the_last_checkpoint_stays() {
    let mut node = Node::new();
    node.options.state_map_bytes = 400 * KIB;
    let running = node.open();
    running.apply((0..10).map(large)).await;
    running.storage.checkpoint().await.expect("checkpoint");
    let before = running.storage.reader().applied().expect("applied");
    running.apply((10..100).map(large)).await;
    let failure = running.storage.checkpoint().await.expect_err("full");
    assert_eq!(failure.cause, FailureCause::DiskFull, "{failure}");
    assert_eq!(running.storage.failure().await, failure);
    // Reads go on, of what is applied.
    assert_eq!(running.storage.reader().applied().expect("applied").log_id, Some(log_id(1, 99)));
    assert!(running.value("key").is_some());
    running.storage.log_store().blocking_append([blank(1, 0)]).await.expect_err("the log stops, too");
    running.storage.close().await.expect_err("what failed is not written");
    drop(running.directory);
    node.options.state_map_bytes = 4096 * KIB;
    let running = node.open_after_crash().await;
    assert_eq!(running.storage.reader().verify().expect("sound"), before);
    running.close().await;
}

#[tokio::test]
async fn there_is_no_room_before_the_disk_is_full() {
    let mut node = Node::new();
    node.options.log_bytes_max = 1024 * KIB;
    let running = node.open();
    let mut appended = 0;
    while running.storage.has_room() {
        running.append([large(appended)]).await;
        appended += 1;
    }
    assert!(appended > 10, "{appended}");
    // What is left is enough to finish what was begun.
    running.append((appended..appended + 3).map(large)).await;
    running.close().await;

    node.options.log_bytes_max = 64 * 1024 * KIB;
    let running = node.open();
    assert!(running.storage.has_room());
    running.close().await;
    node.options.reserve_bytes = u64::MAX;
    let running = node.open();
    assert!(!running.storage.has_room(), "no disk has that much left");
    assert!(running.storage.status().disk_free_bytes > 0);
    running.close().await;
}

#[tokio::test]
async fn a_log_without_room_for_its_next_file_looks_again_and_goes_on() {
    let mut node = Node::new();
    node.options.log_bytes_max = 256 * KIB;
    node.options.reserve_bytes = 0;
    node.options.log_keep_bytes = 0;
    let running = node.open();
    let small = |index| proposal(1, index, vec![put("key", vec![b'v'; 500])]);
    let mut next = 0;
    while running.storage.has_room() {
        running.append([small(next)]).await;
        running.apply([small(next)]).await;
        next += 1;
    }
    super::snapshots::build(&running).await;
    let mut log = running.storage.log_store();
    log.purge(log_id(1, next - 1)).await.expect("purge");
    // Whoever wants to write asks again and again; that is what has the log look.
    while !running.storage.has_room() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    running.append([small(next)]).await;
    running.close().await;
}
