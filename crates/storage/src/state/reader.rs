//! Reading the state.

use std::sync::Arc;

use quorate_consensus::LogId;
use quorate_kv::{KeyValue, Machine, Summary};

use super::applied_state::{State, StateCore};

/// Reads the state of this replica, as of the last entry that it applied. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StateReader {
    core: Arc<StateCore>,
}

/// Which moment a read saw.
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
    /// A record is damaged, or the disk failed.
    #[error("{reason}")]
    Failed {
        /// What was found.
        reason: String,
    },
}

impl StateReader {
    pub(crate) fn new(core: Arc<StateCore>) -> Self {
        Self { core }
    }

    /// The newest version of `key`, and the moment at which that is so.
    pub fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Applied), ReadError> {
        let read = self.core.read(|state| {
            let found = Machine::get(&state.overlay.client_view(), key);
            found.map(|found| (found, Applied::of(state)))
        });
        read.ok_or(ReadError::Closed)?.map_err(|error| ReadError::Failed { reason: error.to_string() })
    }

    /// The moment that the state is of.
    pub fn applied(&self) -> Result<Applied, ReadError> {
        self.core.read(Applied::of).ok_or(ReadError::Closed)
    }

    /// The state in a few numbers.
    pub fn summary(&self) -> Result<Summary, ReadError> {
        Ok(self.applied()?.summary)
    }

    /// The longest value that a put may carry now, in bytes: a replicated setting.
    pub fn value_bytes_max(&self) -> Result<u64, ReadError> {
        self.core.read(|state| state.machine.value_bytes_max()).ok_or(ReadError::Closed)
    }

    /// Reads the whole state and checks it against itself. For tests and oracles: nothing is applied
    /// meanwhile.
    pub fn verify(&self) -> Result<Applied, ReadError> {
        let verified = self.core.read(|state| {
            let machine = Machine::verify(&state.overlay.view())?;
            assert_eq!(
                machine.summary(),
                state.machine.summary(),
                "the machine in memory is that of the tables"
            );
            Ok::<_, quorate_kv::MachineError<super::TablesError>>(Applied::of(state))
        });
        verified.ok_or(ReadError::Closed)?.map_err(|error| ReadError::Failed { reason: error.to_string() })
    }
}

impl Applied {
    fn of(state: &State) -> Self {
        Self { log_id: state.applied.last_log_id, summary: state.machine.summary() }
    }
}
