//! One client: one operation after the other, each recorded with its outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_api::{Consistency, ErrorCode};
use quorate_environment::{Environment, Moment};
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall};

use super::http::{Answer, Connections, NoAnswer};
use super::request::{Said, asked, read_details, said};
use super::wire;
use crate::environment::SimulatedEnvironment;
use crate::oracles::store::{Asked, Told};
use crate::oracles::{Violation, agreement::Found};
use crate::plan::dice::Dice;
use crate::plan::{ClientPlan, WorkloadPlan};
use crate::recorder::Recorder;

/// The property of every answer.
pub const ANSWERS_FIT: &str = "every answer is one that the API gives";

/// A client that gave up on a call goes on as another process, since the call may still run.
const PROCESSES_PER_CLIENT: u64 = 100_000;
/// What a client waits at least after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(40);

/// How an operation ended for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// It was answered.
    Answered(T),
    /// It certainly had no effect.
    Failed,
    /// It may have had one.
    Unknown,
}

/// A client of the store.
#[derive(Debug)]
pub struct Client {
    environment: SimulatedEnvironment,
    recorder: Arc<Recorder>,
    connections: Connections,
    number: u64,
    /// How many calls the client has given up on.
    given_up: u64,
    /// How many values it has written.
    values: u64,
    patience: Duration,
    server_timeout: Duration,
    /// What the client last saw of each key: its revision, or that it does not exist.
    seen: BTreeMap<Vec<u8>, Option<u64>>,
}

impl Client {
    /// The client with this number, which waits this long and asks servers to answer within that.
    pub fn new(
        environment: SimulatedEnvironment,
        recorder: Arc<Recorder>,
        number: u64,
        patience: Duration,
        server_timeout: Duration,
    ) -> Self {
        let connections = Connections::new(environment.clone());
        Self {
            environment,
            recorder,
            connections,
            number,
            given_up: 0,
            values: 0,
            patience,
            server_timeout,
            seen: BTreeMap::new(),
        }
    }

    /// Works as planned until told to stop.
    pub async fn work(
        mut self,
        plan: ClientPlan,
        workload: Arc<WorkloadPlan>,
        members: u64,
        mut dice: Dice,
        stop: Arc<AtomicBool>,
    ) {
        let began = self.environment.now();
        while !stop.load(Ordering::Relaxed) {
            self.rest(began, &workload).await;
            let pause = Duration::from_millis(dice.range(0..=plan.pause_ms_max));
            let member = plan.home.unwrap_or_else(|| dice.range(1..=members));
            let key = key_name(dice.range(0..=workload.keys - 1));
            let answered = match dice.weighted(&plan.mix.weights()) {
                0 => matches!(self.call(member, &key, StoreCall::Get).await, Ended::Answered(_)),
                1 => matches!(self.get_stale(member, &key).await, Ended::Answered(_)),
                6 => {
                    let read = self.call_with(member, &key, StoreCall::Get, Consistency::Lease).await;
                    matches!(read, Ended::Answered(_))
                }
                other => {
                    let call = self.write_call(other, &key, workload.value_bytes_max, &mut dice);
                    let answered = matches!(self.call(member, &key, call).await, Ended::Answered(_));
                    if answered && dice.chance(plan.read_back_percent) {
                        self.call(dice.range(1..=members), &key, StoreCall::Get).await;
                    }
                    answered
                }
            };
            let pause = if answered { pause } else { pause.max(PAUSE_AFTER_FAILURE) };
            if !pause.is_zero() {
                self.environment.sleep(pause).await;
            }
        }
    }

    /// Rests if it is time to.
    async fn rest(&self, began: Moment, workload: &WorkloadPlan) {
        let worked_ms = self.environment.now().saturating_since(began).as_millis() as u64;
        let period_ms = workload.burst_ms + workload.rest_ms;
        let in_period_ms = worked_ms % period_ms;
        if in_period_ms >= workload.burst_ms {
            self.environment.sleep(Duration::from_millis(period_ms - in_period_ms)).await;
        }
    }

    fn write_call(&mut self, choice: usize, key: &[u8], value_bytes_max: u64, dice: &mut Dice) -> StoreCall {
        let seen = self.seen.get(key).copied();
        match (choice, seen) {
            (2, _) => StoreCall::Put { value: self.next_value(value_bytes_max, dice) },
            (3, Some(Some(revision))) => {
                let expected = Expected::Revision(revision);
                StoreCall::PutIf { expected, value: self.next_value(value_bytes_max, dice) }
            }
            (3, _) => {
                StoreCall::PutIf { expected: Expected::Absent, value: self.next_value(value_bytes_max, dice) }
            }
            (5, Some(Some(revision))) => StoreCall::DeleteIf { revision },
            _ => StoreCall::Delete,
        }
    }

