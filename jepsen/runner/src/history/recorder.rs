//! Where clients say what they do.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_jepsen::event::{Event, EventKind, Process, Value};
use quorate_jepsen::jsonl::write_json_event;

use super::{Conviction, Histories, Outcome, Revealed, Sample, Snapshot, WorkloadHistory};
use crate::property::Property;
use crate::run_clock::RunClock;
use crate::workload::WorkloadName;

/// What all clients write to. Moments are taken while it is held, so events stand in the order of time.
#[derive(Debug)]
pub struct Recorder {
    clock: RunClock,
    histories: Mutex<Histories>,
}

/// What a client asks for, as the history says it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub function: &'static str,
    /// The key, if the function has one.
    pub key: Option<String>,
    /// What it carries.
    pub value: Value<'static>,
    /// What a conditional write demands.
    pub expected: Option<Value<'static>>,
}

/// An operation that has begun. One that is never completed stays unknown.
#[derive(Debug)]
#[must_use]
pub struct Operation {
    workload: WorkloadName,
    process: u64,
    function: &'static str,
    key: Option<String>,
    /// When it began, in nanoseconds of the run.
    pub began: u64,
}

/// What a history says about an operation that has ended.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// What was answered; nil if nothing was.
    pub value: Option<Value<'static>>,
    /// The revision that was answered.
    pub revision: Option<u64>,
    /// Whether a delete found something.
    pub existed: Option<bool>,
    /// Why it failed, or is unknown.
    pub error: Option<String>,
}

impl Recorder {
    /// A recorder of these workloads.
    pub fn new(clock: RunClock, workloads: &[WorkloadName]) -> Self {
        let history = |workload: &WorkloadName| WorkloadHistory {
            workload: *workload,
            lines: Vec::new(),
            snapshots: Vec::new(),
        };
        let workloads = workloads.iter().map(history).collect();
        Self { clock, histories: Mutex::new(Histories { workloads, ..Histories::default() }) }
    }

    /// The time, in nanoseconds of the run.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, Histories> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `process` asks for something.
    pub fn invoke(&self, workload: WorkloadName, process: u64, call: Call) -> Operation {
        let Call { function, key, value, expected } = call;
        let mut event = Event::new(EventKind::Invoke, Process::Client(process), function);
        event.key = key.clone().map(text);
        event.value = value;
        event.expected = expected;
        let mut histories = self.lock();
        let began = self.clock.now();
        event.time = Some(began);
        histories.of(workload).lines.push((began, line(&event)));
        Operation { workload, process, function, key, began }
    }

    /// An operation has ended; gives when, in nanoseconds of the run.
    pub fn complete(&self, operation: Operation, outcome: Outcome, completion: Completion) -> u64 {
        let kind = match outcome {
            Outcome::Ok => EventKind::Ok,
            Outcome::Failed => EventKind::Fail,
            Outcome::Unknown => EventKind::Info,
        };
        let mut event = Event::new(kind, Process::Client(operation.process), operation.function);
        event.key = operation.key.map(text);
        event.value = completion.value.unwrap_or(Value::Nil);
        event.revision = completion.revision;
        event.existed = completion.existed;
        event.error = completion.error.map_or(Value::Nil, text);
        let mut histories = self.lock();
        let ended = self.clock.now();
        event.time = Some(ended);
        histories.of(operation.workload).lines.push((ended, line(&event)));
        ended
    }

    /// A request was sent, and answered or given up.
    pub fn sample(&self, sample: Sample) {
        self.lock().samples.push(sample);
    }

    /// An answer told a revision.
    pub fn reveal(&self, revealed: Revealed) {
        self.lock().revealed.push(revealed);
    }

    /// A read found something that the checker does not judge.
    pub fn snapshot(&self, workload: WorkloadName, snapshot: Snapshot) {
        self.lock().of(workload).snapshots.push(snapshot);
    }

    /// An answer was none that the API gives, or broke a rule that a client can see at once.
    pub fn convict(&self, property: Property, what: String) {
        let mut histories = self.lock();
        let when = self.clock.now();
        histories.convictions.push(Conviction { when, property, what });
    }

    /// How many requests have ended so far: all, and those that were answered.
    pub fn counts(&self) -> (usize, usize) {
        let histories = self.lock();
        let answered = histories.samples.iter().filter(|sample| sample.outcome == Outcome::Ok).count();
        (histories.samples.len(), answered)
    }

    /// Takes all that was recorded.
    pub fn take(&self) -> Histories {
        std::mem::take(&mut *self.lock())
    }
}

impl Histories {
    fn of(&mut self, workload: WorkloadName) -> &mut WorkloadHistory {
        let found = self.workloads.iter_mut().find(|history| history.workload == workload);
        found.expect("a recorder is made for all workloads that run")
    }
}

fn text(text: String) -> Value<'static> {
    Value::Text(Cow::Owned(text.into_bytes()))
}

fn line(event: &Event<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(160);
    write_json_event(event, &mut line).expect("an event is valid JSON, and memory takes all");
    line
}
