//! Everything that is seen of a run: trace, history, what nodes are, what oracles say.
//!
//! Nodes, clients and the nemesis tell the recorder what happens; it stamps each event with the virtual
//! time and hands it to the oracles that want it. The first violation ends the run.

mod members;
mod store;
pub mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use madsim::time::TimeHandle;
use quorate_environment::Fact;
use quorate_jepsen::history::{NemesisEvent, OperationIndex};
use quorate_jepsen::store::{StoreAnswer, StoreCall, StoreHistory};
use quorate_replica::{Role, Status};

use self::members::{CHANGES, membership};
use self::trace::{Trace, TraceSink};
use crate::cluster::ROUTER;
use crate::oracles::ages::Ages;
use crate::oracles::digests::Digests;
use crate::oracles::entries::Entries;
use crate::oracles::leaders::Leaders;
use crate::oracles::members::Members;
use crate::oracles::served::Served;
use crate::oracles::store::{self as store_oracle, Coverage, LogEntry};
use crate::oracles::votes::Votes;
use crate::oracles::{Judgement, NodeName, Violation};

/// What a node said of itself when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its part.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The member that it takes for the leader.
    pub leader: Option<u64>,
    /// The last index that it has applied.
    pub applied_index: u64,
    /// The digest over its state.
    pub digest: u128,
    /// Whether it can serve linearizable requests.
    pub ready: bool,
}

impl NodeStatus {
    /// What is kept of a replica's status.
    pub fn of(status: &Status) -> Self {
        Self {
            role: status.role,
            term: status.term,
            leader: status.leader.map(|leader| leader.member),
            applied_index: status.applied_index,
            digest: status.state.digest,
            ready: status.ready,
        }
    }

    /// Whether leadership looks different from this node.
    fn differs_in_leadership(&self, other: &Self) -> bool {
        (self.role, self.term, self.leader) != (other.role, other.term, other.leader)
    }
}

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Installed {
    /// It happened.
    Yes,
    /// It could not happen, such as the kill of a dead node.
    Skipped,
    /// It happened in another way than planned.
    Indeterminate,
}

/// Everything that is seen of one run.
#[derive(Debug)]
pub struct Recorder {
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    trace: Trace,
    history: StoreHistory,
    answered: u64,
    statuses: BTreeMap<u64, NodeStatus>,
    /// Members whose power is gone: what their last instructions say does not count.
    silenced: BTreeSet<u64>,
    /// Members of another cluster than the one that is looked at.
    disregarded: BTreeSet<u64>,
    violations: Vec<Violation>,
    faults: BTreeMap<(&'static str, Installed), u64>,
    last_time_ns: u64,
    leaders: Leaders,
    votes: Votes,
    members: Members,
    entries: Entries,
    digests: Digests,
    served: Served,
    ages: Ages,
    store: store_oracle::Seen,
    coverage: Coverage,
    /// What of the changes of members was met, and how often.
    changes: Coverage,
}

/// What a run came to, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The first violation.
    pub violation: Option<Violation>,
    /// Virtual time until the last event, in nanoseconds.
    pub virtual_ns: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Operations that were answered.
    pub answered: u64,
    /// The hash over the trace.
    pub trace_hash: String,
    /// Faults that were installed, by name.
    pub faults: BTreeMap<String, u64>,
    /// Faults that were not, by name.
    pub faults_skipped: BTreeMap<String, u64>,
    /// Faults that came differently than planned, by name.
    pub faults_indeterminate: BTreeMap<String, u64>,
    /// Terms that had a leader.
    pub terms: u64,
    /// Entries that were applied.
    pub entries: u64,
    /// Indexes at which a node's state stood.
    pub stands: u64,
    /// What of the store, and of changes of members, was met, and how often.
    pub coverage: Coverage,
}

