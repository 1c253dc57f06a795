//! Directories that a node must not start on, and what it says about them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use heed::types::Bytes as ByteSlice;
use heed::{CommitOrAbort, EnvOpenOptions};
use quorate_consensus::ClusterId;
use quorate_storage::{DataDirectory, OpenError};

use super::support::*;

/// A node that ran, with a log, a state and a snapshot.
async fn used_node() -> Node {
    let node = Node::new();
    let running = node.open();
    running.append((0..50).map(|index| counting(1, index))).await;
    running.apply((0..50).map(|index| counting(1, index))).await;
    super::snapshots::build(&running).await;
    running.close().await;
    node
}

/// Tries to open the node, which is refused. Gives the refusal, of which the text has to say what to do.
#[track_caller]
fn refused(node: &Node) -> OpenError {
    let error = node.try_open().err().expect("refused");
    let text = error.to_string();
    let path = node.path().display().to_string();
    assert!(text.contains(&path), "the text names the directory: {text}");
    let advice =
        ["remove", "use ", "choose", "Choose", "stop ", "start ", "put it back", "Restore", "check "];
    assert!(advice.iter().any(|word| text.contains(word)), "the text says what to do: {text}");
    error
}

#[track_caller]
fn refused_as_damaged(node: &Node, expected_part: &str) {
    match refused(node) {
        OpenError::Damaged { part, .. } => assert_eq!(part, expected_part),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused_as_missing(node: &Node, expected_part: &str) {
    match refused(node) {
        OpenError::MissingPart { part, .. } => assert_eq!(part, expected_part),
        other => panic!("{other:?}"),
    }
}

/// The node's only state directory.
fn state_part(node: &Node) -> String {
    let names = fs::read_dir(node.path()).expect("read").map(|it| it.expect("read").file_name());
    let mut states: Vec<_> =
        names.map(|it| it.to_string_lossy().into_owned()).filter(|it| it.starts_with("state-")).collect();
    assert_eq!(states.len(), 1);
    states.remove(0)
}

/// Changes a file's bytes.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).expect("read");
    change(&mut content);
    fs::write(path, content).expect("write");
}

#[test]
fn a_relative_path_begins_at_the_working_directory() {
    // A bare name, which has no parent. Tests run side by side, so the working directory stays as it is.
    let name = tempfile::Builder::new().prefix("data-").tempdir_in(".").expect("a temporary directory");
    let bare = Path::new(name.path().file_name().expect("it has a name")).to_owned();
    fs::remove_dir(&bare).expect("it is empty");
    let environment = Node::new().environment;
    let directory = DataDirectory::open(&environment, &bare, 1).expect("a new directory");
    assert!(directory.path().is_absolute());
    assert_eq!(directory.path(), bare.canonicalize().expect("it is there"));
    drop(directory);
    DataDirectory::open(&environment, &bare, 1).expect("found again");
}

#[tokio::test]
async fn a_directory_is_used_by_one_node_at_a_time() {
    let node = Node::new();
    let running = node.open();
    assert!(matches!(refused(&node), OpenError::InUse { .. }));
    let Running { directory, storage } = running;
    drop(directory);
    assert!(matches!(refused(&node), OpenError::InUse { .. }), "the storage keeps it locked");
    storage.close().await.expect("close");
    node.open().close().await;
}

#[tokio::test]
async fn closing_releases_the_directory_whoever_still_holds_a_part() {
    let node = Node::new();
    let running = node.open();
    let parts = (running.storage.log_store(), running.storage.state_store(), running.storage.reader());
    running.close().await;
    node.open().close().await;
    assert!(parts.2.get(b"key").is_err(), "a closed storage is not read");
}

#[tokio::test]
async fn dropping_everything_releases_the_directory() {
    let node = Node::new();
    drop(node.open());
    node.open_after_crash().await.close().await;
}

#[tokio::test]
async fn a_folder_of_other_things_is_left_alone() {
    let node = Node::new();
    fs::write(node.path().join("holiday.jpg"), b"beach").expect("write");
    match refused(&node) {
        OpenError::NotADataDirectory { found, .. } => assert_eq!(found, "holiday.jpg"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(node.path()).expect("read").count(), 1, "nothing was put there");
}

#[tokio::test]
async fn another_members_directory_is_refused() {
    let node = used_node().await;
    let error = DataDirectory::open(&node.environment, &node.path(), 2).expect_err("refused");
    assert!(matches!(error, OpenError::OtherMember { found: 1, expected: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_joins_one_cluster_for_ever() {
    let node = Node::new();
    let (one, other) = (ClusterId([1; 16]), ClusterId([2; 16]));
    let directory = node.try_open_directory().expect("open");
    assert_eq!(directory.cluster_id(), None);
    directory.bind_cluster(one).expect("bind");
    directory.bind_cluster(one).expect("bind again");
    let node_id = directory.node_id();
    drop(directory);
    let directory = node.try_open_directory().expect("open");
    assert_eq!((directory.cluster_id(), directory.node_id()), (Some(one), node_id));
    let error = directory.bind_cluster(other).expect_err("refused");
    assert!(matches!(error, OpenError::OtherCluster { .. }), "{error:?}");
    assert_eq!(directory.cluster_id(), Some(one));
}

#[tokio::test]
async fn parts_of_another_incarnation_are_refused() {
    let (node, other) = (used_node().await, used_node().await);
    let (own, foreign) = (state_part(&node), state_part(&other));
    fs::rename(node.path().join(&own), node.path().join("state.tmp")).expect("rename");
    copy_directory_to(&other.path().join(&foreign), &node.path().join(&foreign));
    assert!(matches!(refused(&node), OpenError::OtherIncarnation { part, .. } if part == foreign));
    fs::remove_dir_all(node.path().join(&foreign)).expect("remove");
    fs::rename(node.path().join("state.tmp"), node.path().join(&own)).expect("rename");
    node.open().close().await;
    fs::remove_dir_all(node.path().join("log")).expect("remove");
    copy_directory_to(&other.path().join("log"), &node.path().join("log"));
    assert!(matches!(refused(&node), OpenError::OtherIncarnation { part, .. } if part == "log"));
}

fn copy_directory_to(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("create a directory");
    copy_directory(from, to);
}

#[tokio::test]
async fn a_newer_format_is_refused_by_every_part() {
    let node = used_node().await;
    let identity = node.path().join("identity");
    let before = fs::read(&identity).expect("read");
    let body = "quorate data directory\nformat 2\nmember 1\n";
    fs::write(&identity, format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()))).expect("write");
    assert!(matches!(refused(&node), OpenError::NewerFormat { found: 2, .. }));
    fs::write(&identity, before).expect("write");

    let state = node.path().join(state_part(&node));
    let old = set_format(&state, 2);
    assert!(matches!(refused(&node), OpenError::NewerFormat { found: 2, .. }));
    set_format(&state, old);

    let segment = newest_segment(&node);
    let before = fs::read(&segment).expect("read");
    change(&segment, |content| {
        // The format follows the magic; the checksum is at the end of the header's page.
        content[16] = 2;
        let checksum = crc32c::crc32c(&content[..4092]);
        content[4092..4096].copy_from_slice(&checksum.to_le_bytes());
    });
    assert!(matches!(refused(&node), OpenError::NewerFormat { found: 2, .. }));
    fs::write(&segment, before).expect("write");

    let snapshot = super::snapshots::only_file(&node);
    change(&snapshot, |content| {
        // Magic, frame head, version, format.
        let (head, format_at) = (16, 16 + 5 + 1);
        content[format_at] = 2;
        let length = u32::from_le_bytes(content[head + 1..head + 5].try_into().expect("four bytes")) as usize;
        let checksum_at = head + 5 + length;
        let checksum = crc32c::crc32c(&content[head..checksum_at]);
        content[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
    });
    assert!(matches!(refused(&node), OpenError::NewerFormat { found: 2, .. }));
}

/// The log's newest segment.
fn newest_segment(node: &Node) -> std::path::PathBuf {
    let names = fs::read_dir(node.path().join("log")).expect("read").map(|it| it.expect("read").path());
    let segments = names.filter(|path| path.extension().is_some_and(|it| it == "segment"));
    segments.max().expect("a log has a segment")
}

/// Sets the format that an LMDB environment says it has. Gives the one it said before.
#[expect(unsafe_code, reason = "the node that owns the file is not running")]
fn set_format(path: &Path, format: u32) -> u32 {
    let environment = unsafe { EnvOpenOptions::new().max_dbs(8).open(path) }.expect("open");
    let transaction = environment.write_txn().expect("write");
    let table = environment.create_databases_and_commit(transaction, |opener, transaction| {
        let table = opener.create_database::<ByteSlice, ByteSlice>(transaction, Some("directory"))?;
        heed::Result::Ok(CommitOrAbort::<_, ()>::Commit(table))
    });
    let table = table.expect("open").commit().expect("committed");
    let mut transaction = environment.write_txn().expect("write");
    let mut record =
        table.get(&transaction, b"identity").expect("get").expect("the record is there").to_vec();
    let before = u32::from_le_bytes(record[1..5].try_into().expect("four bytes"));
    record[1..5].copy_from_slice(&format.to_le_bytes());
    let checksum_at = record.len() - 4;
    let checksum = crc32c::crc32c(&record[..checksum_at]);
    record[checksum_at..].copy_from_slice(&checksum.to_le_bytes());
    table.put(&mut transaction, b"identity", &record).expect("put");
    transaction.commit().expect("commit");
    before
}

#[tokio::test]
async fn a_damaged_identity_is_refused() {
    let node = used_node().await;
    change(&node.path().join("identity"), |content| content[40] ^= 1);
    refused_as_damaged(&node, "identity");
}

#[tokio::test]
async fn a_lost_identity_is_not_replaced_by_a_new_one() {
    let node = used_node().await;
    fs::remove_file(node.path().join("identity")).expect("remove");
    refused_as_missing(&node, "identity");
    refused_as_missing(&node, "identity");
}

#[tokio::test]
async fn an_interrupted_creation_begins_anew() {
    let node = Node::new();
    let first = node.try_open_directory().expect("open").node_id();
    // Everything but the last step was done.
    fs::remove_file(node.path().join("identity")).expect("remove");
    let second = node.try_open_directory().expect("open").node_id();
    assert_ne!(first.incarnation, second.incarnation);
    // It was interrupted before anything was written.
    fs::remove_file(node.path().join("identity")).expect("remove");
    fs::remove_dir_all(node.path().join("state-0")).expect("remove");
    fs::rename(newest_segment(&node), node.path().join("log/g0-spare-0.tmp")).expect("rename");
    let third = node.try_open_directory().expect("open").node_id();
    assert_ne!(second.incarnation, third.incarnation);
    // It was interrupted while LMDB wrote its first pages.
    fs::remove_file(node.path().join("identity")).expect("remove");
    fs::write(node.path().join("state-0/data.mdb"), b"").expect("write");
    node.open().close().await;
}

#[tokio::test]
async fn a_missing_part_is_refused() {
    for part in ["log", "snapshots", "state-0"] {
        let node = used_node().await;
        fs::remove_dir_all(node.path().join(part)).expect("remove");
        refused_as_missing(&node, part);
    }
    let node = used_node().await;
    fs::remove_file(newest_segment(&node)).expect("remove");
    refused_as_missing(&node, "log");
}

#[tokio::test]
async fn a_damaged_lmdb_file_is_refused_without_a_crash() {
    let page = 4096;
    let cut = |content: &mut Vec<u8>, length: usize| content.truncate(length);
    let zero = |content: &mut Vec<u8>, from: usize, to: usize| content[from..to].fill(0);
    for part in ["state-0"] {
        let node = used_node().await;
        let file = node.path().join(part).join("data.mdb");
        let whole = fs::read(&file).expect("read");
        let check = |damage: &dyn Fn(&mut Vec<u8>)| {
            change(&file, |content| damage(content));
            refused_as_damaged(&node, part);
            fs::write(&file, &whole).expect("write");
        };
        check(&|content| content.clear());
        check(&|content| cut(content, page));
        check(&|content| cut(content, 3 * page));
        check(&|content| zero(content, 0, page));
        check(&|content| zero(content, page, 2 * page));
        check(&|content| content[16] ^= 1);
        check(&|content| content[page + 20] ^= 2);
        // The size of pages.
        check(&|content| content[40..44].copy_from_slice(&8192u32.to_le_bytes()));
        // The roots of the trees of both meta pages.
        check(&|content| {
            for meta in [0, page] {
                content[meta + 88 + 40..meta + 88 + 48].copy_from_slice(&123_456u64.to_le_bytes());
            }
        });
        check(&|content| content[2 * page..].fill(0xff));
        node.open().close().await;
    }
}

#[tokio::test]
async fn a_damaged_entry_is_noticed() {
    let mut node = Node::new();
    // Nothing flushed stays in memory.
    node.options.tail_bytes_max = 0;
    let running = node.open();
    let entries = (0..50).map(|index| proposal(1, index, vec![put("key", format!("value of {index:04}"))]));
    running.append(entries).await;
    running.append([blank(1, 50)]).await;
    let file = newest_segment(&node);
    change_in_place(&file, "value of 0020");
    assert_eq!(running.entries(0..20).await.expect("read").len(), 20);
    let error = running.entries(0..50).await.expect_err("damaged");
    assert!(error.to_string().contains("the log entry 20 is damaged"), "{error}");
    running.close().await;
    // What was acknowledged is not there any more: the node does not start.
    refused_as_damaged(&node, "log");
}

/// Flips a bit at each place of the pattern in a file that is in use.
fn change_in_place(path: &Path, pattern: &str) {
    let content = fs::read(path).expect("read");
    let places: Vec<_> = (0..content.len() - pattern.len())
        .filter(|at| content[*at..].starts_with(pattern.as_bytes()))
        .collect();
    assert!(!places.is_empty());
    let file = fs::OpenOptions::new().write(true).open(path).expect("open");
    for at in places {
        file.write_all_at(&[content[at] ^ 1], at as u64).expect("write");
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused() {
    let node = used_node().await;
    change(&super::snapshots::only_file(&node), |content| content.truncate(content.len() - 1));
    assert!(matches!(refused(&node), OpenError::Damaged { part, .. } if part.starts_with("snapshots/")));
}
