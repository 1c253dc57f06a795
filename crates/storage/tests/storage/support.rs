//! A node's directory, entries to put into it, and an environment whose disk can be held.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use quorate_consensus::{CommittedLeaderId, Entry, GroupId, LogId, ProposalBytes, RaftTypes, Vote};
use quorate_environment::{
    Environment, Moment, TokioEnvironment, WallTime, Worker, WorkerFinished, WorkerHandle,
    worker::worker_channel,
};
use quorate_kv::{Command, Condition, Proposal};
use quorate_storage::{DataDirectory, OpenError, Storage, StorageOptions};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The types of Raft in any environment on tokio.
pub type Types = RaftTypes<<TokioEnvironment as Environment>::Runtime>;

/// A node that can be started again and again.
pub struct Node {
    pub folder: TempDir,
    pub environment: TestEnvironment,
    pub options: StorageOptions,
}

/// A running node.
pub struct Running {
    pub directory: DataDirectory,
    pub storage: Storage<TestEnvironment>,
}

impl Node {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        // Small, so that a log has several.
        let options = StorageOptions { log_segment_bytes: 16 << 10, ..StorageOptions::default() };
        Self { folder, environment: TestEnvironment::new(), options }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder is there")
    }

    pub fn try_open_directory(&self) -> Result<DataDirectory, OpenError> {
        DataDirectory::open(&self.environment, &self.path(), 1)
    }

    pub fn try_open(&self) -> Result<Running, OpenError> {
        let directory = self.try_open_directory()?;
        let storage = self.try_open_in(&directory)?;
        Ok(Running { directory, storage })
    }

    pub fn try_open_in(&self, directory: &DataDirectory) -> Result<Storage<TestEnvironment>, OpenError> {
        Storage::open(self.environment.clone(), directory, GroupId::FIRST, self.options.clone())
    }

    /// Starts the node.
    pub fn open(&self) -> Running {
        self.try_open().expect("the node opens")
    }

    /// Starts the node as soon as what was dropped has let go of the directory: workers end on their own.
    pub async fn open_after_crash(&self) -> Running {
        loop {
            match self.try_open() {
                Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
                opened => return opened.expect("the node opens"),
            }
        }
    }
}

impl Running {
    /// Appends entries and waits until they are flushed.
    pub async fn append(&self, entries: impl IntoIterator<Item = Entry>) {
        let entries: Vec<_> = entries.into_iter().collect();
        self.storage.log_store().blocking_append(entries).await.expect("append");
    }

    /// Applies entries.
    pub async fn apply(&self, entries: impl IntoIterator<Item = Entry>) {
        let entries: Vec<_> = entries.into_iter().map(|entry| Ok((entry, None))).collect();
        self.storage.state_store().apply(stream::iter(entries)).await.expect("apply");
    }

    /// Reads entries.
    pub async fn entries(&self, range: std::ops::Range<u64>) -> io::Result<Vec<Entry>> {
        let mut reader = self.storage.log_store().get_log_reader().await;
        RaftLogReader::<Types>::try_get_log_entries(&mut reader, range).await
    }

    pub async fn vote(&self) -> Option<Vote> {
        let mut reader = self.storage.log_store().get_log_reader().await;
        RaftLogReader::<Types>::read_vote(&mut reader).await.expect("read the vote")
    }

    /// What a client finds under a key.
    pub fn value(&self, key: &str) -> Option<Bytes> {
        let (found, _) = self.storage.reader().get(key.as_bytes()).expect("get");
        found.map(|found| found.value)
    }

    pub async fn close(self) {
        self.storage.close().await.expect("close");
    }
}

pub fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term), index)
}

pub fn blank(term: u64, index: u64) -> Entry {
    Entry { log_id: log_id(term, index), payload: EntryPayload::Blank }
}

pub fn put(key: &str, value: impl Into<Bytes>) -> Command {
    Command::Put { key: Bytes::from(key.to_owned()), value: value.into(), condition: Condition::Always }
}

