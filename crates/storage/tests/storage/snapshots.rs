//! Snapshots: built, kept, installed, and refused if they are not sound.

use std::fs;
use std::path::PathBuf;

use openraft::storage::{RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine};
use quorate_consensus::{ClusterId, SnapshotFile, SnapshotMeta};
use quorate_kv::{Budget, Command, KeyRange, RangeQuery, SessionRequest, UnavailableRevision};
use quorate_storage::snapshot::{SnapshotReader, SnapshotRefusal};

use super::support::*;

/// Builds a snapshot.
pub async fn build(running: &Running) -> (SnapshotMeta, SnapshotFile) {
    let mut builder = running.storage.state_store().get_snapshot_builder().await;
    let built = builder.build_snapshot().await.expect("build");
    (built.meta, built.snapshot)
}

/// The only snapshot file of a node.
pub fn only_file(node: &Node) -> PathBuf {
    let files: Vec<_> = fs::read_dir(node.path().join("snapshots"))
        .expect("read")
        .map(|it| it.expect("read").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// A copy of a snapshot as it arrives at another node.
fn received(running: &Running, file: &SnapshotFile) -> SnapshotFile {
    let path = running.directory.received_path().join("arrived");
    fs::copy(file.path(), &path).expect("copy");
    SnapshotFile::temporary(path)
}

async fn full_node(count: u64) -> (Node, Running) {
    let node = Node::new();
    let running = node.open();
    running.append((0..count).map(|index| counting(1, index))).await;
    running.apply((0..count).map(|index| counting(1, index))).await;
    (node, running)
}

#[tokio::test]
async fn sessions_settings_and_the_swept_past_are_carried_too() {
    let in_session = |sequence, value: &str| {
        let request = SessionRequest { session: 1, sequence, acknowledged_below: 0, fingerprint: 7 };
        put("in session", value.to_owned()).in_session(request).expect("a write")
    };
    let commands = vec![
        Command::OpenSession { ttl_ms: 60_000 },
        in_session(1, "once"),
        in_session(2, "twice"),
        Command::Compact { revision: 2 },
        Command::Sweep { records_max: 1 },
        Command::MarkDigest,
    ];
    let source_node = Node::new();
    let source = source_node.open();
    source.append([proposal(1, 0, commands.clone()), counting(1, 1)]).await;
    source.apply([proposal(1, 0, commands), counting(1, 1)]).await;
    let (meta, file) = build(&source).await;
    let target_node = Node::new();
    let target = target_node.open();
    let arrived = received(&target, &file);
    target.storage.state_store().install_snapshot(&meta, arrived).await.expect("install");
    let installed = target.storage.reader().verify().expect("sound");
    assert_eq!(installed, source.storage.reader().verify().expect("sound"));
    assert_eq!((installed.summary.session_count, installed.summary.compacted_revision), (1, 2));
    // What was done once is not done again.
    target.apply([proposal(1, 2, vec![in_session(1, "once"), in_session(2, "twice")])]).await;
    assert_eq!(target.storage.reader().revision().expect("open"), installed.summary.revision);
    let reader = target.storage.reader();
    let compacted = reader.get_at(b"in session", 1).expect("read");
    assert_eq!(compacted, Err(UnavailableRevision::Compacted { oldest: 2 }));
    let query = RangeQuery { revision: Some(2), ..RangeQuery::new(KeyRange::all()) };
    let page = reader.range(&query, Budget { records: 100, bytes: 1 << 20 }).expect("read").expect("kept");
    assert_eq!((page.count, page.entries[0].value.as_deref()), (1, Some(&b"twice"[..])));
    target.close().await;
    source.close().await;
}

#[tokio::test]
async fn a_snapshot_carries_the_state_to_another_node() {
    let (_source_node, source) = full_node(3000).await;
    let (meta, file) = build(&source).await;
    assert_eq!(meta.last_log_id, Some(log_id(1, 2999)));
    let target_node = Node::new();
    let target = target_node.open();
    target.apply((0..10).map(|index| counting(1, index))).await;
    let arrived = received(&target, &file);
    target.storage.state_store().install_snapshot(&meta, arrived.clone()).await.expect("install");
    assert_eq!(
        target.storage.reader().verify().expect("sound"),
        source.storage.reader().verify().expect("sound")
    );
    assert_eq!(target.value("key 2345").as_deref(), Some(&b"2345"[..]));
    assert_eq!(target.storage.status().checkpoint, meta.last_log_id);
    drop(arrived);
    let kept = target.storage.state_store().get_current_snapshot().await.expect("current").expect("kept");
    assert_eq!(kept.meta, meta);
    assert_eq!(fs::read(kept.snapshot.path()).expect("read"), fs::read(file.path()).expect("read"));
    // The state goes on from there, and is found again.
    target.apply([counting(1, 3000)]).await;
    let before = target.storage.reader().verify().expect("sound");
    target.close().await;
    let target = target_node.open();
    assert_eq!(target.storage.reader().verify().expect("sound"), before);
    assert_eq!(
        target.storage.state_store().get_current_snapshot().await.expect("current").expect("kept").meta,
        meta
    );
    target.close().await;
    source.close().await;
}

#[tokio::test]
async fn only_the_newest_snapshot_is_kept() {
    let (node, running) = full_node(10).await;
    assert!(running.storage.state_store().get_current_snapshot().await.expect("current").is_none());
    let (first, _) = build(&running).await;
    running.apply([counting(1, 10)]).await;
    let (second, file) = build(&running).await;
    assert!(first.last_log_id < second.last_log_id);
    assert_eq!(only_file(&node), file.path());
    let (again, _) = build(&running).await;
    assert_eq!(again, second, "nothing has changed since");
    running.close().await;
    let running = node.open();
    assert_eq!(running.storage.status().snapshot, second.last_log_id);
    running.close().await;
}

#[tokio::test]
async fn a_replaced_snapshot_stays_until_those_who_are_about_to_send_it_have_finished() {
    let (node, running) = full_node(10).await;
    let (_, about_to_be_sent) = build(&running).await;
    running.apply([counting(1, 10)]).await;
    let (_, newest) = build(&running).await;
    assert!(about_to_be_sent.path().exists());
    drop(about_to_be_sent);
    assert_eq!(only_file(&node), newest.path());
    running.close().await;
}

#[tokio::test]
async fn unfinished_files_and_states_are_swept_at_the_start() {
    let (node, running) = full_node(10).await;
    let (meta, _) = build(&running).await;
    running.close().await;
    fs::write(node.path().join("snapshots/building.tmp"), b"half").expect("write");
    fs::create_dir(node.path().join("state-1.tmp")).expect("create");
    fs::write(node.path().join("received/arriving"), b"half").expect("write");
    let running = node.open();
    assert_eq!(running.storage.status().snapshot, meta.last_log_id);
    only_file(&node);
    assert!(!node.path().join("state-1.tmp").exists());
    assert_eq!(fs::read_dir(running.directory.received_path()).expect("read").count(), 0);
    running.close().await;
}

#[tokio::test]
async fn a_snapshot_file_can_be_read_on_its_own() {
    let (_node, running) = full_node(3000).await;
    running.directory.bind_cluster(ClusterId([9; 16])).expect("bind");
    let (meta, file) = build(&running).await;
    let mut reader = SnapshotReader::open(file.path()).expect("open");
    assert_eq!((reader.header().cluster_id, &reader.header().meta), (ClusterId([9; 16]), &meta));
    let (mut chunks, mut records) = (0, 0);
    while let Some(chunk) = reader.next_chunk().expect("read") {
        chunks += 1;
        records += chunk.records.len() as u64;
    }
    let trailer = *reader.trailer().expect("complete");
    assert_eq!((trailer.chunk_count, trailer.record_count), (chunks, records));
    assert!(chunks > 1, "the test wants more than one chunk");
    let summary = running.storage.reader().summary().expect("summary");
    assert_eq!((trailer.revision, trailer.digest), (summary.revision, summary.digest));
    assert_eq!(SnapshotReader::inspect(file.path()).expect("inspect").1, trailer);
    running.close().await;
}

/// Reads a whole file.
fn read_all(path: &std::path::Path) -> Result<(), quorate_storage::snapshot::SnapshotError> {
    let mut reader = SnapshotReader::open(path)?;
    while reader.next_chunk()?.is_some() {}
    Ok(())
}

#[tokio::test]
async fn every_damage_to_a_snapshot_file_is_noticed() {
    let (node, running) = full_node(5).await;
    let (_, file) = build(&running).await;
    let whole = fs::read(file.path()).expect("read");
    read_all(file.path()).expect("sound");
    let damaged = node.folder.path().join("received/damaged");
    for position in 0..whole.len() {
        let mut content = whole.clone();
        content[position] ^= 1 << (position % 8);
        fs::write(&damaged, content).expect("write");
        assert!(read_all(&damaged).is_err(), "byte {position}");
        fs::write(&damaged, &whole[..position]).expect("write");
        assert!(read_all(&damaged).is_err(), "cut at {position}");
    }
    fs::write(&damaged, [&whole[..], b"x"].concat()).expect("write");
    assert!(read_all(&damaged).is_err(), "longer");
    running.close().await;
}

#[tokio::test]
async fn a_damaged_or_foreign_snapshot_is_not_installed_and_the_old_state_stays() {
    let (_source_node, source) = full_node(3000).await;
    source.directory.bind_cluster(ClusterId([1; 16])).expect("bind");
    let (meta, file) = build(&source).await;
    let damage = |content: &mut Vec<u8>| {
        let middle = content.len() / 2;
        content[middle] ^= 1;
    };
    let other_meta = SnapshotMeta { last_log_id: Some(log_id(1, 5000)), ..meta.clone() };
    let checks: [(bool, &SnapshotMeta, ClusterId); 3] = [
        (true, &meta, ClusterId([1; 16])),
        (false, &other_meta, ClusterId([1; 16])),
        (false, &meta, ClusterId([2; 16])),
    ];
    for (damaged, meta, cluster_id) in checks {
        let node = Node::new();
        let target = node.open();
        target.directory.bind_cluster(cluster_id).expect("bind");
        target.apply((0..10).map(|index| counting(1, index))).await;
        target.storage.checkpoint().await.expect("checkpoint");
        let before = target.storage.reader().applied().expect("applied");
        let arrived = received(&target, &file);
        if damaged {
            let mut content = fs::read(arrived.path()).expect("read");
            damage(&mut content);
            fs::write(arrived.path(), content).expect("write");
        }
        target.storage.state_store().install_snapshot(meta, arrived).await.expect_err("refused");
        assert_eq!(target.storage.reader().applied().expect("applied"), before);
        drop(target);
        let target = node.open_after_crash().await;
        assert_eq!(target.storage.reader().verify().expect("sound"), before);
        assert_eq!(target.storage.status().snapshot, None);
        target.close().await;
    }
    source.close().await;
}

#[tokio::test]
async fn a_snapshot_from_a_peer_can_be_looked_at_before_it_is_installed() {
    let (_source_node, source) = full_node(3000).await;
    source.directory.bind_cluster(ClusterId([1; 16])).expect("bind");
    let (meta, file) = build(&source).await;
    let mut node = Node::new();
    let target = node.open();
    let check = target.storage.snapshot_check();
    let arrived = received(&target, &file);
    check.check(arrived.path(), &meta).expect("a node without a cluster takes any");
    target.directory.bind_cluster(ClusterId([1; 16])).expect("bind");
    check.check(arrived.path(), &meta).expect("sound");
    check.check_room(1000).expect("there is room");
    assert!(matches!(check.check_room(u64::MAX), Err(SnapshotRefusal::NoRoom { .. })));
    let other_meta = SnapshotMeta { last_log_id: Some(log_id(1, 5000)), ..meta.clone() };
    assert!(matches!(check.check(arrived.path(), &other_meta), Err(SnapshotRefusal::Foreign { .. })));
    let mut content = fs::read(arrived.path()).expect("read");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(arrived.path(), content).expect("write");
    assert!(matches!(check.check(arrived.path(), &meta), Err(SnapshotRefusal::Unsound(_))));
    assert_eq!(target.storage.status().failure, None);
    target.close().await;
    node.options.reserve_bytes = u64::MAX;
    let target = node.open();
    let arrived = received(&target, &file);
    let refused = target.storage.snapshot_check().check(arrived.path(), &meta);
    assert!(matches!(refused, Err(SnapshotRefusal::NoRoom { .. })), "no disk has that much left");
    target.close().await;
    let foreigner = Node::new();
    let target = foreigner.open();
    target.directory.bind_cluster(ClusterId([2; 16])).expect("bind");
    let arrived = received(&target, &file);
    let refused = target.storage.snapshot_check().check(arrived.path(), &meta);
    assert!(matches!(refused, Err(SnapshotRefusal::Foreign { .. })));
    target.close().await;
    source.close().await;
}

/// Builds a snapshot as Raft does when it is time for one.
async fn build_when_due(running: &Running) -> SnapshotMeta {
    let builder = running.storage.state_store().try_create_snapshot_builder(false).await;
    builder.expect("there seems to be room").build_snapshot().await.expect("the node goes on").meta
}

#[tokio::test]
async fn a_snapshot_that_finds_the_disk_full_is_put_off() {
    let (node, running) = full_node(10).await;
    let unfinished = node.path().join("snapshots/building.tmp");
    let fill_disk = || std::os::unix::fs::symlink("/dev/full", &unfinished).expect("link");
    fill_disk();
    assert_eq!(build_when_due(&running).await, SnapshotMeta::default());
    assert!(!unfinished.is_symlink(), "what was written is gone");
    let first = build_when_due(&running).await;
    assert_eq!(first.last_log_id, Some(log_id(1, 9)));
    running.apply([counting(1, 10)]).await;
    fill_disk();
    assert_eq!(build_when_due(&running).await, first, "the one before stays");
    assert_eq!(running.storage.status().snapshot, first.last_log_id);
    assert_eq!(running.storage.status().failure, None);
    assert_eq!(build_when_due(&running).await.last_log_id, Some(log_id(1, 10)));
    only_file(&node);
    running.close().await;
}

#[tokio::test]
async fn no_snapshot_is_begun_without_room_for_it() {
    let (mut node, running) = full_node(10).await;
    running.close().await;
    node.options.snapshot_log_bytes = 1;
    let running = node.open();
    assert!(running.storage.snapshot_due(100));
    running.close().await;
    node.options.reserve_bytes = u64::MAX;
    let running = node.open();
    assert!(!running.storage.snapshot_due(100));
    let mut state = running.storage.state_store();
    assert!(state.try_create_snapshot_builder(false).await.is_none());
    assert!(state.try_create_snapshot_builder(true).await.is_some(), "Raft cannot do without");
    drop(state);
    running.close().await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_replaced_by_a_sound_one() {
    let (node, running) = full_node(10).await;
    let (meta, about_to_be_sent) = build(&running).await;
    running.storage.recheck_snapshot().await.expect("sound");
    let whole = fs::read(only_file(&node)).expect("read");
    let mut content = whole.clone();
    content[whole.len() / 2] ^= 1;
    fs::write(only_file(&node), content).expect("write");
    running.storage.recheck_snapshot().await.expect("replaced");
    drop(about_to_be_sent);
    assert_eq!(fs::read(only_file(&node)).expect("read"), whole);
    assert_eq!(running.storage.status().snapshot, meta.last_log_id);
    running.close().await;
}

#[tokio::test]
async fn closing_gives_up_a_snapshot_and_still_writes_the_last_checkpoint() {
    let (node, running) = full_node(3000).await;
    running.storage.checkpoint().await.expect("checkpoint");
    node.environment.hold_worker("snapshot");
    let mut builder = running.storage.state_store().get_snapshot_builder().await;
    let mut building = Box::pin(builder.build_snapshot());
    assert!(node.run_while_held(&mut building).await.is_none());
    running.apply([counting(1, 3000)]).await;
    let mut closing = Box::pin(running.storage.close());
    assert!(node.run_while_held(&mut closing).await.is_none(), "it waits for the snapshot's files");
    node.environment.release_disk();
    closing.await.expect("closed");
    building.await.expect_err("given up");
    drop((builder, running));
    let running = node.open_after_crash().await;
    assert_eq!(running.storage.status().checkpoint, Some(log_id(1, 3000)));
    assert_eq!(running.storage.status().snapshot, None);
    running.close().await;
}

#[tokio::test]
async fn closing_gives_up_an_install_and_the_old_state_stays() {
    let (_source_node, source) = full_node(3000).await;
    let (meta, file) = build(&source).await;
    let (node, running) = full_node(10).await;
    running.storage.checkpoint().await.expect("checkpoint");
    node.environment.hold_worker("state");
    let mut state = running.storage.state_store();
    let mut installing = Box::pin(state.install_snapshot(&meta, received(&running, &file)));
    assert!(node.run_while_held(&mut installing).await.is_none());
    let mut closing = Box::pin(running.storage.close());
    assert!(node.run_while_held(&mut closing).await.is_none());
    node.environment.release_disk();
    closing.await.expect("closed");
    installing.await.expect_err("given up");
    drop((state, running));
    let running = node.open_after_crash().await;
    assert_eq!(running.storage.reader().applied().expect("applied").log_id, Some(log_id(1, 9)));
    running.close().await;
    source.close().await;
}

#[tokio::test]
async fn an_install_waits_for_the_log() {
    let (_source_node, source) = full_node(20).await;
    let (meta, file) = build(&source).await;
    let (node, running) = full_node(10).await;
    node.environment.hold_worker("log");
    let (callback, flushed) = flush_callback();
    running.storage.log_store().append([counting(1, 10)], callback).await.expect("append");
    let mut state = running.storage.state_store();
    let mut installing = Box::pin(state.install_snapshot(&meta, received(&running, &file)));
    assert!(node.run_while_held(&mut installing).await.is_none());
    assert!(!node.path().join("state-1").exists(), "the state is not ahead of the log");
    assert!(!flushed.is_finished());
    node.environment.release_disk();
    installing.await.expect("install");
    assert!(node.path().join("state-1").exists());
    drop(state);
    running.close().await;
    source.close().await;
}

#[tokio::test]
async fn snapshots_and_purges_are_due_by_bytes_of_log() {
    let mut node = Node::new();
    node.options.snapshot_log_bytes = 500_000;
    node.options.log_keep_bytes = 200_000;
    let running = node.open();
    let entry = |index| proposal(1, index, vec![put("key", vec![b'v'; 1000])]);
    running.append((0..400).map(entry)).await;
    running.apply((0..400).map(entry)).await;
    assert!(!running.storage.snapshot_due(100));
    assert!(running.storage.snapshot_due(75), "a node may come early");
    assert_eq!(running.storage.purge_due(), None, "there is no snapshot");
    running.append((400..600).map(entry)).await;
    running.apply((400..600).map(entry)).await;
    assert!(running.storage.snapshot_due(100));
    build(&running).await;
    assert!(!running.storage.snapshot_due(100));
    let due = running.storage.purge_due().expect("due");
    assert!((250..420).contains(&due), "200 of 600 entries are kept, give or take a mark: {due}");
    running.close().await;
    let running = node.open();
    assert!(!running.storage.snapshot_due(100));
    let due = running.storage.purge_due();
    assert!(due.is_none_or(|due| due < 599), "{due:?}");
    running.close().await;
}
