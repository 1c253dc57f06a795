//! The state machine itself.

use bytes::Bytes;

use crate::command::Command;
use crate::condition::Condition;
use crate::digest;
use crate::outcome::{Limit, Outcome};
use crate::proposal::Proposal;
use crate::reading::{damaged, is_key, is_table_empty, read_index};
use crate::record::Position;
use crate::record::head::{self, Head};
use crate::record::history::{Change, HistoryRecord};
use crate::record::index::{IndexRecord, LiveKey};
use crate::settings::{Setting, Settings};
use crate::tables::{Table, Tables, TablesMut};

/// The in-memory head of the state machine: everything that each proposal changes. The records
/// themselves are in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    head: Head,
}

/// The state in a few numbers. Equal states have equal summaries, and, with the certainty of a
/// 128-bit hash, the reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The newest revision, 0 if nothing was ever written.
    pub revision: u64,
    /// The state's time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Keys that exist now.
    pub key_count: u64,
    /// Bytes of the keys and values that exist now.
    pub live_bytes: u64,
    /// The oldest revision that can be read, 0 if all can.
    pub compacted_revision: u64,
    /// Bytes of all records in history and key index, as the quota counts them.
    pub stored_bytes: u64,
    /// Sessions that there are, expired ones included until they are removed.
    pub session_count: u64,
    /// The replicated settings.
    pub settings: Settings,
    /// The digest over all replicated state.
    pub digest: u128,
}

/// Why the state machine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MachineError<E> {
    /// The tables failed.
    #[error("reading or writing the state failed: {0}")]
    Tables(#[from] E),
    /// A record in the tables cannot be understood, or contradicts another one.
    #[error("a record of the state is damaged: {0}")]
    Damaged(String),
    /// The state was written by a newer build that uses what this one does not know.
    #[error("the state has cluster version {found}, this build knows versions up to {newest}")]
    ClusterVersion {
        /// The version that the state has.
        found: u32,
        /// The newest version that this build knows.
        newest: u32,
    },
    /// This replica's state is not the leader's, although the same log led to it.
    #[error(
        "the state differs from the leader's at digest mark {mark} (revision {revision}): \
         its digest is {found:032x}, the leader's {expected:032x}"
    )]
    Diverged {
        /// The number of the mark.
        mark: u64,
        /// The newest revision at the mark.
        revision: u64,
        /// The leader's digest there.
        expected: u128,
        /// This replica's digest there.
        found: u128,
    },
}

impl Machine {
    /// Loads the head from tables: empty ones, or what an earlier machine left there.
    pub fn load<T: Tables>(tables: &T) -> Result<Self, MachineError<T::Error>> {
        let Some(record) = tables.get(Table::Meta, &head::KEY)? else {
            // Records without a head are not a new store, and must not be taken for one.
            for table in Table::ALL {
                if !is_table_empty(tables, table)? {
                    return Err(MachineError::Damaged(format!("no head, but a {} record", table.name())));
                }
            }
            return Ok(Self { head: Head::EMPTY });
        };
        let head = Head::decode(&record).map_err(|cause| damaged(Table::Meta, &head::KEY, cause))?;
        if head.cluster_version > Head::CLUSTER_VERSION {
            let (found, newest) = (head.cluster_version, Head::CLUSTER_VERSION);
            return Err(MachineError::ClusterVersion { found, newest });
        }
        Ok(Self { head })
    }

    /// The state in a few numbers. Hashes some hundred bytes for it, so that applying does not have to.
    pub fn summary(&self) -> Summary {
        let Head { revision, time_ms, key_count, live_bytes, compacted, .. } = self.head;
        let Head { stored_bytes, session_count, settings, .. } = self.head;
        Summary {
            revision,
            time_ms,
            key_count,
            live_bytes,
            compacted_revision: compacted,
            stored_bytes,
            session_count,
            settings,
            digest: self.head.digest(),
        }
    }

    /// The replicated settings.
    pub fn settings(&self) -> &Settings {
        &self.head.settings
    }

    /// The longest value that a put may carry now, in bytes (a replicated setting).
    pub fn value_bytes_max(&self) -> u64 {
        self.head.settings.get(Setting::ValueBytesMax)
    }

    /// Which commands and formats the cluster may use now.
    pub fn cluster_version(&self) -> u32 {
        self.head.cluster_version
    }

    /// The digest over the keys that exist now. [`Machine::recompute_live_digest`] gives the same number
    /// from the tables.
    pub fn live_digest(&self) -> u128 {
        self.head.live
    }

