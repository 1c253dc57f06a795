//! The state's LMDB environment.
//!
//! For each group one table for each of the state machine's (`g<group>.<name>`), and a record in the
//! table `applied`, under the group's number, that says which moment of the log they stand for. The state
//! machine's own records carry checksums of their own.

use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use heed::{PutFlags, RoTxn, RwTxn, WithoutTls};
use quorate_consensus::{GroupId, NodeId, SnapshotMeta};
use quorate_kv::tables::{Visitor, is_empty_range};
use quorate_kv::{Direction, Table, Tables};

use super::layer::{Layer, table_position};
use crate::directory::DirectoryLock;
use crate::error::OpenError;
use crate::lmdb::{self, KEY_BYTES_MAX, Lmdb};
use crate::record::{self, RecordError};

/// The table of what is applied.
const APPLIED_TABLE: &str = "applied";

/// The state on disk.
#[derive(Debug)]
pub(crate) struct StateTables {
    pub(crate) lmdb: Lmdb,
    group: GroupId,
    /// In the order of [`Table::ALL`].
    tables: [lmdb::Table; Table::ALL.len()],
    applied: lmdb::Table,
}

/// Why the tables cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// LMDB failed.
    #[error(transparent)]
    Lmdb(#[from] heed::Error),
    /// What the state says of the moment that it stands for is damaged.
    #[error("the record of what was applied is damaged: {0}")]
    Applied(#[from] RecordError),
    /// No table takes such a key.
    #[error("a key of {bytes} bytes cannot be stored: keys have 1 to {KEY_BYTES_MAX} bytes")]
    Key {
        /// The length of the key.
        bytes: usize,
    },
}

impl StateTables {
    pub(crate) fn open(
        lock: &Arc<DirectoryLock>,
        part: &str,
        map_bytes: u64,
        node_id: NodeId,
        group: GroupId,
    ) -> Result<Self, OpenError> {
        let lmdb = Lmdb::open(lock, part, map_bytes, node_id)?;
        let open = || -> heed::Result<_> {
            let [applied] = lmdb.tables([APPLIED_TABLE])?;
            let names = Table::ALL.map(|table| format!("g{group}.{}", table.name()));
            let tables = lmdb.tables(names.each_ref().map(String::as_str))?;
            Ok((applied, tables))
        };
        let (applied, tables) = open().map_err(|error| OpenError::lmdb(lock.path(), part, error))?;
        Ok(Self { lmdb, group, tables, applied })
    }

    /// Where the environment is.
    pub(crate) fn path(&self) -> PathBuf {
        self.lmdb.path().to_owned()
    }

    /// Begins to read.
    pub(crate) fn read(&self) -> Result<StateTransaction<'_>, TablesError> {
        Ok(StateTransaction { tables: self, transaction: self.lmdb.read()? })
    }

    /// Begins to write.
    pub(crate) fn write(&self) -> Result<StateWriteTransaction<'_>, TablesError> {
        Ok(StateWriteTransaction { tables: self, transaction: self.lmdb.write()? })
    }

    /// How many bytes of pages the tables take. Pages that were freed are not among them, and what waits for a checkpoint
    /// is not either.
    pub(crate) fn stored_bytes(&self) -> Result<u64, TablesError> {
        let transaction = self.lmdb.read()?;
        let mut bytes = 0;
        for table in self.tables.iter().chain([&self.applied]) {
            bytes += table.stat(&transaction)?.non_free_page_size() as u64;
        }
        Ok(bytes)
    }

    fn table(&self, table: Table) -> &lmdb::Table {
        &self.tables[table_position(table)]
    }
}

/// One moment of the tables on disk.
pub(crate) struct StateTransaction<'tables> {
    tables: &'tables StateTables,
    transaction: RoTxn<'tables, WithoutTls>,
}

/// A record of a table on disk.
pub(crate) type DiskRecord<'a> = heed::Result<(&'a [u8], &'a [u8])>;

