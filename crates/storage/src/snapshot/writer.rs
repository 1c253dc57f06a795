//! Writes a snapshot file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_consensus::SnapshotMeta;
use quorate_environment::Environment;
use quorate_kv::{Direction, Machine, MachineError, Table, check_record, describe_record};

use super::format::{Chunk, FrameKind, MAGIC, SnapshotHeader, SnapshotTrailer, frame};
use crate::state::{StateTables, TablesError};

/// A chunk is closed when its keys and values come to this.
const CHUNK_BYTES: usize = 256 << 10;

/// So much is written between two flushes. Were all of it flushed in the end, the log's flushes, and with them
/// every write of a client, would wait until the disk has taken a whole snapshot.
const FLUSH_BYTES: usize = 4 << 20;

/// So many times as long as a flush took, the disk is left to the log and to others that share it.
const PAUSE_FACTOR: u32 = 3;
/// But no longer than this: on a slow disk a snapshot has to come to an end, too.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// Why no snapshot could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("writing the file: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    State(#[from] MachineError<TablesError>),
    #[error("a record of the state is damaged: {}: {cause}", describe_record(*table, key))]
    Record { table: Table, key: Bytes, cause: quorate_kv::DecodeError },
    #[error("the node is stopping")]
    Cancelled,
}

impl From<TablesError> for WriteError {
    fn from(error: TablesError) -> Self {
        WriteError::State(MachineError::Tables(error))
    }
}

/// Writes the newest checkpoint to a new file at `path`, flushed. Gives the moment that it stands for.
///
/// All of it is read in one transaction, so it is one moment; the transaction ends with this call.
pub(crate) fn write_snapshot<E: Environment>(
    tables: &StateTables,
    path: &Path,
    header: impl FnOnce(&Machine, SnapshotMeta) -> SnapshotHeader,
    cancelled: &AtomicBool,
    environment: &E,
) -> Result<SnapshotMeta, WriteError> {
    let transaction = tables.read()?;
    let machine = Machine::load(&transaction)?;
    let meta = transaction.applied()?;
    let mut file = FileWriter {
        file: BufWriter::new(File::create(path)?),
        unflushed: 0,
        trailer: SnapshotTrailer::default(),
        environment,
    };
    file.file.write_all(MAGIC)?;
    file.file.write_all(&frame(FrameKind::Header, &header(&machine, meta.clone())))?;
    let mut chunk = Chunk::default();
    let mut bytes = 0;
    let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    for table in Table::ALL {
        for record in transaction.range(table, everything.0, everything.1, Direction::Ascending)? {
            let (key, value) = record.map_err(TablesError::from)?;
            // A damaged record must not get a good checksum and spread.
            let damaged = |cause| WriteError::Record { table, key: Bytes::copy_from_slice(key), cause };
            check_record(table, key, value).map_err(damaged)?;
            bytes += key.len() + value.len();
            chunk.records.push((table, Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            if bytes >= CHUNK_BYTES {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(WriteError::Cancelled);
                }
                file.write_chunk(&mut chunk, bytes)?;
                bytes = 0;
            }
        }
    }
    if !chunk.records.is_empty() {
        file.write_chunk(&mut chunk, bytes)?;
    }
    let summary = machine.summary();
    let trailer = SnapshotTrailer { revision: summary.revision, digest: summary.digest, ..file.trailer };
    file.file.write_all(&frame(FrameKind::Trailer, &trailer))?;
    file.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(meta)
}

struct FileWriter<'a, E> {
    file: BufWriter<File>,
    /// Bytes written since the file was flushed to the disk.
    unflushed: usize,
    trailer: SnapshotTrailer,
    environment: &'a E,
}

impl<E: Environment> FileWriter<'_, E> {
    /// Writes a chunk and empties it.
    fn write_chunk(&mut self, chunk: &mut Chunk, bytes: usize) -> io::Result<()> {
        let frame = frame(FrameKind::Chunk, chunk);
        self.file.write_all(&frame)?;
        self.unflushed += frame.len();
        if self.unflushed >= FLUSH_BYTES {
            self.flush_and_rest()?;
        }
        self.trailer.chunk_count += 1;
        self.trailer.record_count += chunk.records.len() as u64;
        self.trailer.record_bytes += bytes as u64;
        chunk.number += 1;
        chunk.records.clear();
        Ok(())
    }

    fn flush_and_rest(&mut self) -> io::Result<()> {
        let began = self.environment.now();
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        self.unflushed = 0;
        let took = self.environment.now().saturating_since(began);
        self.environment.pause_round((PAUSE_FACTOR * took).min(PAUSE_MAX));
        Ok(())
    }
}
