//! The committed log, applied once more: by the same state machine, but one command after the other, on
//! plain tables in memory, without restarts, snapshots or checkpoints, and without the bug that was put back.
//!
//! It says what each command did, and what every key was at every revision, long after compaction has
//! given that up.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use quorate_kv::{
    Budget, Command, Direction, KeyChange, KeyEntry, KeyValue, Machine, MemoryTables, Outcome, Proposal,
    RangeForm, RangeQuery, Setting,
};

use super::effect::Effect;
use crate::oracles::timeline::Timeline;

/// An entry of the log that some node has applied.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// When the first node did so.
    pub applied_ns: u64,
    /// The proposal in it; empty for an entry without one.
    pub proposal: Bytes,
}

/// What makes a request one that is recognised in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    /// A write of a session.
    InSession { session: u64, sequence: u64 },
    /// A delete of a range, which is done in pieces: the end of the range stays.
    RangeDelete { end: Option<Bytes> },
    /// Any other command, by its bytes.
    Command(Bytes),
}

impl Identity {
    pub(super) fn of(command: &Command) -> Self {
        match command {
            Command::InSession(command) => {
                let request = command.request();
                Identity::InSession { session: request.session, sequence: request.sequence }
            }
            Command::DeleteRange { range, .. } => Identity::RangeDelete { end: range.end().cloned() },
            command => Identity::Command(command.encode()),
        }
    }
}

/// A command in the log.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    /// The entry that it is in.
    pub(super) index: u64,
    /// When the first node applied it.
    pub(super) applied_ns: u64,
    /// What it did, and whether that was done before.
    pub(super) effect: Effect,
    pub(super) replayed: bool,
}

/// What the log led to.
#[derive(Debug, Default)]
pub struct Reference {
    occurrences: BTreeMap<Identity, Vec<Occurrence>>,
    /// The versions of each key, in the order of revisions; `None` is a delete.
    versions: BTreeMap<Bytes, Vec<(u64, Option<KeyValue>)>>,
    changes: Vec<KeyChange>,
    /// The newest revision at each moment, and the oldest that could be read.
    newest: Timeline,
    compacted: Timeline,
    /// The state behind each entry: its revision and digest.
    states: BTreeMap<u64, (u64, u128)>,
    /// How often the store was full and could be written to again after it had been swept.
    quota_lifted: u64,
}

/// Why a log cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReference {
    /// This entry was never seen.
    #[error("nobody was seen to apply entry {0} of the log, but later ones")]
    Missing(u64),
    /// The state machine cannot go on.
    #[error("the state machine cannot apply the log: {0}")]
    Stopped(String),
}

/// The greatest number that the first entry of a log has.
const FIRST_INDEX_MAX: u64 = 1;

/// How a store that is full gets room again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quota {
    #[default]
    NotReached,
    Reached,
    Swept,
}

impl Reference {
    /// Applies a log that begins with its first entry.
    pub fn of(log: &BTreeMap<u64, LogEntry>) -> Result<Self, NoReference> {
        let mut reference = Self::default();
        let mut tables = MemoryTables::default();
        let stopped = |error: &dyn std::fmt::Display| NoReference::Stopped(error.to_string());
        let mut machine = Machine::load(&tables).map_err(|error| stopped(&error))?;
        let mut quota = Quota::default();
        let mut applied_ns = 0;
        // The first entry is the one that forms the cluster.
        let first = log.keys().next().copied().unwrap_or(0).min(FIRST_INDEX_MAX);
        for (expected, (index, entry)) in (first..).zip(log) {
            if expected != *index {
                return Err(NoReference::Missing(expected));
            }
            // A node that lags may be the first one that is heard of an entry.
            applied_ns = entry.applied_ns.max(applied_ns);
            if !entry.proposal.is_empty() {
                let proposal = Proposal::decode(&entry.proposal).map_err(|error| stopped(&error))?;
                for command in proposal.commands {
                    let single = Proposal { time_ms: proposal.time_ms, commands: vec![command] };
                    let outcomes = machine.apply(&mut tables, &single).map_err(|error| stopped(&error))?;
                    let (command, outcome) = (&single.commands[0], &outcomes[0]);
                    reference.note_outcome(*index, applied_ns, command, outcome);
                    quota = reference.follow_quota(quota, command, outcome);
                    // At once: the next command may give these changes up.
                    reference.note_changes(&machine, &tables).map_err(NoReference::Stopped)?;
                }
            }
            let summary = machine.summary();
            reference.newest.reach(applied_ns, summary.revision);
            reference.compacted.reach(applied_ns, summary.compacted_revision);
            reference.states.insert(*index, (summary.revision, summary.digest));
        }
        Ok(reference)
    }