/// A callback for an append, and whether and how it was called.
pub fn flush_callback() -> (IOFlushed<Types>, JoinHandle<io::Result<()>>) {
    let (flushed, receiver) = Types::oneshot();
    (IOFlushed::signal(flushed), tokio::spawn(async move { receiver.await.expect("the callback is called") }))
}

/// An entry with these commands.
pub fn proposal(term: u64, index: u64, commands: Vec<Command>) -> Entry {
    let proposal = Proposal { time_ms: index, commands };
    Entry { log_id: log_id(term, index), payload: EntryPayload::Normal(ProposalBytes(proposal.encode())) }
}

/// An entry that puts `index` under a key of its own and under the key "last".
pub fn counting(term: u64, index: u64) -> Entry {
    let value = index.to_string();
    proposal(term, index, vec![put(&format!("key {index}"), value.clone()), put("last", value)])
}

/// Production, but workers run as tasks and can be held before their rounds: a slow disk.
#[derive(Clone)]
pub struct TestEnvironment {
    inner: TokioEnvironment,
    held: Arc<watch::Sender<Held>>,
}

/// Which workers wait before their next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    None,
    All,
    Named(&'static str),
}

impl Held {
    fn holds(self, name: &str) -> bool {
        match self {
            Held::None => false,
            Held::All => true,
            Held::Named(held) => held == name,
        }
    }
}

impl fmt::Debug for TestEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TestEnvironment")
    }
}

impl TestEnvironment {
    fn new() -> Self {
        Self { inner: TokioEnvironment::new(), held: Arc::new(watch::Sender::new(Held::None)) }
    }

    /// Holds every worker before its next round.
    pub fn hold_disk(&self) {
        self.held.send_replace(Held::All);
    }

    /// Holds the worker of that name before its next round.
    pub fn hold_worker(&self, name: &'static str) {
        self.held.send_replace(Held::Named(name));
    }

    /// Lets the workers go on.
    pub fn release_disk(&self) {
        self.held.send_replace(Held::None);
    }
}

impl Environment for TestEnvironment {
    type Runtime = <TokioEnvironment as Environment>::Runtime;
    type Stream = <TokioEnvironment as Environment>::Stream;
    type Listener = <TokioEnvironment as Environment>::Listener;

    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn wall_now(&self) -> WallTime {
        self.inner.wall_now()
    }

    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static {
        self.inner.sleep_until(moment)
    }

    async fn listen(&self, address: &str) -> io::Result<Self::Listener> {
        self.inner.listen(address).await
    }

    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        self.inner.connect(address).await
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.fill_random(bytes);
    }

    fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.inner.spawn(name, future);
    }

    fn spawn_worker<W: Worker>(&self, name: &str, worker: W) -> (WorkerHandle<W::Job>, WorkerFinished) {
        let (handle, finished, worker_loop) = worker_channel(worker);
        let (held, name) = (self.held.clone(), name.to_owned());
        self.inner.spawn(
            "worker",
            worker_loop.run_async(move || {
                let (mut held, name) = (held.subscribe(), name.clone());
                async move {
                    held.wait_for(|held| !held.holds(&name)).await.expect("the environment keeps the sender");
                }
            }),
        );
        (handle, finished)
    }

    /// Its workers have no thread that could block.
    fn pause_round(&self, _duration: Duration) {}
}

/// Copies a data directory as it is on disk now, as if its node had crashed.
pub fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("read a directory") {
        let (from, to) = {
            let entry = entry.expect("read a directory");
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            std::fs::create_dir_all(&to).expect("create a directory");
            copy_directory(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("copy a file");
        }
    }
}

impl Node {
    /// Runs a future until it would have ended if nothing held it up: gives `None` if it still waits.
    pub async fn run_while_held<T>(&self, future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        for _ in 0..1000 {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if let std::task::Poll::Ready(output) = std::pin::Pin::new(&mut *future).poll(&mut context) {
                return Some(output);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}
