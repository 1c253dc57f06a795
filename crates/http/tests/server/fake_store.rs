//! A store in memory that fails on request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_environment::Moment;
use quorate_http::{AtRevision, Store, View};
use quorate_kv::{
    Budget, ChangesPage, Command, KeyValue, Machine, MemoryTables, Outcome, Proposal, RangePage, RangeQuery,
    Settings, Summary,
};
use quorate_replica::{
    Consistency, MemberChange, MemberError, MemberRole, MemberStatus, MemberView, MembersView, ReadAnswer,
    ReadError, RequestContext, Role, Status, TransferError, Wanted, WriteError,
};
use tokio::sync::Semaphore;

/// What the fake holds and how it behaves.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) tables: MemoryTables,
    /// The time of the next write, in milliseconds since the Unix epoch.
    pub(crate) time_ms: u64,
    /// Taken, one after another, instead of outcomes.
    pub(crate) write_errors: VecDeque<WriteError>,
    /// Taken, one after another, instead of outcomes.
    pub(crate) outcomes: VecDeque<Outcome>,
    /// Taken, one after another, instead of answers.
    pub(crate) read_errors: VecDeque<ReadError>,
    /// After so many pages the disk turns out to be damaged.
    pub(crate) pages_left: Option<usize>,
    /// Taken, one after another, instead of leaders.
    pub(crate) transfer_errors: VecDeque<TransferError>,
    /// The age that stale reads have.
    pub(crate) age: Option<Duration>,
    /// Whether the store never answers.
    pub(crate) hangs: bool,
    pub(crate) status: Status,
    pub(crate) value_bytes_max: u64,
    pub(crate) members: MembersView,
    /// Taken, one after another, instead of the members.
    pub(crate) member_errors: VecDeque<MemberError>,
    /// The changes of the members that were asked for.
    pub(crate) member_changes: Vec<MemberChange>,
    /// How fresh the reads had to be.
    pub(crate) consistencies: Vec<Consistency>,
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
            machine: Machine::load(&MemoryTables::default()).expect("memory does not fail"),
            tables: MemoryTables::default(),
            time_ms: 1_700_000_000_000,
            write_errors: VecDeque::new(),
            outcomes: VecDeque::new(),
            read_errors: VecDeque::new(),
            transfer_errors: VecDeque::new(),
            pages_left: None,
            age: None,
            hangs: false,
            status: status(),
            value_bytes_max: 1 << 20,
            members: members(),
            member_errors: VecDeque::new(),
            member_changes: Vec::new(),
            consistencies: Vec::new(),
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
        let view = self.state().view(context, consistency)?;
        let found = Machine::get(&self.state().tables, key).expect("memory does not fail");
        Ok(ReadAnswer { found, revision: view.revision, age: view.age })
    }

    async fn view(&self, context: &RequestContext, consistency: Consistency) -> Result<View, ReadError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        self.state().view(context, consistency)
    }

    fn get_at(&self, key: &[u8], revision: u64) -> AtRevision<Option<KeyValue>> {
        Ok(Machine::get_at(&self.state().tables, key, revision).expect("memory does not fail"))
    }

    fn range_page(&self, query: &RangeQuery, budget: Budget) -> AtRevision<RangePage> {
        let mut state = self.state();
        state.take_page()?;
        Ok(Machine::range(&state.tables, query, budget).expect("memory does not fail"))
    }

    fn changes_page(&self, from_revision: u64, budget: Budget) -> AtRevision<ChangesPage> {
        let mut state = self.state();
        state.take_page()?;
        Ok(Machine::changes(&state.tables, from_revision, budget).expect("memory does not fail"))
    }

    fn settings(&self) -> Result<Settings, ReadError> {
        Ok(*self.state().machine.settings())
    }

    async fn ready(&self, _deadline: Moment) -> Result<(), ReadError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        self.state().read_errors.pop_front().map_or(Ok(()), Err)
    }

    async fn transfer_leadership(
        &self,
        context: &RequestContext,
        to: Option<u64>,
    ) -> Result<u64, TransferError> {
        if self.state().hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        state.contexts.push(context.clone());
        state.transfer_errors.pop_front().map_or(Ok(to.unwrap_or(2)), Err)
    }

    fn status(&self) -> Status {
        self.state().status.clone()
    }

    fn value_bytes_max(&self) -> u64 {
        self.state().value_bytes_max
    }

    fn members(&self) -> MembersView {
        self.state().members.clone()
    }

    async fn change_members(
        &self,
        context: &RequestContext,
        change: MemberChange,
    ) -> Result<MembersView, MemberError> {
        let mut state = self.state();
        state.contexts.push(context.clone());
        state.member_changes.push(change);
        match state.member_errors.pop_front() {
            Some(error) => Err(error),
            None => Ok(state.members.clone()),
        }
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
        Ok(self.apply(command))
    }

    /// Does what the log would do.
    pub(crate) fn apply(&mut self, command: Command) -> Outcome {
        let proposal = Proposal { time_ms: self.time_ms, commands: vec![command] };
        let mut outcomes = self.machine.apply(&mut self.tables, &proposal).expect("memory does not fail");
        outcomes.pop().expect("an outcome for each command")
    }

    /// How many keys there are.
    pub(crate) fn key_count(&self) -> u64 {
        self.machine.summary().key_count
    }

    fn view(&mut self, context: &RequestContext, consistency: Consistency) -> Result<View, ReadError> {
        self.contexts.push(context.clone());
        self.consistencies.push(consistency);
        if let Some(error) = self.read_errors.pop_front() {
            return Err(error);
        }
        let age = self.age.filter(|_| consistency.is_stale());
        Ok(View { revision: self.machine.summary().revision, age })
    }

    fn take_page(&mut self) -> Result<(), ReadError> {
        match &mut self.pages_left {
            None => Ok(()),
            Some(0) => Err(ReadError::Damaged { reason: "seen on a page".to_owned() }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// Two members, and a third to take the place of the second.
fn members() -> MembersView {
    let view = |member, role, wanted| MemberView {
        member,
        node: Some(NodeId::new(member, 7)),
        peer_address: format!("10.0.0.{member}:7901"),
        client_url: format!("http://10.0.0.{member}:7801"),
        role,
        wanted,
        matched_index: Some(40),
        lag: Some(2),
        is_reachable: Some(true),
    };
    let unclaimed = MemberView {
        node: None,
        peer_address: String::new(),
        client_url: String::new(),
        matched_index: None,
        lag: None,
        is_reachable: None,
        ..view(3, MemberRole::Unclaimed, Wanted::Replacement(NodeId::new(2, 7)))
    };
    let voter = |member| view(member, MemberRole::Voter, Wanted::Voter);
    MembersView { index: 9, leader: Some(1), is_joint: false, members: vec![voter(1), voter(2), unclaimed] }
}

fn status() -> Status {
    let member = |member, voter, matched_index| MemberStatus {
        node_id: NodeId::new(member, 0xabc0 + member),
        peer_address: format!("127.0.0.1:{}", 7100 + member),
        client_url: if member == 3 { String::new() } else { format!("http://127.0.0.1:{}", 7000 + member) },
        round_trip: (member > 1).then(|| Duration::from_micros(250 * member)),
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
        failure: None,
    }
}