impl Recorder {
    /// A recorder that has seen nothing, whose trace goes to `sink`, of nodes whose clocks may be wrong by so
    /// many millionths.
    pub fn new(sink: Option<TraceSink>, drift_ppm_max: u64) -> Self {
        Self {
            seen: Mutex::new(Seen {
                trace: Trace::new(sink),
                history: StoreHistory::new(),
                answered: 0,
                statuses: BTreeMap::new(),
                silenced: BTreeSet::new(),
                disregarded: BTreeSet::new(),
                violations: Vec::new(),
                faults: BTreeMap::new(),
                last_time_ns: 0,
                leaders: Leaders::default(),
                votes: Votes::default(),
                members: Members::default(),
                entries: Entries::default(),
                digests: Digests::default(),
                served: Served::default(),
                ages: Ages::with_drift(drift_ppm_max),
                store: store_oracle::Seen::default(),
                coverage: Coverage::default(),
                changes: CHANGES.into_iter().map(|event| (event, 0)).collect(),
            }),
        }
    }

    /// A panic of a node ends the simulation but not the report on it.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The virtual time, in nanoseconds since the simulation began.
    pub fn now_ns(&self) -> u64 {
        TimeHandle::current().elapsed().as_nanos() as u64
    }

    /// Writes a line of the trace.
    pub fn say(&self, who: fmt::Arguments<'_>, what: fmt::Arguments<'_>) {
        let now_ns = self.now_ns();
        self.seen().say(now_ns, who, what);
    }

    /// Writes a line about a member.
    pub fn say_of(&self, member: u64, what: fmt::Arguments<'_>) {
        self.say(format_args!("n{member}"), what);
    }

    /// Something that must not be was seen.
    pub fn convict(&self, violation: Violation) {
        let now_ns = self.now_ns();
        self.seen().judge(now_ns, Err(violation));
    }

    /// Notes a violation that was found outside of the simulated time.
    pub fn convict_afterwards(&self, violation: Violation) {
        let mut seen = self.seen();
        let now_ns = seen.last_time_ns;
        seen.judge(now_ns, Err(violation));
    }

    /// Whether something that must not be has been seen.
    pub fn has_violation(&self) -> bool {
        !self.seen().violations.is_empty()
    }

    /// From now on, what `member` says does not count: its power is gone.
    pub fn silence(&self, member: u64) {
        self.seen().silenced.insert(member);
    }

    /// `member` is started: what it says counts again.
    pub fn listen_to(&self, member: u64) {
        let mut seen = self.seen();
        seen.silenced.remove(&member);
        seen.statuses.remove(&member);
    }

    /// `member` does not run any more.
    pub fn forget_status(&self, member: u64) {
        self.seen().statuses.remove(&member);
    }

