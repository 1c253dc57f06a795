//! A store in memory that fails on request.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_environment::Moment;
use quorate_http::Store;
use quorate_kv::{Command, KeyValue, Outcome, Summary};
use quorate_replica::{
    Consistency, MemberStatus, ReadAnswer, ReadError, RequestContext, Role, Status, WriteError,
};
use tokio::sync::Semaphore;

/// What the fake holds and how it behaves.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) keys: BTreeMap<Vec<u8>, KeyValue>,
    pub(crate) revision: u64,
    /// Taken, one after another, instead of outcomes.
    pub(crate) write_errors: VecDeque<WriteError>,
    /// Taken, one after another, instead of outcomes.
    pub(crate) outcomes: VecDeque<Outcome>,
    /// Taken, one after another, instead of answers.
    pub(crate) read_errors: VecDeque<ReadError>,
    /// The age that stale reads have.
    pub(crate) age: Option<Duration>,
    /// Whether the store never answers.
    pub(crate) hangs: bool,
    pub(crate) status: Status,
    pub(crate) value_bytes_max: u64,
    /// The contexts that calls came with.
    pub(crate) contexts: Vec<RequestContext>,
}

/// See the module. Clones are the same store.
#[derive(Clone, Debug)]
pub(crate) struct FakeStore {
    state: Arc<Mutex<State>>,
    /// Each write takes a permit and keeps it: with none left, writes wait.
    pub(crate) writes_admitted: Arc<Semaphore>,
    /// Each write adds one as it begins.
    pub(crate) writes_begun: Arc<Semaphore>,
}

impl FakeStore {
    pub(crate) fn new() -> Self {
        let state = State {
            keys: BTreeMap::new(),
            revision: 0,
            write_errors: VecDeque::new(),
            outcomes: VecDeque::new(),
            read_errors: VecDeque::new(),
            age: None,
            hangs: false,
            status: status(),
            value_bytes_max: 1 << 20,
            contexts: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            writes_admitted: Arc::new(Semaphore::new(1_000_000)),
            writes_begun: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }
}

impl Store for FakeStore {
    async fn write(&self, context: &RequestContext, command: Command) -> Result<Outcome, WriteError> {
        self.writes_begun.add_permits(1);
        self.writes_admitted.acquire().await.expect("is never closed").forget();
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        self.state().write(context, command)
    }

    async fn get(
        &self,
        context: &RequestContext,
        key: &[u8],
        consistency: Consistency,
    ) -> Result<ReadAnswer, ReadError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        state.contexts.push(context.clone());
        if let Some(error) = state.read_errors.pop_front() {
            return Err(error);
        }
        let age = state.age.filter(|_| consistency == Consistency::Stale);
        Ok(ReadAnswer { found: state.keys.get(key).cloned(), revision: state.revision, age })
    }

    async fn ready(&self, _deadline: Moment) -> Result<(), ReadError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        self.state().read_errors.pop_front().map_or(Ok(()), Err)
    }

    fn status(&self) -> Status {
        self.state().status.clone()
    }

    fn value_bytes_max(&self) -> u64 {
        self.state().value_bytes_max
    }
}

impl State {
    fn write(&mut self, context: &RequestContext, command: Command) -> Result<Outcome, WriteError> {
        self.contexts.push(context.clone());
        if let Some(error) = self.write_errors.pop_front() {
            return Err(error);
        }
        if let Some(outcome) = self.outcomes.pop_front() {
            return Ok(outcome);
        }
        let (Command::Put { key, condition, .. } | Command::Delete { key, condition }) = &command else {
            panic!("the server under test asks for no {command:?}");
        };
        let before = self.keys.get(&key[..]).cloned();
        let current = before.as_ref().map(|before| before.mod_revision);
        if !condition.holds(current) {
            return Ok(Outcome::ConditionFailed { current });
        }
        match command {
            Command::Put { key, value, .. } => {
                self.revision += 1;
                let revision = self.revision;
                let create_revision = before.as_ref().map_or(revision, |before| before.create_revision);
                let version = before.map_or(1, |before| before.version + 1);
                self.keys.insert(
                    key.to_vec(),
                    KeyValue { value, create_revision, mod_revision: revision, version },
                );
                Ok(Outcome::Put { revision, create_revision, version })
            }
            Command::Delete { key, .. } => match self.keys.remove(&key[..]) {
                Some(_) => {
                    self.revision += 1;
                    Ok(Outcome::Deleted { revision: self.revision })
                }
                None => Ok(Outcome::NotFound { revision: self.revision }),
            },
            other => panic!("the server under test asks for no {other:?}"),
        }
    }
}

fn status() -> Status {
    let member = |member, voter, matched_index| MemberStatus {
        node_id: NodeId::new(member, 0xabc0 + member),
        peer_address: format!("127.0.0.1:{}", 7100 + member),
        client_url: if member == 3 { String::new() } else { format!("http://127.0.0.1:{}", 7000 + member) },
        voter,
        matched_index,
    };
    Status {
        cluster_id: ClusterId([0x11; 16]),
        node_id: NodeId::new(1, 0xabc1),
        group: GroupId::FIRST,
        role: Role::Leader,
        term: 7,
        leader: Some(NodeId::new(1, 0xabc1)),
        last_log_index: 12,
        committed_index: 11,
        applied_index: 10,
        snapshot_index: 5,
        staleness: Some(Duration::from_micros(1500)),
        members: vec![member(1, true, Some(12)), member(2, true, Some(11)), member(3, false, None)],
        state: Summary {
            revision: 9,
            time_ms: 1_700_000_000_000,
            key_count: 3,
            live_bytes: 42,
            digest: 0xd1,
            ..Summary::default()
        },
        ready: true,
        has_room: true,
        work: Default::default(),
    }
}
