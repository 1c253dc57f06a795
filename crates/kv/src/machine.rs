//! The state machine itself.

mod compaction;
mod digest_marks;
mod sessions;
mod single_writes;
mod transactions;
mod writer;

use bytes::Bytes;

use crate::command::Command;
use crate::mutant::{self, Mutant};
use crate::outcome::Outcome;
use crate::proposal::Proposal;
use crate::reading::{damaged, is_table_empty};
use crate::record::head::{self, Head};
use crate::settings::{Setting, SettingChange, Settings};
use crate::tables::{Table, Tables, TablesMut};
use crate::verify::recount_stored_bytes;

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
    /// Up to which revision what compaction gave up has been swept, of the last one perhaps only a part.
    pub swept_revision: u64,
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
        let mut head = Head::decode(&record).map_err(|cause| damaged(Table::Meta, &head::KEY, cause))?;
        if head.cluster_version > Head::CLUSTER_VERSION {
            let (found, newest) = (head.cluster_version, Head::CLUSTER_VERSION);
            return Err(MachineError::ClusterVersion { found, newest });
        }
        if head::is_bare(&record) {
            // Counted, and not taken for nothing: all replicas have to go on from the same number.
            head.stored_bytes = recount_stored_bytes(tables)?;
        }
        if mutant::active(Mutant::SettingsOfConfiguration) {
            head.settings = Settings::DEFAULT;
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
            swept_revision: self.head.swept.revision,
            stored_bytes,
            session_count,
            settings,
            digest: self.head.digest(),
        }
    }

    /// The digest of the state in the tables, as whoever wrote them computed it: that of its [`Summary`], but
    /// for a state of a release that knew less, which has another digest now.
    pub fn stored_digest<T: Tables>(tables: &T) -> Result<u128, MachineError<T::Error>> {
        let Some(record) = tables.get(Table::Meta, &head::KEY)? else { return Ok(Head::EMPTY.digest()) };
        head::stored_digest(&record).map_err(|cause| damaged(Table::Meta, &head::KEY, cause))
    }

    /// The newest revision, 0 if nothing was ever written.
    pub fn revision(&self) -> u64 {
        self.head.revision
    }

    /// The number of the newest mark of a digest, 0 if there was none.
    pub fn digest_mark(&self) -> u64 {
        self.head.mark.number
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

    /// The digest over the sessions and the outcomes that they keep.
    /// [`Machine::recompute_sessions_digest`] gives the same number from the tables.
    pub fn sessions_digest(&self) -> u128 {
        self.head.sessions
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
        let decided;
        let mut commands = &proposal.commands;
        if mutant::active(Mutant::TransactionComparesApart) {
            decided = self.decide_transactions(tables, commands)?;
            commands = &decided;
        }
        for command in commands {
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
            Command::Put { key, value, condition } => self.apply_put(tables, key, value, *condition),
            Command::Delete { key, condition } => self.apply_delete(tables, key, *condition),
            Command::DeleteRange { range, keys_max } => self.apply_delete_range(tables, range, *keys_max),
            Command::Transaction(transaction) => self.apply_transaction(tables, transaction),
            Command::Compact { revision } => Ok(self.apply_compact(*revision)),
            Command::Sweep { records_max } => self.apply_sweep(tables, *records_max),
            Command::OpenSession { ttl_ms } => self.open_session(tables, *ttl_ms),
            Command::KeepSession { session } => self.keep_session(tables, *session),
            Command::CloseSession { session } => self.close_session(tables, *session),
            Command::ChangeSettings { changes } => Ok(self.change_settings(changes)),
            Command::MarkDigest => Ok(self.mark_digest()),
            Command::CheckDigest { mark, digest } => self.check_digest(*mark, *digest),
            Command::InSession(command) => self.apply_in_session(tables, command),
        }
    }

    fn change_settings(&mut self, changes: &[SettingChange]) -> Outcome {
        match self.head.settings.changed(changes) {
            Ok(settings) => {
                self.head.settings = settings;
                Outcome::SettingsChanged
            }
            Err(SettingChange { setting, value }) => Outcome::SettingOutOfBounds { setting, value },
        }
    }
}