    /// `member` has made `fact` true.
    pub fn fact(&self, member: u64, fact: Fact<'_>) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        if seen.is_heard(member) {
            seen.fact(now_ns, member, fact);
        }
    }

    /// `member` says how it is.
    pub fn status(&self, member: u64, status: NodeStatus) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        if !seen.is_heard(member) {
            return;
        }
        let before = seen.statuses.insert(member, status);
        if before.is_none_or(|before| before.differs_in_leadership(&status)) {
            let leader = status.leader.map_or("nobody".to_owned(), |leader| format!("n{leader}"));
            let (role, term) = (status.role.name(), status.term);
            seen.say(
                now_ns,
                format_args!("n{member}"),
                format_args!("is {role} in term {term}, led by {leader}"),
            );
        }
    }

    /// What the members that run said last.
    pub fn statuses(&self) -> BTreeMap<u64, NodeStatus> {
        self.seen().statuses.clone()
    }

    /// The member that leads, as far as can be seen: the leader of the highest term.
    pub fn leader(&self) -> Option<u64> {
        let seen = self.seen();
        let leaders = seen.statuses.iter().filter(|(_, status)| status.role == Role::Leader);
        leaders.max_by_key(|(_, status)| status.term).map(|(member, _)| *member)
    }

    /// The nemesis did, or could not do, what a fault asks for.
    pub fn fault(&self, name: &'static str, installed: Installed, details: &str) {
        let now_ns = self.now_ns();
        let outcome = match installed {
            Installed::Yes => "installed",
            Installed::Skipped => "skipped",
            Installed::Indeterminate => "indeterminate",
        };
        let mut seen = self.seen();
        *seen.faults.entry((name, installed)).or_default() += 1;
        seen.say(now_ns, format_args!("!!"), format_args!("{name} {outcome}: {details}"));
        seen.history.record_nemesis(NemesisEvent {
            process: "nemesis".to_owned(),
            function: name.to_owned(),
            value: serde_json::json!({ "outcome": outcome, "details": details }),
            time: now_ns,
        });
    }

    /// A fault ends.
    pub fn fault_ends(&self, name: &'static str, details: &str) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        seen.say(now_ns, format_args!("!!"), format_args!("{name} ends: {details}"));
        seen.history.record_nemesis(NemesisEvent {
            process: "nemesis".to_owned(),
            function: name.to_owned(),
            value: serde_json::json!({ "outcome": "ended", "details": details }),
            time: now_ns,
        });
    }

    /// A client sends a call.
    pub fn invoke(&self, process: u64, key: &[u8], call: StoreCall) -> OperationIndex {
        let now_ns = self.now_ns();
        self.seen().history.invoke(process, key, call, now_ns)
    }

    /// A call was answered.
    pub fn ok(&self, operation: OperationIndex, answer: StoreAnswer) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        if let Some(revision) = answer.revision_taken() {
            seen.ages.acknowledged(now_ns, revision);
        }
        seen.answered += 1;
        seen.history.ok(operation, answer, now_ns);
    }

    /// A call certainly had no effect.
    pub fn failed(&self, operation: OperationIndex) {
        let now_ns = self.now_ns();
        self.seen().history.failed(operation, now_ns);
    }

    /// A client does not know what became of a call.
    pub fn unknown(&self, operation: OperationIndex) {
        let now_ns = self.now_ns();
        self.seen().history.unknown(operation, now_ns);
    }

    /// A linearizable read, sent at `invoked_ns`, was answered by `member` from the state at `revision`.
    /// Its end is told to [`Recorder::ok`] as well.
    pub fn served(&self, member: u64, invoked_ns: u64, revision: u64) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        let judgement = seen.served.observe(member, invoked_ns, now_ns, revision);
        seen.judge(now_ns, judgement);
        let judgement = seen.ages.observe_linearizable(member, invoked_ns, revision);
        seen.judge(now_ns, judgement);
        let judgement = seen.members.read(member, invoked_ns);
        seen.judge(now_ns, judgement);
    }

    /// A stale read, sent at `invoked_ns`, was answered by `member` from the state at `revision`, which is
    /// `age_ns` old, if the member can say.
    pub fn served_stale(&self, member: u64, invoked_ns: u64, age_ns: Option<u64>, revision: u64) {
        self.count_answered();
        // Behind a router it may be another member each time.
        if member != ROUTER {
            self.shown_stale(member, invoked_ns, age_ns, revision);
        }
    }

    /// The same of a read that is counted elsewhere.
    pub fn shown_stale(&self, member: u64, invoked_ns: u64, age_ns: Option<u64>, revision: u64) {
        let now_ns = self.now_ns();
        let mut seen = self.seen();
        let judgement = seen.served.observe(member, invoked_ns, now_ns, revision);
        seen.judge(now_ns, judgement);
        if let Some(age_ns) = age_ns {
            let judgement = seen.ages.observe_stale(member, invoked_ns, age_ns, revision);
            seen.judge(now_ns, judgement);
        }
    }

    /// The last index that any node has applied; 0 if none has.
    pub fn last_applied(&self) -> u64 {
        self.seen().entries.last()
    }

    /// Whether the node on a machine has applied all that any node has.
    pub fn has_applied_all(&self, member: u64) -> bool {
        let seen = self.seen();
        seen.members.stands_at(member) == Some(seen.entries.last())
    }

    /// How many operations have been answered.
    pub fn answered(&self) -> u64 {
        self.seen().answered
    }

    /// The history so far.
    pub fn history(&self) -> StoreHistory {
        self.seen().history.clone()
    }

    /// What the run came to.
    pub fn summary(&self) -> Summary {
        let seen = self.seen();
        let faults = |wanted: Installed| {
            let of_kind = seen.faults.iter().filter(|((_, installed), _)| *installed == wanted);
            of_kind.map(|((name, _), count)| ((*name).to_owned(), *count)).collect()
        };
        Summary {
            violation: seen.violations.first().cloned(),
            virtual_ns: seen.last_time_ns,
            operations: seen.store.operations.len() as u64,
            answered: seen.answered,
            trace_hash: seen.trace.hash(),
            faults: faults(Installed::Yes),
            faults_skipped: faults(Installed::Skipped),
            faults_indeterminate: faults(Installed::Indeterminate),
            terms: seen.leaders.terms(),
            entries: seen.entries.count(),
            stands: seen.digests.count(),
            coverage: seen
                .coverage
                .iter()
                .chain(&seen.changes)
                .map(|(event, times)| (*event, *times))
                .collect(),
        }
    }

    /// Brings out the rest of the trace.
    pub fn finish_trace(&self) -> std::io::Result<()> {
        self.seen().trace.finish()
    }
}

