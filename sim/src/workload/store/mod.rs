//! The clients that do more than write and read single keys: one file for each kind of work.
//!
//! They check nothing: what they ask and what they are told is recorded, and [`crate::oracles::store`]
//! judges it when the run is over.

mod bank;
mod keeper;
mod lists;
mod past;
mod quota;
mod ranges;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, SettingChange, Settings, Transaction};

use super::client::ANSWERS_FIT;
use super::http::{Connections, NoAnswer};
use super::wire;
use crate::environment::SimulatedEnvironment;
use crate::oracles::Violation;
use crate::oracles::store::{Asked, Effect, Told};
use crate::plan::dice::Dice;
use crate::plan::{Job, StoreClientPlan};
use crate::recorder::Recorder;

/// What a client waits at least after a request that had no effect.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(40);

/// When clients end.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    /// All of them.
    pub(super) stop: Arc<AtomicBool>,
    /// Those whose work keeps others from theirs: the faults are over, and service is demanded.
    pub(super) calm: Arc<AtomicBool>,
}

/// A client of the whole store.
#[derive(Debug)]
pub struct StoreClient {
    environment: SimulatedEnvironment,
    recorder: Arc<Recorder>,
    connections: Connections,
    /// For requests that are sent twice.
    other_connections: Connections,
    number: u64,
    members: u64,
    plan: StoreClientPlan,
    dice: Dice,
    signals: Signals,
    /// How many values the client has made.
    values: u64,
}

impl StoreClient {
    /// The client with this number, which works as planned.
    pub(super) fn new(
        environment: SimulatedEnvironment,
        recorder: Arc<Recorder>,
        number: u64,
        members: u64,
        plan: StoreClientPlan,
        dice: Dice,
        signals: Signals,
    ) -> Self {
        Self {
            connections: Connections::new(environment.clone()),
            other_connections: Connections::new(environment.clone()),
            environment,
            recorder,
            number,
            members,
            plan,
            dice,
            signals,
            values: 0,
        }
    }

    /// A client that looks after the store from outside of the plan.
    pub fn probe(
        environment: SimulatedEnvironment,
        recorder: Arc<Recorder>,
        number: u64,
        members: u64,
        patience_ms: u64,
    ) -> Self {
        let plan = StoreClientPlan {
            home: None,
            patience_ms,
            server_timeout_ms: patience_ms,
            pause_ms_max: 0,
            job: Job::Past { old_percent: 0 },
        };
        let dice = Dice::new(0, number);
        Self::new(environment, recorder, number, members, plan, dice, Signals::default())
    }

    /// Works until told to stop.
    pub(super) async fn work(mut self) {
        match self.plan.job.clone() {
            Job::Lists { keys, step_ms } => self.work_on_lists(keys, step_ms).await,
            Job::Bank { accounts, step_ms } => self.work_in_bank(accounts, step_ms).await,
            Job::Ranges { keys, page_keys_max } => self.work_on_ranges(keys, page_keys_max).await,
            Job::Sessions { keys, ttl_ms, twice_percent } => {
                self.work_in_sessions(keys, ttl_ms, twice_percent).await;
            }
            Job::Past { old_percent } => self.work_in_past(old_percent).await,
            Job::Keeper { compact_percent, settings } => self.keep_store(compact_percent, settings).await,
            Job::Quota { bytes, value_bytes } => self.fill_store(bytes, value_bytes).await,
        }
    }

    /// Whether to go on, after a pause.
    async fn goes_on(&mut self) -> bool {
        let pause = Duration::from_millis(self.dice.range(0..=self.plan.pause_ms_max));
        self.environment.sleep(pause).await;
        !self.is_stopped()
    }

    /// Waits for the next moment at which the clients with this step act together.
    async fn keep_step(&self, step_ms: u64) {
        let now_ms = self.recorder.now_ns() / 1_000_000;
        if let Some(passed_ms) = now_ms.checked_rem(step_ms) {
            self.environment.sleep(Duration::from_millis(step_ms - passed_ms)).await;
        }
    }

    fn is_stopped(&self) -> bool {
        self.signals.stop.load(Ordering::Relaxed)
    }

    fn is_calm(&self) -> bool {
        self.signals.calm.load(Ordering::Relaxed) || self.is_stopped()
    }

    fn any_member(&mut self) -> u64 {
        self.dice.range(1..=self.members)
    }

    fn deadline(&self) -> Moment {
        self.environment.now() + Duration::from_millis(self.plan.patience_ms)
    }