    fn note_outcome(&mut self, index: u64, applied_ns: u64, command: &Command, outcome: &Outcome) {
        if let Some((effect, replayed)) = Effect::of(command, outcome) {
            let occurrence = Occurrence { index, applied_ns, effect, replayed };
            self.occurrences.entry(Identity::of(command)).or_default().push(occurrence);
        }
    }

    fn follow_quota(&mut self, quota: Quota, command: &Command, outcome: &Outcome) -> Quota {
        match (quota, command, outcome) {
            (_, Command::ChangeSettings { changes }, _)
                if changes.iter().any(|change| change.setting == Setting::QuotaBytes) =>
            {
                Quota::NotReached
            }
            (Quota::NotReached, _, Outcome::LimitExceeded { limit: quorate_kv::Limit::Quota, .. }) => {
                Quota::Reached
            }
            (Quota::Reached, _, Outcome::Swept { .. }) => Quota::Swept,
            (Quota::Swept, _, Outcome::Put { .. }) => {
                self.quota_lifted += 1;
                Quota::NotReached
            }
            (quota, ..) => quota,
        }
    }

    /// Takes over what has changed since the last command.
    fn note_changes(&mut self, machine: &Machine, tables: &MemoryTables) -> Result<(), String> {
        let everything = Budget { records: u64::MAX, bytes: u64::MAX };
        let from = self.changes.last().map_or(0, |last| last.revision) + 1;
        if machine.revision() < from {
            return Ok(());
        }
        let page = Machine::changes(tables, from, everything).map_err(|error| error.to_string())?;
        for change in page.map_err(|unavailable| unavailable.to_string())?.changes {
            let version = (change.revision, change.key_value.clone());
            self.versions.entry(change.key.clone()).or_default().push(version);
            self.changes.push(change);
        }
        Ok(())
    }

    /// What the log has of a request.
    pub(super) fn occurrences(&self, identity: &Identity) -> &[Occurrence] {
        self.occurrences.get(identity).map_or(&[], |occurrences| occurrences)
    }

    pub(super) fn all_occurrences(&self) -> impl Iterator<Item = (&Identity, &Vec<Occurrence>)> {
        self.occurrences.iter()
    }

    /// The key as it was at a revision.
    pub(super) fn get(&self, key: &[u8], revision: u64) -> Option<&KeyValue> {
        let versions = self.versions.get(key)?;
        let count = versions.partition_point(|(changed, _)| *changed <= revision);
        versions[..count].last()?.1.as_ref()
    }

    /// All that a query finds at a revision, without regard to its limit.
    pub(super) fn range(&self, query: &RangeQuery, revision: u64) -> Vec<KeyEntry> {
        if query.range.is_empty() {
            return Vec::new();
        }
        let end = query.range.end().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..]));
        let keys = self.versions.range::<[u8], _>((Bound::Included(&query.range.start()[..]), end));
        let entry = |(key, _): (&Bytes, _)| {
            let found = self.get(key, revision)?;
            Some(KeyEntry {
                key: key.clone(),
                value: (query.form == RangeForm::KeysAndValues).then(|| found.value.clone()),
                create_revision: found.create_revision,
                mod_revision: found.mod_revision,
                version: found.version,
            })
        };
        let mut found: Vec<KeyEntry> = keys.filter_map(entry).collect();
        if query.direction == Direction::Descending {
            found.reverse();
        }
        found
    }

    /// The changes from one revision up to another that is not meant any more.
    pub(super) fn changes(&self, from: u64, to: u64) -> &[KeyChange] {
        let begin = self.changes.partition_point(|change| change.revision < from);
        let end = self.changes.partition_point(|change| change.revision < to);
        &self.changes[begin..end.max(begin)]
    }

    pub(super) fn all_changes(&self) -> &[KeyChange] {
        &self.changes
    }

    /// The newest revision that any node could know of at a moment.
    pub(super) fn newest_at(&self, time_ns: u64) -> u64 {
        self.newest.before(time_ns.saturating_add(1)).map_or(0, |(_, revision)| revision)
    }

    /// The oldest revision that a node could know at a moment to be left.
    pub(super) fn compacted_at(&self, time_ns: u64) -> u64 {
        self.compacted.before(time_ns.saturating_add(1)).map_or(0, |(_, revision)| revision)
    }

    /// Revision and digest behind an entry.
    pub(super) fn state(&self, index: u64) -> Option<(u64, u128)> {
        self.states.get(&index).copied()
    }

    pub(super) fn quota_lifted(&self) -> u64 {
        self.quota_lifted
    }
}