    /// A value that no other write of the run has.
    fn next_value(&mut self, value_bytes_max: u64, dice: &mut Dice) -> Vec<u8> {
        self.values += 1;
        let mut value = format!("{}-{}", self.number, self.values).into_bytes();
        let wanted = dice.range(0..=value_bytes_max) as usize;
        value.resize(value.len().max(wanted), b'.');
        value
    }

    /// Writes a value of its own; whether it was acknowledged.
    pub async fn put(&mut self, member: u64, key: &[u8]) -> bool {
        self.values += 1;
        let value = format!("{}-{}", self.number, self.values).into_bytes();
        matches!(self.call(member, key, StoreCall::Put { value }).await, Ended::Answered(_))
    }

    /// Reads a key linearizably.
    pub async fn get(&mut self, member: u64, key: &[u8]) -> Option<Found> {
        match self.call(member, key, StoreCall::Get).await {
            Ended::Answered(answer) => Some(found(&answer)),
            Ended::Failed | Ended::Unknown => None,
        }
    }

    fn process(&self) -> u64 {
        self.number * PROCESSES_PER_CLIENT + self.given_up
    }

    /// One linearizable operation, recorded in the history.
    pub async fn call(&mut self, member: u64, key: &[u8], call: StoreCall) -> Ended<StoreAnswer> {
        self.call_with(member, key, call, Consistency::Linearizable).await
    }

    /// The same; a read may be one under a lease.
    async fn call_with(
        &mut self,
        member: u64,
        key: &[u8],
        call: StoreCall,
        consistency: Consistency,
    ) -> Ended<StoreAnswer> {
        let recorder = self.recorder.clone();
        let operation = recorder.invoke(self.process(), key, call.clone());
        let number = self.number;
        recorder.say(
            format_args!("c{number}"),
            format_args!(
                "#{operation} asks n{member}: {} {}",
                String::from_utf8_lossy(key),
                ShortCall(&call)
            ),
        );
        let invoked_ns = recorder.now_ns();
        let exchanged = self.exchange(member, key, &call, consistency).await;
        let ended = self.interpret(member, &call, exchanged, |answer, details| {
            if let Some(details) = details {
                recorder.served(member, invoked_ns, details.revision);
            }
            answer
        });
        match &ended {
            Ended::Answered(answer) => {
                recorder.say(
                    format_args!("c{number}"),
                    format_args!("#{operation} is told: {}", ShortAnswer(answer)),
                );
                recorder.ok(operation, answer.clone());
                self.remember(key, answer);
            }
            Ended::Failed => {
                recorder.say(format_args!("c{number}"), format_args!("#{operation} failed"));
                recorder.failed(operation);
            }
            Ended::Unknown => {
                recorder.say(format_args!("c{number}"), format_args!("#{operation} has an unknown outcome"));
                recorder.unknown(operation);
                self.given_up += 1;
            }
        }
        ended
    }

    /// A read of whatever the member has.
    pub async fn get_stale(&mut self, member: u64, key: &[u8]) -> Ended<Found> {
        let recorder = self.recorder.clone();
        let number = self.number;
        recorder.say(
            format_args!("c{number}"),
            format_args!("asks n{member}: {} get stale", String::from_utf8_lossy(key)),
        );
        let invoked_ns = recorder.now_ns();
        let exchanged = self.exchange(member, key, &StoreCall::Get, Consistency::Stale).await;
        let ended = self.interpret(member, &StoreCall::Get, exchanged, |answer, details| {
            if let Some(details) = details {
                let age_ns = details.age.map(|age| age.as_nanos() as u64);
                recorder.served_stale(member, invoked_ns, age_ns, details.revision);
            }
            found(&answer)
        });
        match &ended {
            Ended::Answered(found) => {
                recorder.say(format_args!("c{number}"), format_args!("is told by n{member}: stale, {found}"));
            }
            Ended::Failed | Ended::Unknown => {
                recorder.say(format_args!("c{number}"), format_args!("is told nothing by n{member}"));
            }
        }
        ended
    }

