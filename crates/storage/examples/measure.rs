//! What one node's storage can do, without network and consensus:
//! `cargo run --release -p quorate-storage --example measure [DIRECTORY [CHECKPOINT_MILLISECONDS]]`.
//!
//! Proposals of 64 puts of 256-byte values go through log and state as they do on a leader: appended,
//! flushed, applied, with some of them in flight at once. Then a million small keys are written and the
//! directory is opened again, and ranges of them are read.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use quorate_consensus::{CommittedLeaderId, Entry, GroupId, LogId, ProposalBytes, RaftTypes};
use quorate_environment::{Environment, TokioEnvironment};
use quorate_kv::{Budget, Command, Condition, KeyRange, Proposal, RangeQuery};
use quorate_storage::{DataDirectory, Storage, StorageOptions};

type Types = RaftTypes<<TokioEnvironment as Environment>::Runtime>;

const COMMANDS: u64 = 64;
const PROPOSALS: u64 = 4_000;
const FLUSHES: u64 = 1_000;
const KEYS: u64 = 1_000_000;
const RANGES: u64 = 50_000;
const RANGE_KEYS: u64 = 100;

fn entry(index: u64, commands: Vec<Command>) -> Entry {
    let proposal = Proposal { time_ms: index, commands };
    let payload = EntryPayload::Normal(ProposalBytes(proposal.encode()));
    Entry { log_id: LogId::new(CommittedLeaderId::new(1), index), payload }
}

/// Puts to keys spread over a million, with values of some length.
fn puts(first: u64, count: u64, value_bytes: usize, spread: bool) -> Vec<Command> {
    let value = Bytes::from(vec![b'v'; value_bytes]);
    let key = |number: u64| if spread { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS } else { number };
    let put = |number| Command::Put {
        key: Bytes::from(format!("key-{:08}", key(number))),
        value: value.clone(),
        condition: Condition::Always,
    };
    (first..first + count).map(put).collect()
}

async fn apply(storage: &Storage<TokioEnvironment>, entry: Entry) {
    storage.state_store().apply(stream::iter([Ok((entry, None))])).await.expect("apply");
}

fn open(path: &Path) -> (DataDirectory, Storage<TokioEnvironment>) {
    let environment = TokioEnvironment::new();
    let directory = DataDirectory::open(&environment, path, 1).expect("open the directory");
    let mut options = StorageOptions::default();
    if let Some(milliseconds) = std::env::args().nth(2) {
        let milliseconds = milliseconds.parse().expect("a number of milliseconds");
        options.checkpoint_interval = std::time::Duration::from_millis(milliseconds);
    }
    let storage = Storage::open(environment, &directory, GroupId::FIRST, options).expect("open the storage");
    (directory, storage)
}

