//! Reading the state.

use std::sync::Arc;

use quorate_consensus::LogId;
use quorate_kv::{
    Budget, ChangesPage, KeyValue, Machine, MachineError, RangePage, RangeQuery, Settings, Summary,
    UnavailableRevision,
};

use super::applied_state::{State, StateCore, machine_failure};
use super::overlay::OverlayView;
use super::tables::TablesError;
use crate::failure::FailureSignal;

const READING: &str = "reading the state";

/// Reads the state of this replica, as of the last entry that it applied. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StateReader {
    core: Arc<StateCore>,
    failure: Arc<FailureSignal>,
}

/// Which moment a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The last entry that was applied, or `None` if none was.
    pub log_id: Option<LogId>,
    /// The state then, in a few numbers.
    pub summary: Summary,
}

/// Why the state could not be read. Local: the node stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The storage is closed: the node is stopping.
    #[error("the storage is closed")]
    Closed,
    /// A record is damaged, or the state is not the leader's. From then on nothing of it is read.
    #[error("{reason}")]
    Damaged {
        /// What was found, and what to do.
        reason: String,
    },
    /// The disk failed.
    #[error("{reason}")]
    Failed {
        /// What was found.
        reason: String,
    },
}

/// What a read at a revision found, or why there is none to be read.
pub type AtRevision<T> = Result<Result<T, UnavailableRevision>, ReadError>;

impl StateReader {
    pub(crate) fn new(core: Arc<StateCore>, failure: Arc<FailureSignal>) -> Self {
        Self { core, failure }
    }

    /// The newest version of `key`, and the revision of the store that this reflects.
    pub fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, u64), ReadError> {
        self.look(|state, tables| Ok((Machine::get(tables, key)?, state.machine.revision())))
    }

    /// The version of `key` that was the newest one at `revision`.
    pub fn get_at(&self, key: &[u8], revision: u64) -> AtRevision<Option<KeyValue>> {
        self.look(|_, tables| Machine::get_at(tables, key, revision))
    }

    /// A page of a range. Nothing is held between pages: the query for the rest pins the revision.
    pub fn range(&self, query: &RangeQuery, budget: Budget) -> AtRevision<RangePage> {
        self.look(|_, tables| Machine::range(tables, query, budget))
    }

    /// A page of the history.
    pub fn changes(&self, from_revision: u64, budget: Budget) -> AtRevision<ChangesPage> {
        self.look(|_, tables| Machine::changes(tables, from_revision, budget))
    }

    /// The newest revision, 0 if nothing was ever written.
    pub fn revision(&self) -> Result<u64, ReadError> {
        self.state(|state| state.machine.revision())
    }

    /// The number of the newest mark of a digest, 0 if there was none.
    pub fn digest_mark(&self) -> Result<u64, ReadError> {
        self.state(|state| state.machine.digest_mark())
    }

    /// The replicated settings.
    pub fn settings(&self) -> Result<Settings, ReadError> {
        self.state(|state| *state.machine.settings())
    }

    /// The moment that the state is of. Hashes some hundred bytes for the digest: reads have no need of it.
    pub fn applied(&self) -> Result<Applied, ReadError> {
        self.state(Applied::of)
    }

    /// The state in a few numbers.
    pub fn summary(&self) -> Result<Summary, ReadError> {
        Ok(self.applied()?.summary)
    }

    /// The longest value that a put may carry now, in bytes: a replicated setting.
    pub fn value_bytes_max(&self) -> Result<u64, ReadError> {
        self.state(|state| state.machine.value_bytes_max())
    }

    /// Reads the whole state and checks it against itself. For tests and oracles: nothing is applied
    /// meanwhile.
    pub fn verify(&self) -> Result<Applied, ReadError> {
        let verified = self.state(|state| {
            let machine = Machine::verify(&state.overlay.view())?;
            assert_eq!(
                machine.summary(),
                state.machine.summary(),
                "the machine in memory is that of the tables"
            );
            Ok(Applied::of(state))
        });
        verified?.map_err(|error| self.failed(error))
    }

    /// Looks at the state, if there is one that may be looked at.
    fn state<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, ReadError> {
        if let Some(damage) = self.failure.damage() {
            return Err(ReadError::Damaged { reason: damage.to_string() });
        }
        self.core.read(look).ok_or(ReadError::Closed)
    }

    /// Reads the tables as they are now: shortly, since nothing is applied meanwhile.
    fn look<T>(
        &self,
        read: impl FnOnce(&State, &OverlayView<'_>) -> Result<T, MachineError<TablesError>>,
    ) -> Result<T, ReadError> {
        let found = self.state(|state| read(state, &state.overlay.client_view()));
        found?.map_err(|error| self.failed(error))
    }

    /// What to say of a read that could not be done. Damage ends the node.
    fn failed(&self, error: MachineError<TablesError>) -> ReadError {
        let failure = machine_failure(READING, error);
        if !failure.is_damage() {
            return ReadError::Failed { reason: failure.to_string() };
        }
        let reason = failure.to_string();
        self.failure.report(failure);
        ReadError::Damaged { reason }
    }
}

impl Applied {
    fn of(state: &State) -> Self {
        Self { log_id: state.applied.last_log_id, summary: state.machine.summary() }
    }
}
