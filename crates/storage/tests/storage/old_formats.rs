//! What the first release wrote, which knew neither sessions nor compaction: a state of three tables with a
//! shorter head, and a snapshot of it.

use std::fs;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use heed::types::Bytes as ByteSlice;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions};
use openraft::storage::RaftStateMachine;
use quorate_consensus::SnapshotFile;
use quorate_consensus::encoding::Encode;
use quorate_kv::{Command, Table};
use quorate_storage::snapshot::{Chunk, SnapshotHeader, SnapshotReader, SnapshotTrailer};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::snapshots::build;
use super::support::*;

type Records = Vec<(Table, Bytes, Bytes)>;

/// What the head's hash is seeded with.
const HEAD_DOMAIN: u64 = 3;
/// The first fields of a head, which are the same in both versions: cluster version, four numbers, two sums.
const COMMON_BYTES: usize = 4 + 4 * 8 + 2 * 16;

/// The head as the first release would have written it, and its digest as that release would have computed it.
fn bare_head(record: &[u8]) -> (Bytes, u128) {
    assert_eq!(record[0], 2, "the newest version of heads");
    let mut bare = BytesMut::from(&[1][..]);
    bare.extend_from_slice(&record[1..1 + COMMON_BYTES]);
    bare.put_u64(1 << 20);
    let digest = xxh3_128_with_seed(&bare[1..], HEAD_DOMAIN);
    let mut checked = vec![Table::Meta.ordinal(), 1];
    checked.extend_from_slice(&bare);
    bare.put_u32(crc32c::crc32c(&checked));
    (bare.freeze(), digest)
}

/// A node that has written nothing but keys; a snapshot's header and records as the first release would have
/// written them, and the digest.
async fn old_records() -> (Node, SnapshotHeader, Records, u128) {
    let node = Node::new();
    let running = node.open();
    running.append((0..20).map(|index| counting(1, index))).await;
    running.apply((0..20).map(|index| counting(1, index))).await;
    let (_, file) = build(&running).await;
    let mut reader = SnapshotReader::open(file.path()).expect("a snapshot");
    let mut records = Vec::new();
    while let Some(chunk) = reader.next_chunk().expect("sound") {
        records.extend(chunk.records);
    }
    let (head, digest) = bare_head(&records[0].2);
    records[0].2 = head;
    assert!(records.iter().all(|(table, ..)| table.ordinal() <= 3), "nothing but keys");
    running.close().await;
    (node, reader.header().clone(), records, digest)
}

/// Checks what a node makes of it, and that it goes on from there as any other.
async fn check(running: &Running) {
    let before = running.storage.reader().verify().expect("sound").summary;
    assert_eq!((before.revision, before.key_count, before.session_count), (40, 21, 0));
    assert!(before.stored_bytes > 0, "counted when it was read");
    assert_eq!(running.value("key 7").as_deref(), Some(&b"7"[..]));
    running.apply([proposal(1, 20, vec![Command::OpenSession { ttl_ms: 60_000 }]), counting(1, 21)]).await;
    running.storage.checkpoint().await.expect("checkpoint");
    let after = running.storage.reader().verify().expect("sound").summary;
    assert_eq!((after.revision, after.session_count), (42, 1));
}

#[tokio::test]
async fn a_state_of_the_first_release_is_read() {
    let (node, _, records, _) = old_records().await;
    fs::remove_dir_all(node.path().join("snapshots")).expect("remove");
    fs::create_dir(node.path().join("snapshots")).expect("create");
    write_old_state(&node.path(), &records);
    let running = node.open();
    assert!(!node.path().join("state-0").exists(), "the newer one counts");
    check(&running).await;
    let expected = running.storage.reader().verify().expect("sound");
    running.close().await;
    let running = node.open();
    assert_eq!(running.storage.reader().verify().expect("sound"), expected);
    running.close().await;
}

/// Makes `state-1` with three tables of the state machine, and what else is in `state-0`.
#[expect(unsafe_code, reason = "LMDB maps its files, which nobody else has open")]
fn write_old_state(path: &Path, records: &Records) {
    let open = |name: &str| {
        let path = path.join(name);
        fs::create_dir_all(&path).expect("create");
        let mut options = EnvOpenOptions::new();
        options.map_size(16 << 20).max_dbs(16);
        unsafe { options.open(path) }.expect("open")
    };
    let (newest, old) = (open("state-0"), open("state-1"));
    let table = |env: &Env, name: &str| -> Database<ByteSlice, ByteSlice> {
        let transaction = env.write_txn().expect("write");
        let opened = env.create_databases_and_commit(transaction, |opener, transaction| {
            let opened = opener.create_database::<ByteSlice, ByteSlice>(transaction, Some(name));
            opened.map(CommitOrAbort::<_, ()>::Commit)
        });
        opened.expect("open").commit().expect("the closure commits")
    };
    let put = |name: &str, written: Vec<(Bytes, Bytes)>| {
        let to = table(&old, name);
        let mut writing = old.write_txn().expect("write");
        for (key, value) in written {
            to.put(&mut writing, &key, &value).expect("put");
        }
        writing.commit().expect("commit");
    };
    for name in ["directory", "applied"] {
        let from = table(&newest, name);
        let reading = newest.read_txn().expect("read");
        let copied = from.iter(&reading).expect("iterate").map(|record| {
            let (key, value) = record.expect("read");
            (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value))
        });
        put(name, copied.collect());
    }
    for table in [Table::Meta, Table::KeyIndex, Table::History] {
        let of_table = records.iter().filter(|(of, ..)| *of == table);
        let records = of_table.map(|(_, key, value)| (key.clone(), value.clone()));
        put(&format!("g0.{}", table.name()), records.collect());
    }
}

/// A frame of a snapshot file.
fn frame(kind: u8, payload: &impl Encode) -> Vec<u8> {
    let payload = payload.encode();
    let mut frame = vec![kind];
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(&payload);
    frame.extend_from_slice(&crc32c::crc32c(&frame).to_le_bytes());
    frame
}

#[tokio::test]
async fn a_snapshot_of_the_first_release_is_installed() {
    let (_source, header, records, digest) = old_records().await;
    let record_bytes = records.iter().map(|(_, key, value)| (key.len() + value.len()) as u64).sum();
    let trailer = SnapshotTrailer {
        chunk_count: 1,
        record_count: records.len() as u64,
        record_bytes,
        revision: 40,
        digest,
    };
    let chunk = Chunk { number: 0, records };
    let content =
        [b"quorate\0snapshot".to_vec(), frame(1, &header), frame(2, &chunk), frame(3, &trailer)].concat();
    let target = Node::new();
    let running = target.open();
    let path = running.directory.received_path().join("old");
    fs::write(&path, content).expect("write");
    running.storage.snapshot_check().check(&path, &header.meta).expect("it is sound");
    let file = SnapshotFile::temporary(&path);
    running.storage.state_store().install_snapshot(&header.meta, file).await.expect("install");
    check(&running).await;
    running.close().await;
}
