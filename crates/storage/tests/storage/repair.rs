//! A state that is damaged, or is not the leader's, is not served, and is made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openraft::storage::{RaftLogStorage, RaftStateMachine, StorageHelper};
use quorate_consensus::{GroupId, NodeId, Vote};
use quorate_environment::Environment;
use quorate_kv::Command;
use quorate_storage::testing::flip_bit;
use quorate_storage::{DataDirectory, FailureCause, OpenError, ReadError, Repair};

use super::snapshots::build;
use super::support::*;

/// A node that has applied so many entries, and knows that they are committed.
async fn used_node(count: u64) -> Node {
    let node = Node::new();
    let running = node.open();
    running.append((0..count).map(|index| counting(1, index))).await;
    running.apply((0..count).map(|index| counting(1, index))).await;
    let mut log = running.storage.log_store();
    log.save_committed(Some(log_id(1, count - 1))).await.expect("save");
    log.save_vote(&Vote::new(1, NodeId::new(1, 7))).await.expect("save");
    running.close().await;
    node
}

/// Flips a bit of the record under a key of the index.
fn damage(node: &Node) {
    let is_wanted = |record: &String| record == "key_index \"key 1\"";
    flip_bit(&node.path(), |records| Some((records.iter().position(is_wanted)?, 37)))
        .expect("the directory is sound")
        .expect("the record is there");
}

fn note(node: &Node) -> PathBuf {
    node.path().join("damage")
}

/// Begins and ends the repair of a directory that cannot be opened. Fails if another node's snapshot is needed.
fn repair(node: &Node) {
    let directory = node.try_open_directory().expect("the directory opens");
    let error = node.try_open_in(&directory).expect_err("it is damaged");
    assert!(error.is_repairable(), "{error}");
    let repair = Repair::begin(&directory, GroupId::FIRST, &node.options, &error).expect("begun");
    assert_eq!(repair.needed_index(), None);
    repair.finish().expect("finished");
}

/// What Raft does with log and state when it starts.
async fn start_raft(running: &Running) {
    running.storage.reconcile(running.directory.node_id()).await.expect("reconcile");
    let (mut log, mut state) = (running.storage.log_store(), running.storage.state_store());
    StorageHelper::new(&mut log, &mut state)
        .with_id(running.directory.node_id())
        .get_initial_state()
        .await
        .expect("raft can start");
}

#[tokio::test]
async fn a_damaged_record_that_is_read_ends_all_service_and_forbids_another_start() {
    let node = used_node(10).await;
    damage(&node);
    let running = node.open();
    let reader = running.storage.reader();
    assert!(reader.get(b"key 4").is_ok(), "nobody has noticed yet");
    let found = reader.get(b"key 1").expect_err("it is damaged");
    let ReadError::Damaged { reason } = found else { panic!("{found:?}") };
    assert!(reason.contains("key_index \"key 1\"") && reason.contains("quorate repair"), "{reason}");
    for read in [reader.get(b"key 4").map(drop), reader.revision().map(drop), reader.settings().map(drop)] {
        assert_eq!(read, Err(ReadError::Damaged { reason: reason.clone() }), "nothing is served any more");
    }
    let failure = running.storage.failure().await;
    assert_eq!(failure.cause, FailureCause::Damage);
    running.storage.close().await.expect_err("what failed is not written");
    drop((reader, running));
    let refusal = node.try_open().err().expect("it must not start");
    assert!(matches!(&refusal, OpenError::NeedsRepair { is_requested: false, .. }), "{refusal}");
    let text = refusal.to_string();
    let path = node.path().display().to_string();
    assert!(text.contains(&format!("quorate repair --data-dir {path}")) && text.contains("key 1"), "{text}");
}