    /// Applies one proposal, writing to `tables`. Gives one outcome for each command. An error leaves
    /// tables and machine in an undefined state: the caller stops the node.
    pub fn apply<T: TablesMut>(
        &mut self,
        tables: &mut T,
        proposal: &Proposal,
    ) -> Result<Vec<Outcome>, MachineError<T::Error>> {
        let before = self.head;
        self.head.time_ms = before.time_ms.max(proposal.time_ms);
        let mut outcomes = Vec::with_capacity(proposal.commands.len());
        for command in &proposal.commands {
            outcomes.push(self.apply_command(tables, command)?);
        }
        if self.head != before {
            tables.put(Table::Meta, Bytes::from_static(&head::KEY), self.head.encode())?;
        }
        Ok(outcomes)
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    fn apply_command<T: TablesMut>(
        &mut self,
        tables: &mut T,
        command: &Command,
    ) -> Result<Outcome, MachineError<T::Error>> {
        match command {
            Command::Put { key, value, condition } => self.apply_single(tables, key, Some(value), *condition),
            Command::Delete { key, condition } => self.apply_single(tables, key, None, *condition),
            _ => unimplemented!("follows with the next commit"),
        }
    }

    fn apply_single<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: &Bytes,
        value: Option<&Bytes>,
        condition: Condition,
    ) -> Result<Outcome, MachineError<T::Error>> {
        if let Some((limit, maximum)) = self.exceeded_limit(key, value) {
            return Ok(Outcome::LimitExceeded { limit, maximum });
        }
        let index = read_index(tables, key)?;
        let live = index.and_then(|index| index.live);
        let current = index.filter(|index| index.live.is_some()).map(|index| index.position.revision);
        if !condition.holds(current) {
            return Ok(Outcome::ConditionFailed { current });
        }
        let previous = index.map(|index| index.position);
        match (value, live) {
            (Some(value), live) => self.put(tables, key, value, previous, live),
            (None, None) => Ok(Outcome::NotFound { revision: self.head.revision }),
            (None, Some(live)) => self.delete(tables, key, previous, live),
        }
    }

    /// The limit that forbids a write, and its value. Limits come before conditions, so that nothing
    /// that could not be a key reaches the tables.
    fn exceeded_limit(&self, key: &[u8], value: Option<&Bytes>) -> Option<(Limit, u64)> {
        if !is_key(key) {
            return Some((Limit::KeyBytes, Command::KEY_BYTES_MAX as u64));
        }
        let is_too_long = |value: &Bytes| value.len() as u64 > self.value_bytes_max();
        value.is_some_and(is_too_long).then(|| (Limit::ValueBytes, self.value_bytes_max()))
    }

    fn put<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: &Bytes,
        value: &Bytes,
        previous: Option<Position>,
        live: Option<LiveKey>,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let position = self.next_position();
        let revision = position.revision;
        let (create_revision, version) = match live {
            Some(live) => (live.create_revision, live.version + 1),
            None => (revision, 1),
        };
        let change = Change::Put { value, create_revision, version, lease: 0 };
        self.write(tables, position, &HistoryRecord { key, previous, change }, live)?;
        Ok(Outcome::Put { revision, create_revision, version })
    }

    fn delete<T: TablesMut>(
        &mut self,
        tables: &mut T,
        key: &Bytes,
        previous: Option<Position>,
        live: LiveKey,
    ) -> Result<Outcome, MachineError<T::Error>> {
        let position = self.next_position();
        self.write(tables, position, &HistoryRecord { key, previous, change: Change::Delete }, Some(live))?;
        Ok(Outcome::Deleted { revision: position.revision })
    }

    /// Takes a revision for a write.
    fn next_position(&mut self) -> Position {
        self.head.revision += 1;
        Position { revision: self.head.revision, sub_index: 0 }
    }

    /// Writes one change to history and index, and accounts for it in the head. `replaced` is what the key
    /// was before, if it existed.
    fn write<T: TablesMut>(
        &mut self,
        tables: &mut T,
        position: Position,
        record: &HistoryRecord<'_>,
        replaced: Option<LiveKey>,
    ) -> Result<(), MachineError<T::Error>> {
        let key_bytes = record.key.len() as u64;
        if let Some(replaced) = replaced {
            let (keys, bytes) = (self.head.key_count, self.head.live_bytes);
            let contradiction = || damaged(Table::KeyIndex, record.key, "the head does not count it");
            self.head.key_count = keys.checked_sub(1).ok_or_else(contradiction)?;
            let replaced_bytes = key_bytes.saturating_add(replaced.value_bytes);
            self.head.live_bytes = bytes.checked_sub(replaced_bytes).ok_or_else(contradiction)?;
            self.head.live = self.head.live.wrapping_sub(replaced.element);
        }
        let element = digest::element(position, record);
        let index = IndexRecord::of(position, record, element);
        if let Some(live) = &index.live {
            self.head.key_count += 1;
            self.head.live_bytes += key_bytes + live.value_bytes;
            self.head.live = self.head.live.wrapping_add(live.element);
        }
        self.head.written = self.head.written.wrapping_add(element);
        let history_key = Bytes::copy_from_slice(&position.encode());
        tables.put(Table::History, history_key, record.encode(position))?;
        // A copy of the key: a slice of the proposal would keep all of it in memory as long as the key.
        let key = Bytes::copy_from_slice(record.key);
        tables.put(Table::KeyIndex, key, index.encode(record.key))?;
        Ok(())
    }
}
