//! The log's LMDB environment.
//!
//! For each group two tables: `g<group>.log` maps the index (big-endian, so that the order of keys is the
//! order of entries) to the entry, and `g<group>.raft` holds single records. Every value is a record: its
//! versioned encoding and a CRC-32C.

use std::sync::Arc;

use heed::{RoTxn, RwTxn, WithoutTls};
use quorate_consensus::encoding::Encode;
use quorate_consensus::{Entry, GroupId, LogId, NodeId, Vote};
use quorate_environment::mutant::{self, Mutant};

use crate::directory::DirectoryLock;
use crate::error::OpenError;
use crate::layout::LOG;
use crate::lmdb::{Lmdb, Table};
use crate::record::{self, RecordError};

/// The keys of the single records. Never change one, never reuse one.
mod key {
    pub const VOTE: &[u8] = &[1];
    pub const COMMITTED: &[u8] = &[2];
    pub const PURGED: &[u8] = &[3];
}

/// The log on disk.
#[derive(Debug)]
pub(crate) struct LogTables {
    pub(crate) lmdb: Lmdb,
    entries: Table,
    records: Table,
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    /// The first entry on disk, which may be one that counts as purged.
    pub(crate) first_index: Option<u64>,
    pub(crate) last: Option<LogId>,
    /// Roughly, the size of all entries.
    pub(crate) entry_bytes: u64,
}

