//! For tests and the simulator: openraft's storage suite on this storage, in any environment; and damage.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use quorate_consensus::{GroupId, RaftTypes};
use quorate_environment::Environment;
use quorate_kv::{Command, Direction, Machine, MachineError, Proposal, Table, Tables, describe_record};
use tempfile::TempDir;

use crate::layout::{state_directories, state_name};
use crate::state::{Overlay, StateTables};
use crate::{DataDirectory, LogStore, OpenError, StateStore, Storage, StorageOptions};

/// Makes a fresh store for each test of openraft's suite.
#[derive(Clone, Debug)]
pub struct FreshStores<E> {
    environment: E,
}

impl<E: Environment> FreshStores<E> {
    /// Stores in this environment, in directories of their own that are removed afterwards.
    pub fn new(environment: E) -> Self {
        Self { environment }
    }
}

/// Keeps a store's storage and directory for as long as a test runs.
pub type StoreGuard<E> = (Storage<E>, TempDir);

impl<E: Environment> StoreBuilder<RaftTypes<E::Runtime>, LogStore<E>, StateStore<E>, StoreGuard<E>>
    for FreshStores<E>
{
    async fn build(
        &self,
    ) -> Result<(StoreGuard<E>, LogStore<E>, StateStore<E>), StorageError<RaftTypes<E::Runtime>>> {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let directory = DataDirectory::open(&self.environment, &folder.path().join("node"), 1)
            .expect("a new data directory opens");
        let options = StorageOptions { log_segment_bytes: 64 << 10, ..StorageOptions::default() };
        let storage = Storage::open(self.environment.clone(), &directory, GroupId::FIRST, options)
            .expect("a new storage opens");
        let (log, state) = (storage.log_store(), storage.state_store());
        Ok(((storage, folder), log, state))
    }
}

/// Runs openraft's storage suite. Panics with what does not hold.
pub async fn openraft_suite<E: Environment>(environment: E) {
    Suite::<RaftTypes<E::Runtime>, _, _, _, _>::test_all(FreshStores::new(environment))
        .await
        .expect("openraft's storage suite passes");
}

/// Flips one bit of one record in the state of the first group, which nobody has open: as a disk does that
/// forgets. `choose` is given what all records are, in order, and says which of them, and which of its bits
/// (modulo its length). Gives what the damaged record is; nothing if `choose` chose none.
pub fn flip_bit(
    path: &Path,
    choose: impl FnOnce(&[String]) -> Option<(usize, u64)>,
) -> Result<Option<String>, OpenError> {
    let directory = DataDirectory::open_existing(path)?;
    let (finished, _) = state_directories(path).map_err(OpenError::io(path))?;
    let Some(name) = finished.last().map(|number| state_name(*number)) else { return Ok(None) };
    let (lock, node_id) = (directory.lock(), directory.node_id());
    let tables = StateTables::open(lock, &name, MAP_BYTES, node_id, GroupId::FIRST)?;
    let damaged = |error: String| OpenError::damaged(path, &name, error);
    let records = read_all(&tables).map_err(|error| damaged(error.to_string()))?;
    let described: Vec<_> = records.iter().map(|(table, key, _)| describe_record(*table, key)).collect();
    let Some((position, bit)) = choose(&described) else { return Ok(None) };
    let (table, key, record) = &records[position];
    let (mut record, bit) = (record.to_vec(), bit as usize % (8 * record.len()));
    record[bit / 8] ^= 1 << (bit % 8);
    let write = || {
        let mut transaction = tables.write()?;
        transaction.put(*table, key, &record)?;
        transaction.commit()
    };
    write().map_err(|error| damaged(error.to_string()))?;
    Ok(Some(described[position].clone()))
}

/// Applies a command to the state of the first group, which nobody has open, behind the back of the log: the
/// state is sound, and another than it should be.
pub fn apply_apart(path: &Path, command: Command) -> Result<(), OpenError> {
    let directory = DataDirectory::open_existing(path)?;
    let (finished, _) = state_directories(path).map_err(OpenError::io(path))?;
    let name = finished.last().map(|number| state_name(*number)).unwrap_or_default();
    let (lock, node_id) = (directory.lock(), directory.node_id());
    let tables = Arc::new(StateTables::open(lock, &name, MAP_BYTES, node_id, GroupId::FIRST)?);
    let apply = || -> Result<(), MachineError<crate::state::TablesError>> {
        let mut machine = Machine::load(&tables.read()?)?;
        let mut overlay = Overlay::new(tables.clone());
        machine.apply(&mut overlay.writer(), &Proposal { time_ms: 0, commands: vec![command] })?;
        let mut transaction = tables.write()?;
        transaction.put_layer(&overlay.freeze())?;
        Ok(transaction.commit()?)
    };
    apply().map_err(|error| OpenError::damaged(path, &name, error.to_string()))
}

/// How large a state may be of which a bit is flipped.
const MAP_BYTES: u64 = 1 << 30;

fn read_all(tables: &StateTables) -> Result<Vec<(Table, Bytes, Bytes)>, crate::state::TablesError> {
    let mut records = Vec::new();
    let transaction = tables.read()?;
    for table in Table::ALL {
        let everything = (Bound::Unbounded, Bound::Unbounded);
        transaction.scan(table, everything.0, everything.1, Direction::Ascending, &mut |key, record| {
            records.push((table, Bytes::copy_from_slice(key), Bytes::copy_from_slice(record)));
            ControlFlow::Continue(())
        })?;
    }
    Ok(records)
}