impl Seen {
    /// Whether what a member says counts.
    fn is_heard(&self, member: u64) -> bool {
        !self.silenced.contains(&member) && !self.disregarded.contains(&member)
    }

    fn say(&mut self, now_ns: u64, who: fmt::Arguments<'_>, what: fmt::Arguments<'_>) {
        self.last_time_ns = self.last_time_ns.max(now_ns);
        self.trace.say(now_ns, who, what);
    }

    fn judge(&mut self, now_ns: u64, judgement: Judgement) {
        if let Err(violation) = judgement {
            self.say(now_ns, format_args!("??"), format_args!("VIOLATION of {violation}"));
            self.violations.push(violation);
        }
    }

    fn fact(&mut self, now_ns: u64, member: u64, fact: Fact<'_>) {
        let who = format_args!("n{member}");
        match fact {
            Fact::Opened { member, incarnation } => {
                let node = NodeName { member, incarnation };
                self.say(now_ns, who, format_args!("is {node}"));
                let judgement = self.members.opened(node);
                self.judge(now_ns, judgement);
            }
            Fact::Members { term, index, voters, nodes, .. } => {
                let membership = membership(term, voters, nodes);
                self.say(now_ns, who, format_args!("goes by the members of {index}: {membership}"));
                let entry_term = self.entries.term(index);
                let judgement = self.members.show(now_ns, member, index, membership, entry_term);
                self.judge(now_ns, judgement);
            }
            Fact::Voted { term, candidate, leads, .. } => {
                let candidate = NodeName { member: candidate.0, incarnation: candidate.1 };
                self.members.voted(member, term, candidate, leads);
                let what = if leads { "accepts leader" } else { "votes for" };
                self.say(now_ns, who, format_args!("{what} {candidate} of term {term}"));
                let voter = self.members.on(member);
                let judgement = self.votes.observe(voter, term, candidate, leads);
                self.judge(now_ns, judgement);
                if leads {
                    let judgement = self.leaders.observe(member, term, candidate);
                    self.judge(now_ns, judgement);
                }
            }
            Fact::Applied { term, index, proposal, .. } => {
                let bytes = proposal.len();
                self.say(now_ns, who, format_args!("applies {index} of term {term}, {bytes} bytes"));
                self.store.log.entry(index).or_insert_with(|| LogEntry {
                    applied_ns: now_ns,
                    proposal: Bytes::copy_from_slice(proposal),
                });
                let judgement = self.entries.observe(member, index, term, proposal);
                self.judge(now_ns, judgement);
                let judgement = self.members.applied(index, term);
                self.judge(now_ns, judgement);
            }
            Fact::Stands { term, index, revision, digest, .. } => {
                self.say(
                    now_ns,
                    who,
                    format_args!(
                        "stands at {index} of term {term}, revision {revision}, digest {digest:032x}"
                    ),
                );
                self.members.stands(member, index);
                self.store.states.entry(index).or_insert((revision, digest));
                let judgement = self.digests.observe(member, index, term, revision, digest);
                self.judge(now_ns, judgement);
            }
        }
    }
}