#[tokio::test]
async fn a_state_is_made_anew_from_the_log_alone() {
    let node = used_node(10).await;
    damage(&node);
    let running = node.open();
    running.storage.reader().get(b"key 1").expect_err("it is damaged");
    drop(running);
    let refused = loop {
        match node.try_open().err().expect("it must not start") {
            OpenError::InUse { .. } => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert!(refused.is_repairable());
    repair(&node);
    assert!(!note(&node).exists());
    assert!(node.path().join("set-aside/state-0/data.mdb").exists(), "it can be looked at");
    let running = node.open();
    assert_eq!(running.vote().await, Some(Vote::new(1, NodeId::new(1, 7))), "the vote is kept");
    start_raft(&running).await;
    assert_eq!(running.value("key 1").as_deref(), Some(&b"1"[..]));
    running.storage.reader().verify().expect("a sound state");
    running.close().await;
}

#[tokio::test]
async fn a_state_is_made_anew_from_the_own_snapshot_and_the_log_behind_it() {
    let node = used_node(10).await;
    let running = node.open();
    build(&running).await;
    running.storage.log_store().purge(log_id(1, 9)).await.expect("purge");
    running.append((10..15).map(|index| counting(1, index))).await;
    running.apply((10..15).map(|index| counting(1, index))).await;
    running.storage.log_store().save_committed(Some(log_id(1, 14))).await.expect("save");
    running.close().await;
    // The file itself is no longer LMDB's.
    let file = node.path().join("state-0/data.mdb");
    let mut content = fs::read(&file).expect("read");
    content[..8192].fill(0xff);
    fs::write(&file, content).expect("write");
    repair(&node);
    let running = node.open();
    start_raft(&running).await;
    assert_eq!(running.storage.status().applied, Some(log_id(1, 14)));
    assert_eq!(running.value("key 1").as_deref(), Some(&b"1"[..]));
    running.storage.reader().verify().expect("a sound state");
    running.close().await;
}

#[tokio::test]
async fn the_scrub_finds_what_nobody_reads() {
    let mut node = used_node(200).await;
    damage(&node);
    node.options.scrub_bytes_per_second = 1 << 20;
    let running = node.open();
    let failure = running.storage.failure().await;
    assert_eq!(failure.cause, FailureCause::Damage);
    let text = failure.to_string();
    assert!(text.contains("scrubbing the state") && text.contains("key_index \"key 1\""), "{text}");
    assert!(note(&node).exists());
}

#[tokio::test]
async fn the_scrub_goes_over_everything_again_and_again() {
    let mut node = used_node(200).await;
    node.options.scrub_bytes_per_second = 8 << 20;
    node.options.scrub_pause = Duration::from_millis(1);
    let running = node.open();
    let deadline = node.environment.now() + Duration::from_secs(20);
    let status = loop {
        let status = running.storage.status();
        if status.scrub.passes >= 2 {
            break status;
        }
        assert!(node.environment.now() < deadline, "{status:?}");
        node.environment.sleep(Duration::from_millis(1)).await;
    };
    // Each entry makes two changes; the index has a key for each and "last"; and there is the head.
    let records = 200 * 2 + 201 + 1;
    assert!(status.scrub.records >= 2 * records, "{status:?}");
    assert_eq!(status.failure, None);
    running.close().await;
}

#[tokio::test]
async fn a_damaged_log_cannot_be_repaired() {
    let node = used_node(200).await;
    damage(&node);
    fs::write(note(&node), b"").expect("write");
    let error = node.try_open().err().expect("the note cannot be read");
    assert!(!error.is_repairable(), "{error}");
    fs::remove_file(note(&node)).expect("remove");
    let running = node.open();
    running.storage.reader().get(b"key 1").expect_err("it is damaged");
    running.storage.close().await.expect_err("what failed is not written");
    drop(running);
    let segment = newest_segment(&node.path());
    let mut content = fs::read(&segment).expect("read");
    content[5000] ^= 1;
    fs::write(&segment, content).expect("write");
    let directory = node.try_open_directory().expect("the directory opens");
    let error = node.try_open_in(&directory).expect_err("it is damaged");
    let refusal = Repair::begin(&directory, GroupId::FIRST, &node.options, &error).expect_err("refused");
    let text = refusal.to_string();
    assert!(
        matches!(refusal, OpenError::Damaged { .. }) && text.contains("add this node as a new one"),
        "{text}"
    );
    assert!(node.path().join("state-0/data.mdb").exists(), "nothing was touched");
}

fn newest_segment(path: &Path) -> PathBuf {
    let names = fs::read_dir(path.join("log")).expect("read");
    let mut paths: Vec<_> = names.map(|entry| entry.expect("read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "segment"));
    paths.sort();
    paths.remove(0)
}

/// A node whose state has turned out not to be the leader's, at index 4, and has a snapshot made from it.
async fn diverged_node() -> Node {
    let node = Node::new();
    let running = node.open();
    let entries = || {
        let check = Command::CheckDigest { mark: 1, digest: 0 };
        let mark = proposal(1, 2, vec![Command::MarkDigest]);
        [counting(1, 0), counting(1, 1), mark, counting(1, 3), proposal(1, 4, vec![check])]
    };
    running.append(entries()).await;
    running.apply(entries().into_iter().take(4)).await;
    build(&running).await;
    let mut state = running.storage.state_store();
    let last = entries().into_iter().skip(4).map(|entry| Ok((entry, None)));
    state.apply(futures::stream::iter(last)).await.expect_err("it differs");
    running.storage.close().await.expect_err("what failed is not written");
    node
}

#[tokio::test]
async fn a_state_that_differs_is_made_from_another_nodes_snapshot_however_often_the_node_starts() {
    let node = diverged_node().await;
    for _ in 0..2 {
        let refusal = node.try_open().err().expect("it must not start");
        assert!(matches!(&refusal, OpenError::NeedsRepair { .. }), "{refusal}");
        assert!(refusal.to_string().contains("index 4 of the log"), "{refusal}");
    }
    // Another node, whose snapshot ends in a younger term, with another entry at an index that this one has.
    let other = Node::new();
    let running = other.open();
    running.apply((0..5).map(|index| counting(1, index)).chain([counting(3, 5), counting(3, 6)])).await;
    build(&running).await;
    let (meta, file, _) = running.storage.newest_snapshot().expect("there is one");

    let directory = node.try_open_directory().expect("the directory opens");
    let error = node.try_open_in(&directory).expect_err("it is damaged");
    for _ in 0..2 {
        // The first repair is interrupted.
        let mut repair = Repair::begin(&directory, GroupId::FIRST, &node.options, &error).expect("begun");
        assert_eq!(repair.needed_index(), Some(4), "the own snapshot is not trusted");
        let received = directory.received_path().join("file");
        fs::write(&received, b"nonsense").expect("write");
        repair.take_snapshot(&received, &meta).expect_err("it is damaged");
    }
    let mut repair = Repair::begin(&directory, GroupId::FIRST, &node.options, &error).expect("begun");
    let received = directory.received_path().join("file");
    fs::copy(file.path(), &received).expect("copy");
    repair.take_snapshot(&received, &meta).expect("it is what is needed");
    repair.finish().expect("finished");
    assert!(node.path().join("set-aside/state-0/data.mdb").exists(), "the first one, not the empty ones");
    drop(directory);

    let running = node.open();
    start_raft(&running).await;
    let status = running.storage.status();
    assert_eq!((status.applied, status.log_last), (Some(log_id(3, 6)), Some(log_id(3, 6))));
    let vote = running.vote().await.expect("a vote");
    assert_eq!(vote, Vote::new(3, running.directory.node_id()), "a leader of an older term is not believed");
    assert_eq!(running.value("last").as_deref(), Some(&b"6"[..]));
    running.close().await;
}

#[tokio::test]
async fn entries_that_a_snapshot_contradicts_are_cut_off_the_log() {
    let node = used_node(3).await;
    let running = node.open();
    // Never committed: another leader's entries took their place.
    running.append((3..9).map(|index| counting(1, index))).await;
    running.storage.reader().get(b"last").expect("sound");
    running.close().await;
    let other = Node::new();
    let running = other.open();
    running.apply((0..3).map(|index| counting(1, index)).chain([counting(2, 3), counting(2, 4)])).await;
    build(&running).await;
    let (meta, file, _) = running.storage.newest_snapshot().expect("there is one");
    damage(&node);
    let reading = node.open();
    reading.storage.reader().get(b"key 1").expect_err("it is damaged");
    reading.storage.close().await.expect_err("what failed is not written");
    drop(reading);
    let directory: DataDirectory = node.try_open_directory().expect("the directory opens");
    let error = node.try_open_in(&directory).expect_err("it is damaged");
    let mut repair = Repair::begin(&directory, GroupId::FIRST, &node.options, &error).expect("begun");
    let received = directory.received_path().join("file");
    fs::copy(file.path(), &received).expect("copy");
    repair.take_snapshot(&received, &meta).expect("it will do");
    repair.finish().expect("finished");
    drop(directory);
    let running = node.open();
    start_raft(&running).await;
    assert_eq!(running.storage.status().log_last, Some(log_id(2, 4)));
    assert_eq!(running.value("last").as_deref(), Some(&b"4"[..]));
    running.storage.state_store().applied_state().await.expect("a state");
    running.close().await;
}