/// Puts as fast as they go with so many proposals in flight.
async fn measure_puts(storage: &Storage<TokioEnvironment>, first: u64, in_flight_max: usize) {
    let mut log = storage.log_store();
    let before = storage.status();
    let started = Instant::now();
    let mut in_flight = VecDeque::new();
    for index in first..first + PROPOSALS {
        let entry = entry(index, puts(index * COMMANDS, COMMANDS, 256, true));
        let (flushed, receiver) = Types::oneshot();
        log.append([entry.clone()], IOFlushed::<Types>::signal(flushed)).await.expect("append");
        in_flight.push_back((entry, receiver));
        if in_flight.len() == in_flight_max {
            let (entry, receiver) = in_flight.pop_front().expect("something is in flight");
            receiver.await.expect("told").expect("flushed");
            log.save_committed(Some(entry.log_id)).await.expect("save");
            apply(storage, entry).await;
        }
    }
    for (entry, receiver) in in_flight {
        receiver.await.expect("told").expect("flushed");
        apply(storage, entry).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = storage.status();
    let flushes = after.flush_count - before.flush_count;
    let flush = (after.flush_total - before.flush_total) / flushes as u32;
    println!(
        "{in_flight_max:>3} proposals in flight: {:>8.0} puts/s, {:>6.0} entries/s, {flushes} flushes of {flush:?}",
        (PROPOSALS * COMMANDS) as f64 / seconds,
        PROPOSALS as f64 / seconds,
    );
}

/// Flushes of one entry each, one after the other: what a single client waits for.
async fn measure_flushes(storage: &Storage<TokioEnvironment>, first: u64, value_bytes: usize) {
    let mut log = storage.log_store();
    let before = storage.status();
    let started = Instant::now();
    for index in first..first + FLUSHES {
        let (flushed, receiver) = Types::oneshot();
        let entry = entry(index, puts(index, 1, value_bytes, true));
        log.append([entry], IOFlushed::<Types>::signal(flushed)).await.expect("append");
        receiver.await.expect("told").expect("flushed");
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = storage.status();
    let flush = (after.flush_total - before.flush_total) / (after.flush_count - before.flush_count) as u32;
    println!("one entry of {value_bytes:>5} bytes: {:>6.0} flushes/s of {flush:?}", FLUSHES as f64 / seconds);
}

/// Ranges of a hundred keys with their values, from anywhere in a million, all on disk.
fn measure_ranges(storage: &Storage<TokioEnvironment>) {
    let reader = storage.reader();
    let budget = Budget { records: 512, bytes: 64 << 10 };
    let started = Instant::now();
    for number in 0..RANGES {
        let start = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (KEYS - RANGE_KEYS);
        let range = KeyRange::new(Bytes::from(format!("key-{start:08}")), None);
        let query = RangeQuery { limit: Some(RANGE_KEYS), ..RangeQuery::new(range) };
        let page = reader.range(&query, budget).expect("read").expect("the newest revision");
        assert_eq!(page.count, RANGE_KEYS);
    }
    let rate = RANGES as f64 / started.elapsed().as_secs_f64();
    println!("ranges of {RANGE_KEYS} keys: {rate:.0} a second, one after another");
}

async fn measure_open(path: &Path) {
    let (_directory, storage) = open(path);
    let started = Instant::now();
    for index in 0..KEYS / 1000 {
        apply(&storage, entry(index, puts(index * 1000, 1000, 16, false))).await;
    }
    storage.checkpoint().await.expect("checkpoint");
    println!("{KEYS} keys applied and checkpointed in {:.2?}", started.elapsed());
    let started = Instant::now();
    let mut builder = storage.state_store().get_snapshot_builder().await;
    let built = builder.build_snapshot().await.expect("build");
    let bytes = std::fs::metadata(built.snapshot.path()).expect("metadata").len();
    println!("snapshot of {} MiB written in {:.2?}", bytes >> 20, started.elapsed());
    storage.close().await.expect("close");
    drop(_directory);

    let started = Instant::now();
    let (_directory, storage) = open(path);
    let (found, revision) = storage.reader().get(b"key-00500000").expect("get");
    println!("opened at revision {revision} and read a key in {:.2?}", started.elapsed());
    assert!(found.is_some());

    measure_ranges(&storage);

    let other = tempfile::tempdir_in(path.parent().expect("a parent")).expect("a temporary directory");
    let (_other_directory, target) = open(&other.path().join("node"));
    let started = Instant::now();
    target.state_store().install_snapshot(&built.meta, built.snapshot).await.expect("install");
    println!("installed elsewhere in {:.2?}", started.elapsed());
    target.close().await.expect("close");
    storage.close().await.expect("close");
}

#[tokio::main]
async fn main() {
    let place = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(place).expect("a temporary directory");
    let (directory, storage) = open(&folder.path().join("flushes"));
    for (round, value_bytes) in [300, 20_000].into_iter().enumerate() {
        measure_flushes(&storage, round as u64 * FLUSHES, value_bytes).await;
    }
    storage.close().await.expect("close");
    drop(directory);
    let (directory, storage) = open(&folder.path().join("puts"));
    for (round, in_flight_max) in [1, 3, 16].into_iter().enumerate() {
        measure_puts(&storage, round as u64 * PROPOSALS, in_flight_max).await;
    }
    storage.close().await.expect("close");
    drop(directory);
    measure_open(&folder.path().join("keys")).await;
}