    async fn exchange(
        &mut self,
        member: u64,
        key: &[u8],
        call: &StoreCall,
        consistency: Consistency,
    ) -> Result<Answer, NoAnswer> {
        let deadline = self.environment.now() + self.patience;
        let asked = asked(call, key, consistency);
        let request = wire::request(&asked, self.server_timeout);
        let operation = self.recorder.ask(self.number, member, asked.clone());
        let exchanged = self.connections.request(member, request, deadline).await;
        self.recorder.told(operation, self.told(member, &asked, &exchanged));
        exchanged
    }

    /// What the client is told. An answer that the API does not give is a violation.
    fn told(&self, member: u64, asked: &Asked, exchanged: &Result<Answer, NoAnswer>) -> Told {
        let answer = match exchanged {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(_)) => return Told::NotSent,
            Err(NoAnswer::Lost(_)) => return Told::Unknown,
        };
        wire::told(asked, answer).unwrap_or_else(|reason| {
            self.recorder.convict(Violation::new(ANSWERS_FIT, format!("n{member}: {reason}")));
            Told::Unknown
        })
    }

    /// What an exchange means. An answer that the API does not give is a violation.
    fn interpret<T>(
        &self,
        member: u64,
        call: &StoreCall,
        exchanged: Result<Answer, NoAnswer>,
        answered: impl FnOnce(StoreAnswer, Option<super::request::ReadDetails>) -> T,
    ) -> Ended<T> {
        let answer = match exchanged {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(_)) => return Ended::Failed,
            Err(NoAnswer::Lost(_)) => return Ended::Unknown,
        };
        let is_read = *call == StoreCall::Get;
        let understood = said(call, &answer).and_then(|said| match said {
            Said::Answer(found) if is_read => Ok(Said::Answer((found, Some(read_details(&answer)?)))),
            Said::Answer(other) => Ok(Said::Answer((other, None))),
            Said::Refused(code) => Ok(Said::Refused(code)),
            Said::Unknown => Ok(Said::Unknown),
        });
        match understood {
            Ok(Said::Answer((answer, details))) => Ended::Answered(answered(answer, details)),
            Ok(Said::Refused(code)) => {
                self.note_refusal(member, code);
                Ended::Failed
            }
            Ok(Said::Unknown) => Ended::Unknown,
            Err(reason) => {
                self.recorder.convict(Violation::new(ANSWERS_FIT, format!("n{member}: {reason}")));
                Ended::Unknown
            }
        }
    }

    fn note_refusal(&self, member: u64, code: ErrorCode) {
        let number = self.number;
        self.recorder.say(format_args!("c{number}"), format_args!("n{member} refuses: {code}"));
    }

    fn remember(&mut self, key: &[u8], answer: &StoreAnswer) {
        let seen = match answer {
            StoreAnswer::Found { revision, .. } | StoreAnswer::Written { revision } => Some(Some(*revision)),
            StoreAnswer::Absent | StoreAnswer::Deleted { .. } => Some(None),
            StoreAnswer::Mismatch => None,
        };
        match seen {
            Some(seen) => self.seen.insert(key.to_vec(), seen),
            None => self.seen.remove(key),
        };
    }
}

/// The name of a key.
pub fn key_name(number: u64) -> Vec<u8> {
    format!("k{number}").into_bytes()
}

fn found(answer: &StoreAnswer) -> Found {
    match answer {
        StoreAnswer::Found { value, revision } => Found { value: Some((value.clone(), *revision)) },
        _ => Found { value: None },
    }
}

/// A call without the padding of its value.
struct ShortCall<'a>(&'a StoreCall);

impl std::fmt::Display for ShortCall<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            StoreCall::Put { value } => write!(formatter, "put {}", Short(value)),
            StoreCall::PutIf { expected, value } => write!(formatter, "put {expected} {}", Short(value)),
            call => write!(formatter, "{call}"),
        }
    }
}

/// An answer without the padding of its value.
struct ShortAnswer<'a>(&'a StoreAnswer);

impl std::fmt::Display for ShortAnswer<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            StoreAnswer::Found { value, revision } => write!(formatter, "{} at {revision}", Short(value)),
            answer => write!(formatter, "{answer}"),
        }
    }
}

/// A value without its padding, with its length.
struct Short<'a>(&'a [u8]);

impl std::fmt::Display for Short<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.0.iter().position(|byte| *byte == b'.').unwrap_or(self.0.len());
        write!(formatter, "{} ({} bytes)", String::from_utf8_lossy(&self.0[..end]), self.0.len())
    }
}
