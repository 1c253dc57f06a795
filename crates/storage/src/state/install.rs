//! Puts a snapshot in place of the state.
//!
//! The new state is built in a directory of its own, under a name that does not count. Only when all of
//! it is verified and on disk is it renamed, and from then on it is the state. A crash at any point leaves
//! either the old state or the new one; what else is there is swept at the next start. The same holds for an
//! install that is given up because the node stops.
//!
//! Raft takes a failure here for a broken disk, and the node stops. So whoever receives a snapshot lets
//! [`crate::snapshot::SnapshotCheck`] look at it first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate_consensus::{SnapshotFile, SnapshotMeta};
use quorate_environment::mutant::{self, Mutant};
use quorate_kv::{Machine, Table, check_record};

use super::applied_state::State;
use super::tables::StateTables;
use super::worker::{JobError, StateWorker, tables_failure};
use crate::directory::remove_directory;
use crate::durable;
use crate::failure::StorageFailure;
use crate::layout::{UNFINISHED_SUFFIX, state_directories, state_name};
use crate::lmdb::Lmdb;
use crate::snapshot::{Chunk, SnapshotReader};

const INSTALLING: &str = "installing a snapshot";

/// Loaded records are flushed after this many bytes, to bound the memory of a transaction.
const TRANSACTION_BYTES: usize = 32 << 20;

fn failed(reason: impl ToString) -> StorageFailure {
    StorageFailure::new(INSTALLING, reason)
}

impl StateWorker {
    /// Replaces the state by what is in the file.
    pub(crate) fn install(&mut self, meta: &SnapshotMeta, file: SnapshotFile) -> Result<(), JobError> {
        let _span = tracing::debug_span!("install_snapshot").entered();
        let checkpoint = self.mark.get();
        if meta.last_log_id <= checkpoint {
            let reason =
                format!("it ends at {:?}, the checkpoint is already at {checkpoint:?}", meta.last_log_id);
            return Err(failed(reason).into());
        }
        let path = self.directory.path().to_owned();
        let io_failed = |error| StorageFailure::io(INSTALLING, &error);
        let (finished, _) = state_directories(&path).map_err(io_failed)?;
        let name = state_name(finished.last().map_or(0, |number| number + 1));
        let unfinished = format!("{name}{UNFINISHED_SUFFIX}");
        remove_directory(&path.join(&unfinished)).map_err(failed)?;
        self.build(&unfinished, meta, &file)?;
        self.shelf.adopt(file.path(), meta).map_err(io_failed)?;
        durable::rename(&path.join(&unfinished), &path.join(&name)).map_err(io_failed)?;
        let tables = self.open(&name)?;
        let state = State::load(Arc::new(tables)).map_err(failed)?;
        let old = self.core.replace(state)?.path();
        self.mark.set(meta.last_log_id);
        tracing::info!(last_log_id = ?meta.last_log_id, state = name, "installed a snapshot");
        Ok(remove_directory(&old).map_err(failed)?)
    }

    fn open(&self, name: &str) -> Result<StateTables, StorageFailure> {
        let (lock, node_id) = (self.directory.lock(), self.directory.node_id());
        StateTables::open(lock, name, self.map_bytes, node_id, self.group).map_err(failed)
    }

    /// Makes a new state environment with the content of the file, and closes it again: LMDB must not
    /// have it open when it is renamed.
    fn build(&self, name: &str, meta: &SnapshotMeta, file: &SnapshotFile) -> Result<(), JobError> {
        Lmdb::create(self.directory.lock(), name, self.directory.node_id()).map_err(failed)?;
        let tables = self.open(name)?;
        let mut reader = SnapshotReader::open(file.path()).map_err(failed)?;
        let header = reader.header();
        if header.meta != *meta {
            return Err(failed(format!("the file is the snapshot {}, not {meta}", header.meta)).into());
        }
        if header.group != self.group {
            return Err(failed(format!("the file is of group {}, not {}", header.group, self.group)).into());
        }
        if self.directory.cluster_id().is_some_and(|own| header.cluster_id != own) {
            return Err(failed(format!("the file is of the other cluster {}", header.cluster_id)).into());
        }
        load(&mut reader, &tables, &self.cancelled)?;
        let trailer = reader.trailer().ok_or_else(|| failed("the file has no end"))?;
        let transaction = tables.read().map_err(failed)?;
        let machine = Machine::load(&transaction).map_err(failed)?;
        let digest = Machine::recompute_live_digest(&transaction).map_err(failed)?;
        let sessions = Machine::recompute_sessions_digest(&transaction).map_err(failed)?;
        let stored = Machine::stored_digest(&transaction).map_err(failed)?;
        let found = (stored, digest, sessions);
        let expected = (trailer.digest, machine.live_digest(), machine.sessions_digest());
        if found != expected && !mutant::active(Mutant::SessionsLostInSnapshot) {
            return Err(failed("the digest of its records is not the one it gives").into());
        }
        Ok(())
    }
}

/// Writes all records of the file, verified, into the empty tables.
fn load(reader: &mut SnapshotReader, tables: &StateTables, cancelled: &AtomicBool) -> Result<(), JobError> {
    let tables_failed = |error| tables_failure(INSTALLING, error);
    let mut transaction = tables.write().map_err(tables_failed)?;
    let mut bytes = 0;
    while let Some(Chunk { records, .. }) = reader.next_chunk().map_err(failed)? {
        if cancelled.load(Ordering::Relaxed) {
            return Err(JobError::Cancelled);
        }
        for (table, key, value) in &records {
            let is_of_session = matches!(table, Table::Sessions | Table::SessionOutcomes);
            if is_of_session && mutant::active(Mutant::SessionsLostInSnapshot) {
                continue;
            }
            check_record(*table, key, value).map_err(failed)?;
            transaction.append(*table, key, value).map_err(tables_failed)?;
            bytes += key.len() + value.len();
        }
        if bytes > TRANSACTION_BYTES {
            transaction.commit().map_err(tables_failed)?;
            transaction = tables.write().map_err(tables_failed)?;
            bytes = 0;
        }
    }
    transaction.put_applied(&reader.header().meta).map_err(tables_failed)?;
    Ok(transaction.commit().map_err(tables_failed)?)
}