    fn server_timeout(&self) -> Duration {
        Duration::from_millis(self.plan.server_timeout_ms)
    }

    /// A text that no other client makes, nor this one again.
    fn unique(&mut self) -> String {
        self.values += 1;
        format!("{}-{}", self.number, self.values)
    }

    fn unique_value(&mut self) -> Bytes {
        Bytes::from(self.unique())
    }

    /// Asks the member that the client speaks to, or any.
    async fn ask(&mut self, asked: Asked) -> Told {
        let member = match self.plan.home {
            Some(home) => home,
            None => self.any_member(),
        };
        self.ask_member(member, asked).await
    }

    /// Asks a member.
    pub(super) async fn ask_member(&mut self, member: u64, asked: Asked) -> Told {
        let (deadline, timeout) = (self.deadline(), self.server_timeout());
        let (number, recorder) = (self.number, self.recorder.clone());
        let request = Request { recorder: &recorder, number, member, asked, deadline, timeout };
        let told = request.run(&mut self.connections).await;
        if !told.is_answer() {
            self.environment.sleep(PAUSE_AFTER_FAILURE).await;
        }
        told
    }

    /// Sends a request to two members at once, as a proxy might that has no patience.
    async fn ask_two(&mut self, members: (u64, u64), asked: Asked) -> (Told, Told) {
        let (deadline, timeout) = (self.deadline(), self.server_timeout());
        let (number, recorder) = (self.number, self.recorder.clone());
        let request = |member| {
            let asked = asked.clone();
            Request { recorder: &recorder, number, member, asked, deadline, timeout }
        };
        let (one, other) = (request(members.0), request(members.1));
        tokio::join!(one.run(&mut self.connections), other.run(&mut self.other_connections))
    }

    async fn write(&mut self, command: Command) -> Told {
        self.ask(Asked::Write { command, session: None }).await
    }

    async fn transact(&mut self, transaction: Transaction) -> Told {
        self.write(Command::Transaction(transaction)).await
    }

    /// Gives settings the values that they have in a new store; whether that was acknowledged.
    pub async fn restore_settings(&mut self, member: u64) -> bool {
        let changes: Vec<SettingChange> = Settings::DEFAULT.all().collect();
        let asked = Asked::Write { command: Command::ChangeSettings { changes }, session: None };
        let told = self.ask_member(member, asked).await;
        matches!(told, Told::Wrote { effect: Effect::SettingsChanged, .. })
    }
}

/// One request of one client to one member.
struct Request<'run> {
    recorder: &'run Recorder,
    number: u64,
    member: u64,
    asked: Asked,
    deadline: Moment,
    timeout: Duration,
}

impl Request<'_> {
    async fn run(self, connections: &mut Connections) -> Told {
        let Self { recorder, number, member, asked, deadline, timeout } = self;
        let operation = recorder.ask(number, member, asked.clone());
        recorder.say(format_args!("c{number}"), format_args!("+{operation} asks n{member}: {asked}"));
        let invoked_ns = recorder.now_ns();
        let exchanged = connections.request(member, wire::request(&asked, timeout), deadline).await;
        let told = match &exchanged {
            Ok(answer) => wire::told(&asked, answer).unwrap_or_else(|reason| {
                recorder.convict(Violation::new(ANSWERS_FIT, format!("n{member}: {reason}")));
                Told::Unknown
            }),
            Err(NoAnswer::NotSent(_)) => Told::NotSent,
            Err(NoAnswer::Lost(_)) => Told::Unknown,
        };
        recorder.say(format_args!("c{number}"), format_args!("+{operation} is told: {told}"));
        if told.is_answer() {
            recorder.count_answered();
        }
        if let (Some(revision), Ok(answer)) = (told.revision(), &exchanged) {
            observe_read(recorder, member, invoked_ns, &asked, revision, answer);
        }
        recorder.told(operation, told.clone());
        told
    }
}

/// Tells the oracles that watch while the run goes on which revision a member has shown as its newest.
fn observe_read(
    recorder: &Recorder,
    member: u64,
    invoked_ns: u64,
    asked: &Asked,
    revision: u64,
    answer: &super::http::Answer,
) {
    if matches!(asked, Asked::Write { .. }) || asked.past_revision().is_some() {
        return;
    }
    if asked.is_stale() {
        let age_ns = wire::age(answer).map(|age| age.as_nanos() as u64);
        recorder.shown_stale(member, invoked_ns, age_ns, revision);
    } else {
        recorder.served(member, invoked_ns, revision);
    }
}
