//! How long ranges take: `cargo run --release -p quorate-storage --example range_speed [ROUNDS]`.
//!
//! Ten thousand keys with values of 100 bytes are written once in their order and once in a random one, and
//! then ranges of 100 keys are read, from the disk alone and with some newer changes in memory, and single
//! keys at a revision long past.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use openraft::EntryPayload;
use openraft::storage::{RaftLogStorageExt, RaftStateMachine};
use quorate_consensus::{CommittedLeaderId, Entry, GroupId, LogId, ProposalBytes};
use quorate_environment::TokioEnvironment;
use quorate_kv::{Budget, Command, Condition, KeyRange, Proposal, RangeQuery};
use quorate_storage::{DataDirectory, Storage, StorageOptions};

const KEYS: u64 = 10_000;
const RANGE_KEYS: u64 = 100;
const CHANGES: u64 = 1_000;
const ROUNDS_DEFAULT: u64 = 20_000;

fn key(number: u64) -> Bytes {
    Bytes::from(format!("key-{number:08}"))
}

fn entry(index: u64, keys: impl Iterator<Item = u64>) -> Entry {
    let value = Bytes::from(vec![b'v'; 100]);
    let put = |number| Command::Put { key: key(number), value: value.clone(), condition: Condition::Always };
    let proposal = Proposal { time_ms: index, commands: keys.map(put).collect() };
    let payload = EntryPayload::Normal(ProposalBytes(proposal.encode()));
    Entry { log_id: LogId::new(CommittedLeaderId::new(1), index), payload }
}

async fn apply(storage: &Storage<TokioEnvironment>, entry: Entry) {
    storage.log_store().blocking_append([entry.clone()]).await.expect("append");
    storage.state_store().apply(stream::iter([Ok((entry, None))])).await.expect("apply");
}

fn ranges(storage: &Storage<TokioEnvironment>, rounds: u64, what: &str) {
    let (reader, began) = (storage.reader(), Instant::now());
    let budget = Budget { records: 1_000, bytes: 1 << 20 };
    for round in 0..rounds {
        let start = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (KEYS - RANGE_KEYS);
        let range = KeyRange::new(key(start), Some(key(start + RANGE_KEYS)));
        let page = reader.range(&RangeQuery::new(range), budget).expect("read").expect("readable");
        assert_eq!(page.entries.len() as u64, RANGE_KEYS);
    }
    println!("{what}: {:.1} µs a range", began.elapsed().as_secs_f64() * 1e6 / rounds as f64);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds = std::env::args().nth(1).map_or(ROUNDS_DEFAULT, |text| text.parse().expect("a number"));
    for is_shuffled in [false, true] {
        let folder = std::env::temp_dir().join(format!("quorate-range-speed-{}", std::process::id()));
        let environment = TokioEnvironment::new();
        let directory = DataDirectory::open(&environment, &folder, 1).expect("a new directory");
        // Nothing is checkpointed but when asked for.
        let options = StorageOptions {
            checkpoint_interval: Duration::from_secs(3600),
            scrub_bytes_per_second: 0,
            ..StorageOptions::default()
        };
        let storage = Storage::open(environment, &directory, GroupId::FIRST, options).expect("a new storage");
        let place = |number: u64| if is_shuffled { number * 7_919 % KEYS } else { number };
        for index in 0..KEYS / 100 {
            apply(&storage, entry(index, (index * 100..(index + 1) * 100).map(place))).await;
        }
        storage.checkpoint().await.expect("checkpoint");
        let order = if is_shuffled { "written in a random order" } else { "written in order" };
        ranges(&storage, rounds, &format!("{order}, on the disk"));
        apply(&storage, entry(KEYS / 100, (0..100).map(|number| number * 97))).await;
        ranges(&storage, rounds, &format!("{order}, a hundred changes in memory"));
        for change in 1..=CHANGES {
            apply(&storage, entry(KEYS / 100 + change, [5].into_iter())).await;
        }
        storage.checkpoint().await.expect("checkpoint");
        let (reader, began, reads) = (storage.reader(), Instant::now(), rounds / 50);
        for _ in 0..reads {
            reader.get_at(&key(5), KEYS).expect("read").expect("readable").expect("it was there");
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / reads as f64;
        println!("{order}, a key {CHANGES} changes ago: {each:.1} µs");
        storage.close().await.expect("close");
        drop((storage, directory));
        std::fs::remove_dir_all(&folder).expect("remove the directory");
    }
}