/// Why the log on disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogReadError {
    #[error(transparent)]
    Lmdb(#[from] heed::Error),
    #[error("the log entry {index} is damaged: {error}")]
    Entry { index: u64, error: RecordError },
    #[error("the record of the {name} is damaged: {error}")]
    Record { name: &'static str, error: RecordError },
    #[error("the log entries between {from} and {to} are missing")]
    Hole { from: u64, to: u64 },
}

impl LogTables {
    pub(crate) fn open(
        lock: &Arc<DirectoryLock>,
        map_bytes: u64,
        node_id: NodeId,
        group: GroupId,
    ) -> Result<(Self, Recovered), OpenError> {
        let lmdb = Lmdb::open(lock, LOG, map_bytes, node_id)?;
        let names = [format!("g{group}.log"), format!("g{group}.raft")];
        let [entries, records] =
            lmdb.tables([&names[0], &names[1]]).map_err(|error| OpenError::lmdb(lock.path(), LOG, error))?;
        let tables = Self { lmdb, entries, records };
        if mutant::active(Mutant::LogTailLost) {
            tables.lose_tail().map_err(|error| OpenError::damaged(lock.path(), LOG, error.to_string()))?;
        }
        let recovered = tables.recover().map_err(|error| match error {
            LogReadError::Lmdb(error) => OpenError::lmdb(lock.path(), LOG, error),
            other => OpenError::damaged(lock.path(), LOG, other.to_string()),
        })?;
        Ok((tables, recovered))
    }

    /// Reads where the log begins and ends, and checks that it has no hole.
    fn recover(&self) -> Result<Recovered, LogReadError> {
        let transaction = self.lmdb.read()?;
        let record = |name, key| self.record(&transaction, name, key);
        let vote = self.vote_record(&transaction)?;
        let committed = record("committed index", key::COMMITTED)?;
        let purged = record("purge bound", key::PURGED)?;
        let first = self.entries.first(&transaction)?.map(|(key, _)| decode_index(key)).transpose()?;
        let last = match self.entries.last(&transaction)? {
            Some((key, value)) => Some(decode_entry(decode_index(key)?, value)?.log_id),
            None => None,
        };
        let next_wanted = purged.map_or(0, |log_id: LogId| log_id.index() + 1);
        if let (Some(first), Some(last)) = (first, &last) {
            if first > next_wanted {
                return Err(LogReadError::Hole { from: next_wanted, to: first });
            }
            if self.entries.len(&transaction)? != last.index() - first + 1 {
                return Err(LogReadError::Hole { from: first, to: last.index() });
            }
        }
        let stat = self.entries.stat(&transaction)?;
        let pages = stat.leaf_pages + stat.overflow_pages;
        let entry_bytes = pages as u64 * u64::from(stat.page_size);
        // A purge that went past the end leaves the log empty at its bound.
        let last = last.max(purged);
        Ok(Recovered { vote, committed, purged, first_index: first, last, entry_bytes })
    }

    fn record<T: quorate_consensus::encoding::Decode>(
        &self,
        transaction: &RoTxn<'_, WithoutTls>,
        name: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, LogReadError> {
        let found = self.records.get(transaction, key)?;
        found.map(record::unseal).transpose().map_err(|error| LogReadError::Record { name, error })
    }

    fn vote_record(&self, transaction: &RoTxn<'_, WithoutTls>) -> Result<Option<Vote>, LogReadError> {
        self.record(transaction, "vote", key::VOTE)
    }

    /// The entries from `start` up to `end`, not with it, until `bytes_max` are exceeded. All of them must
    /// be there.
    pub(crate) fn read_entries(
        &self,
        transaction: &RoTxn<'_, WithoutTls>,
        (start, end): (u64, u64),
        bytes_max: u64,
        entries: &mut Vec<Entry>,
    ) -> Result<(), LogReadError> {
        let range = (
            std::ops::Bound::Included(&start.to_be_bytes()[..]),
            std::ops::Bound::Excluded(&end.to_be_bytes()[..]),
        );
        let mut next = start;
        let mut bytes = 0;
        for found in self.entries.range(transaction, &range)? {
            let (key, value) = found?;
            let index = decode_index(key)?;
            if index != next {
                return Err(LogReadError::Hole { from: next, to: index });
            }
            bytes += value.len() as u64;
            if bytes > bytes_max && index > start {
                return Ok(());
            }
            entries.push(decode_entry(index, value)?);
            next += 1;
        }
        if next < end {
            return Err(LogReadError::Hole { from: next, to: end });
        }
        Ok(())
    }

    /// Writes an entry behind all others.
    pub(crate) fn append(&self, transaction: &mut RwTxn<'_>, entry: &Entry) -> heed::Result<()> {
        let key = entry.log_id.index().to_be_bytes();
        self.entries.put_with_flags(transaction, heed::PutFlags::APPEND, &key, &record::seal(entry))
    }

    /// Removes the entries from `index` on.
    pub(crate) fn truncate_from(&self, transaction: &mut RwTxn<'_>, index: u64) -> heed::Result<()> {
        let from = index.to_be_bytes();
        let range = (std::ops::Bound::Included(&from[..]), std::ops::Bound::Unbounded);
        self.entries.delete_range(transaction, &range).map(drop)
    }

    /// Removes the entries up to and with `log_id`, and notes that.
    pub(crate) fn purge(&self, transaction: &mut RwTxn<'_>, log_id: &LogId) -> heed::Result<()> {
        let to = log_id.index().to_be_bytes();
        let range = (std::ops::Bound::Unbounded, std::ops::Bound::Included(&to[..]));
        self.entries.delete_range(transaction, &range)?;
        self.put_record(transaction, key::PURGED, log_id)
    }

    pub(crate) fn put_vote(&self, transaction: &mut RwTxn<'_>, vote: &Vote) -> heed::Result<()> {
        self.put_record(transaction, key::VOTE, vote)
    }

    pub(crate) fn put_committed(&self, transaction: &mut RwTxn<'_>, committed: &LogId) -> heed::Result<()> {
        self.put_record(transaction, key::COMMITTED, committed)
    }

    fn put_record(&self, transaction: &mut RwTxn<'_>, key: &[u8], value: &impl Encode) -> heed::Result<()> {
        self.records.put(transaction, key, &record::seal(value))
    }

    /// The mutant: the newest entries are gone, though not those known to be committed, so that it does
    /// not show at once.
    fn lose_tail(&self) -> Result<(), LogReadError> {
        let found = self.recover()?;
        let committed = found.committed.max(found.purged).map_or(0, |log_id| log_id.index() + 1);
        let from = found.last.map_or(0, |log_id| log_id.index().saturating_sub(2)).max(committed);
        let mut transaction = self.lmdb.write()?;
        self.truncate_from(&mut transaction, from)?;
        Ok(transaction.commit()?)
    }
}

fn decode_index(key: &[u8]) -> Result<u64, LogReadError> {
    let key = key
        .try_into()
        .map_err(|_| LogReadError::Record { name: "index of an entry", error: RecordError::Misplaced })?;
    Ok(u64::from_be_bytes(key))
}

fn decode_entry(index: u64, value: &[u8]) -> Result<Entry, LogReadError> {
    let entry: Entry = record::unseal(value).map_err(|error| LogReadError::Entry { index, error })?;
    if entry.log_id.index() == index {
        Ok(entry)
    } else {
        Err(LogReadError::Entry { index, error: RecordError::Misplaced })
    }
}
