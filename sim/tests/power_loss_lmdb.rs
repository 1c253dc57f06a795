//! The real LMDB on the disk that loses power.
#![cfg(madsim)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use madsim::runtime::Handle;
use madsim::time::sleep;
use quorate_environment::Environment;
use quorate_sim::environment::SimulatedEnvironment;
use quorate_sim::environment::simulation::simulate;
use quorate_sim::power_loss::{
    all_but_lock_files, arm, blown, enable, fail_sync, fail_writes, forget, operations, power_loss, unsynced,
};
use tempfile::TempDir;

/// How many of the newest entries a store keeps: the older are deleted, so that pages are reused.
const KEPT: u64 = 50;

/// A modelled directory, in memory.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").expect("there is a file system in memory");
        enable(directory.path(), all_but_lock_files);
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        forget(self.path());
    }
}

/// A store whose transactions are numbered: transaction n writes entry n.
struct Store {
    env: Env<WithoutTls>,
    entries: Database<'static, U64<BigEndian>, Bytes>,
}

/// Entry n: some are longer than a page.
fn content(number: u64) -> Vec<u8> {
    vec![number as u8; 100 + (number as usize * 37) % 7_000]
}

impl Store {
    #[expect(unsafe_code, reason = "LMDB maps a file, which nobody else changes")]
    fn open(directory: &Path, flags: EnvFlags) -> heed::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(64 << 20).max_dbs(1);
        // SAFETY: the files are only touched by LMDB while the environment is open, and the flags that
        // give up durability do not give up memory safety as long as power is not lost under the map.
        let env = unsafe { options.flags(flags).open(directory)? };
        let entries = env
            .create_databases_and_commit(env.write_txn()?, |opener, transaction| {
                opener.create_database(transaction, Some("entries")).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit();
        Ok(Self { env, entries })
    }

    fn commit(&self, number: u64) -> heed::Result<()> {
        let mut transaction = self.env.write_txn()?;
        self.entries.put(&mut transaction, &number, &content(number))?;
        if number > KEPT {
            self.entries.delete(&mut transaction, &(number - KEPT))?;
        }
        transaction.commit()
    }

    /// The number of the newest transaction, having checked that everything up to it is there.
    fn newest(&self) -> heed::Result<u64> {
        let transaction = self.env.read_txn()?;
        let mut numbers = Vec::new();
        for entry in self.entries.iter(&transaction)? {
            let (number, bytes) = entry?;
            assert_eq!(bytes, content(number), "entry {number} has changed");
            numbers.push(number);
        }
        let newest = numbers.last().copied().unwrap_or(0);
        let expected: Vec<u64> = (newest.saturating_sub(KEPT) + 1..=newest).collect();
        assert_eq!(numbers, expected, "an older transaction is missing than a newer one");
        Ok(newest)
    }
}

/// Crashes a store again and again, at most a few commits after its start, in the middle of whatever
/// it does then. Returns how many acknowledged transactions were lost.
fn lost_transactions(flags: EnvFlags, crashes: u64) -> u64 {
    let disk = Disk::new();
    // Creating a store is not a transaction: the first one begins with a store that is on the disk.
    drop(Store::open(disk.path(), EnvFlags::empty()).expect("a store can be created"));
    let (mut lost, mut torn_commits) = (0, 0);
    let mut newest = 0;
    for crash in 0..crashes {
        arm(disk.path(), crash, crash * 7 % 40, || {});
        let store = Store::open(disk.path(), flags).expect("the store opens after a loss of power");
        let found = store.newest().expect("the store can be read");
        assert!(found <= newest + 1, "transaction {found} came from nowhere");
        lost += newest.saturating_sub(found);
        newest = found;
        loop {
            store.commit(newest + 1).expect("a commit succeeds");
            if blown(disk.path()) {
                break;
            }
            newest += 1;
        }
        drop(store);
        torn_commits += u64::from(power_loss(disk.path(), crash) > 0);
    }
    assert!(newest > crashes / 2, "only {newest} transactions in {crashes} crashes");
    assert!(torn_commits > crashes / 3, "only {torn_commits} of {crashes} crashes hit unsynced pages");
    lost
}

#[test]
fn lmdb_writes_through_the_replaced_functions() {
    let disk = Disk::new();
    let before = operations();
    let store = Store::open(disk.path(), EnvFlags::NO_SYNC).expect("a store can be created");
    store.commit(1).expect("a commit succeeds");
    assert!(operations() > before, "nothing was intercepted");
    assert!(unsynced(disk.path()) > 0, "without a sync, nothing is durable");
    store.env.force_sync().expect("the store can be synced");
    assert_eq!(unsynced(disk.path()), 0, "after a sync, everything is durable");
}

#[test]
fn default_sync_loses_no_acknowledged_transaction() {
    assert_eq!(lost_transactions(EnvFlags::empty(), 1_000), 0);
}

#[test]
fn without_a_synced_meta_page_transactions_are_lost() {
    let lost = lost_transactions(EnvFlags::NO_META_SYNC, 200);
    assert!(lost > 10, "only {lost} transactions were lost: the disk loses too little");
}

/// Set in the child process of the next test.
const CHILD: &str = "QUORATE_TEST_CHILD";

/// LMDB may crash on a damaged file, so this happens in a process of its own.
#[test]
fn without_sync_the_store_is_damaged_or_transactions_are_lost() {
    if std::env::var_os(CHILD).is_some() {
        let lost = lost_transactions(EnvFlags::NO_SYNC, 200);
        return assert_eq!(lost, 0, "transactions were lost");
    }
    let executable = std::env::current_exe().expect("a running test has an executable");
    let output = Command::new(executable)
        .args(["--exact", "without_sync_the_store_is_damaged_or_transactions_are_lost", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test executable can be started");
    assert!(!output.status.success(), "200 crashes did no harm");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("only"), "the child failed without any harm done: {errors}");
}

#[test]
fn two_stores_of_one_node_lose_power_at_one_instant() {
    let disk = Disk::new();
    let (log_path, state_path) = (disk.path().join("log"), disk.path().join("state"));
    let open = |path: &PathBuf| Store::open(path, EnvFlags::empty()).expect("the store opens");
    drop((open(&log_path), open(&state_path)));
    let (mut newest, mut apart) = (0, 0);
    for crash in 0..300 {
        arm(disk.path(), crash, 20 + crash % 20, || {});
        let (log, state) = (open(&log_path), open(&state_path));
        // The log is always ahead of the state, never behind: that is what a recovery rests on.
        let found = (log.newest().expect("readable"), state.newest().expect("readable"));
        assert!((newest..=newest + 1).contains(&found.0), "{found:?} of {newest}");
        assert!(found.1 == found.0 || found.1 + 1 == found.0, "{found:?}: the state is ahead of the log");
        apart += u64::from(found.0 != found.1);
        newest = found.0;
        if found.1 < newest {
            state.commit(newest).expect("the state catches up");
        }
        while !blown(disk.path()) {
            log.commit(newest + 1).expect("a commit succeeds");
            if blown(disk.path()) {
                break;
            }
            newest += 1;
            state.commit(newest).expect("a commit succeeds");
        }
        drop((log, state));
        power_loss(disk.path(), crash);
    }
    assert!(apart > 30, "power was lost between the two stores only {apart} times");
}

#[test]
fn a_full_disk_refuses_commits_and_loses_nothing() {
    let disk = Disk::new();
    let store = Store::open(disk.path(), EnvFlags::empty()).expect("a store can be created");
    (1..=10).for_each(|number| store.commit(number).expect("a commit succeeds"));
    fail_writes(disk.path(), true);
    for _ in 0..3 {
        let error = store.commit(11).expect_err("the disk is full");
        assert!(matches!(&error, heed::Error::Io(io) if io.raw_os_error() == Some(28)), "{error:?}");
        assert_eq!(store.newest().expect("a full disk can be read"), 10);
    }
    fail_writes(disk.path(), false);
    store.commit(11).expect("there is room again");
    assert_eq!(store.newest().expect("readable"), 11);
    drop(store);
    power_loss(disk.path(), 1);
    let store = Store::open(disk.path(), EnvFlags::empty()).expect("the store opens");
    assert_eq!(store.newest().expect("readable"), 11);
}

#[test]
fn a_failed_sync_fails_the_commit_and_loses_nothing_before_it() {
    for seed in 0..50 {
        let disk = Disk::new();
        let store = Store::open(disk.path(), EnvFlags::empty()).expect("a store can be created");
        (1..=10).for_each(|number| store.commit(number).expect("a commit succeeds"));
        fail_sync(disk.path());
        let error = store.commit(11).expect_err("the sync fails");
        assert!(matches!(&error, heed::Error::Io(io) if io.raw_os_error() == Some(5)), "{error:?}");
        drop(store);
        power_loss(disk.path(), seed);
        let store = Store::open(disk.path(), EnvFlags::empty()).expect("the store opens");
        assert_eq!(store.newest().expect("readable"), 10);
    }
}

/// A node that commits as fast as its disk lets it, and tells what it has acknowledged.
async fn commit_for_ever(environment: SimulatedEnvironment, directory: PathBuf, newest: Arc<AtomicU64>) {
    let store = Store::open(&directory, EnvFlags::empty()).expect("the store opens");
    let found = store.newest().expect("the store can be read");
    let acknowledged = newest.load(Ordering::Relaxed);
    assert!((acknowledged..=acknowledged + 1).contains(&found), "{found} of {acknowledged}");
    newest.store(found, Ordering::Relaxed);
    loop {
        store.commit(newest.load(Ordering::Relaxed) + 1).expect("a commit succeeds");
        environment.sleep(Duration::from_millis(1)).await;
        newest.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn power_is_lost_inside_a_commit_of_a_simulated_node() {
    let trace = |seed| {
        simulate(seed, Duration::from_secs(3600), || async move {
            let disk = Disk::new();
            let newest = Arc::new(AtomicU64::new(0));
            let environment = SimulatedEnvironment::default();
            drop(Store::open(disk.path(), EnvFlags::empty()).expect("a store can be created"));
            let node = Handle::current()
                .create_node()
                .name("node")
                .init({
                    let (directory, newest) = (disk.path().to_path_buf(), newest.clone());
                    move || commit_for_ever(environment.clone(), directory.clone(), newest.clone())
                })
                .build();
            let trace = Arc::new(Mutex::new(Vec::new()));
            for round in 0..50 {
                sleep(Duration::from_millis(20)).await;
                let (handle, id, trace_of_loss) = (Handle::current(), node.id(), trace.clone());
                let elapsed = || madsim::time::TimeHandle::current().elapsed();
                arm(disk.path(), round, round % 30, move || {
                    trace_of_loss.lock().expect("nothing panics").push(elapsed());
                    handle.kill(id);
                });
                while !blown(disk.path()) {
                    sleep(Duration::from_millis(1)).await;
                }
                sleep(Duration::from_millis(1)).await;
                power_loss(disk.path(), round);
                Handle::current().restart(node.id());
            }
            sleep(Duration::from_millis(20)).await;
            // Files that a leaked task holds open would stay open.
            Handle::current().kill(node.id());
            sleep(Duration::from_millis(1)).await;
            let newest = newest.load(Ordering::Relaxed);
            assert!(newest > 500, "only {newest} transactions");
            (newest, Arc::into_inner(trace).map(|trace| trace.into_inner().expect("nothing panics")))
        })
    };
    let first = trace(1);
    assert_eq!(trace(1), first, "one seed, two runs");
}