impl StateTransaction<'_> {
    /// Which moment of the log this is: the last log ID that was applied, and the membership then.
    pub(crate) fn applied(&self) -> Result<SnapshotMeta, TablesError> {
        let key = self.tables.group.0.to_be_bytes();
        let found = self.tables.applied.get(&self.transaction, &key)?;
        Ok(found.map(record::unseal).transpose()?.unwrap_or_default())
    }

    /// The value under a key.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, TablesError> {
        // LMDB refuses to look for keys that it cannot have.
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        Ok(self.tables.table(table).get(&self.transaction, key)?.map(Bytes::copy_from_slice))
    }

    /// The records between two bounds that have something between them.
    pub(crate) fn range<'a>(
        &'a self,
        table: Table,
        from: Bound<&'a [u8]>,
        to: Bound<&'a [u8]>,
        direction: Direction,
    ) -> Result<Box<dyn Iterator<Item = DiskRecord<'a>> + 'a>, TablesError> {
        // No record has an empty key, and LMDB cannot look for one.
        let from = match from {
            Bound::Included(b"") | Bound::Excluded(b"") => Bound::Unbounded,
            from => from,
        };
        if matches!(to, Bound::Included(b"") | Bound::Excluded(b"")) {
            return Ok(Box::new(std::iter::empty()));
        }
        let table = self.tables.table(table);
        Ok(match direction {
            Direction::Ascending => Box::new(table.range(&self.transaction, &(from, to))?),
            Direction::Descending => Box::new(table.rev_range(&self.transaction, &(from, to))?),
        })
    }
}

impl Tables for StateTransaction<'_> {
    type Error = TablesError;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, TablesError> {
        StateTransaction::get(self, table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
        visit: &mut Visitor<'_>,
    ) -> Result<(), TablesError> {
        if is_empty_range(from, to) {
            return Ok(());
        }
        for record in self.range(table, from, to, direction)? {
            let (key, value) = record?;
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }
}

/// Changes to the tables on disk, all or none of which will be there.
pub(crate) struct StateWriteTransaction<'tables> {
    tables: &'tables StateTables,
    transaction: RwTxn<'tables>,
}

impl StateWriteTransaction<'_> {
    /// Writes all changes of a layer.
    pub(crate) fn put_layer(&mut self, layer: &Layer) -> Result<(), TablesError> {
        for table in Table::ALL {
            let database = self.tables.table(table);
            let changes = layer.changes(table);
            // Changes that all lie behind what is there (history's do) are appended, which packs pages
            // full and finds its place without a search.
            let last = database.last(&self.transaction)?.map(|(key, _)| key);
            let behind = changes.keys().next().is_some_and(|first| last.is_none_or(|last| last < &first[..]));
            let flags = if behind { PutFlags::APPEND } else { PutFlags::empty() };
            for (key, value) in changes {
                match value {
                    Some(value) => {
                        check_key(key)?;
                        database.put_with_flags(&mut self.transaction, flags, key, value)?;
                    }
                    None => drop(database.delete(&mut self.transaction, key)?),
                }
            }
        }
        Ok(())
    }

    /// Writes a record, wherever it belongs.
    #[cfg(feature = "testing")]
    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TablesError> {
        check_key(key)?;
        Ok(self.tables.table(table).put(&mut self.transaction, key, value)?)
    }

    /// Writes a record behind all others of its table.
    pub(crate) fn append(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), TablesError> {
        check_key(key)?;
        let database = self.tables.table(table);
        Ok(database.put_with_flags(&mut self.transaction, PutFlags::APPEND, key, value)?)
    }

    /// Writes which moment of the log the tables stand for.
    pub(crate) fn put_applied(&mut self, applied: &SnapshotMeta) -> Result<(), TablesError> {
        let key = self.tables.group.0.to_be_bytes();
        Ok(self.tables.applied.put(&mut self.transaction, &key, &record::seal(applied))?)
    }

    /// Makes the changes durable.
    pub(crate) fn commit(self) -> Result<(), TablesError> {
        Ok(self.transaction.commit()?)
    }
}

fn check_key(key: &[u8]) -> Result<(), TablesError> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        bytes => Err(TablesError::Key { bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str = "state";

    #[test]
    fn what_was_deleted_is_not_stored_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = Arc::new(DirectoryLock::acquire(folder.path()).expect("lock"));
        let node_id = NodeId { member: 1, incarnation: 7 };
        Lmdb::create(&lock, PART, node_id).expect("create");
        let tables = StateTables::open(&lock, PART, 64 << 20, node_id, GroupId::FIRST).expect("open");
        let table = Table::ALL[0];
        let keys: Vec<_> = (0..100_u64).map(u64::to_be_bytes).collect();
        let mut transaction = tables.write().expect("write");
        for key in &keys {
            transaction.put(table, key, &[7; 10_000]).expect("put");
        }
        transaction.commit().expect("commit");
        let (stored, used) = (tables.stored_bytes().expect("read"), tables.lmdb.used_bytes());
        assert!((1_000_000..=used).contains(&stored), "{stored} of {used}");
        let mut transaction = tables.lmdb.write().expect("write");
        for key in &keys {
            tables.table(table).delete(&mut transaction, key).expect("delete");
        }
        transaction.commit().expect("commit");
        assert!(tables.stored_bytes().expect("read") < 100_000);
        assert!(tables.lmdb.used_bytes() >= used, "the file has not shrunk");
    }
}
