//! One LMDB environment: opened with care, and with the identity of the node in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use heed::types::Bytes as ByteSlice;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, RoTxn, RwTxn, WithoutTls};
use quorate_consensus::NodeId;
use quorate_consensus::encoding::{Decode, DecodeError, Encode, Reader, Writer};

use crate::directory::DirectoryLock;
use crate::durable::sync_directory;
use crate::error::OpenError;
use crate::layout::FORMAT;
use crate::lmdb_check::{self, CheckError};
use crate::record;

/// A table of byte strings.
pub(crate) type Table = Database<'static, ByteSlice, ByteSlice>;

/// The file in which LMDB keeps its data.
pub(crate) const DATA_FILE: &str = "data.mdb";
const LOCK_FILE: &str = "lock.mdb";

/// The table that says whose data this is.
pub(crate) const DIRECTORY_TABLE: &str = "directory";
const IDENTITY_KEY: &[u8] = b"identity";

/// Read transactions at once. Every thread that reads holds one for a moment.
const READERS_MAX: u32 = 256;
/// Named tables in one environment.
const TABLES_MAX: u32 = 64;
/// The map of an environment that is only being created.
const CREATE_MAP_BYTES: u64 = 16 << 20;
/// The longest key that LMDB takes, with heed's longer keys.
pub(crate) const KEY_BYTES_MAX: usize = 1982;

/// An open environment. Closed when the last reference is dropped; the directory stays locked until then.
#[derive(Debug)]
pub(crate) struct Lmdb {
    env: Env<WithoutTls>,
    path: PathBuf,
    page_bytes: u64,
    // Behind the environment, so that it is dropped after it.
    _lock: Arc<DirectoryLock>,
}

/// What each environment says of itself.
#[derive(Debug)]
struct EnvironmentIdentity {
    format: u32,
    node_id: NodeId,
}

impl Encode for EnvironmentIdentity {
    fn encode_into(&self, writer: &mut Writer) {
        writer.u32(self.format);
        self.node_id.encode_into(writer);
    }
}

impl Decode for EnvironmentIdentity {
    fn decode_from(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { format: reader.u32()?, node_id: NodeId::decode_from(reader)? })
    }
}

impl Lmdb {
    /// Makes a new, empty environment `part` in the data directory, durably.
    pub(crate) fn create(lock: &Arc<DirectoryLock>, part: &str, node_id: NodeId) -> Result<(), OpenError> {
        let root = lock.path();
        let path = root.join(part);
        fs::create_dir_all(&path).map_err(OpenError::io(&path))?;
        let lmdb = Self::open_unchecked(lock, part, CREATE_MAP_BYTES)?;
        let identity = record::seal(&EnvironmentIdentity { format: FORMAT, node_id });
        let create = || -> heed::Result<()> {
            let [directory] = lmdb.tables([DIRECTORY_TABLE])?;
            let mut transaction = lmdb.write()?;
            directory.put(&mut transaction, IDENTITY_KEY, &identity)?;
            transaction.commit()
        };
        create().map_err(|error| OpenError::lmdb(root, part, error))?;
        drop(lmdb);
        sync_directory(&path).and_then(|()| sync_directory(root)).map_err(OpenError::io(&path))
    }

    /// Opens the environment `part` of the data directory, after a look at whether LMDB can be trusted
    /// with the file: its C code believes what it maps.
    pub(crate) fn open(
        lock: &Arc<DirectoryLock>,
        part: &str,
        map_bytes: u64,
        node_id: NodeId,
    ) -> Result<Self, OpenError> {
        let root = lock.path();
        let data = root.join(part).join(DATA_FILE);
        lmdb_check::check_file(&data).map_err(|error| match error {
            CheckError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                OpenError::missing(root, part)
            }
            CheckError::Io(source) => OpenError::Io { path: data.clone(), source },
            CheckError::Damaged(reason) => OpenError::damaged(root, part, reason),
        })?;
        let lmdb = Self::open_unchecked(lock, part, map_bytes)?;
        lmdb.check_identity(root, part, node_id)?;
        Ok(lmdb)
    }

    /// Opens the environment `part` only to see what is in it.
    pub(crate) fn open_for_inspection(lock: &Arc<DirectoryLock>, part: &str) -> Result<Self, OpenError> {
        Self::open_unchecked(lock, part, CREATE_MAP_BYTES)
    }

    fn open_unchecked(lock: &Arc<DirectoryLock>, part: &str, map_bytes: u64) -> Result<Self, OpenError> {
        let path = lock.path().join(part);
        // A reader table of another life. Nobody else can be using it: the data directory is locked.
        match fs::remove_file(path.join(LOCK_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::io(&path)(error)),
            _ => {}
        }
        let page_bytes = rustix::param::page_size();
        let map_bytes = usize::try_from(map_bytes).unwrap_or(usize::MAX / 2).next_multiple_of(page_bytes);
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(map_bytes).max_readers(READERS_MAX).max_dbs(TABLES_MAX);
        #[expect(
            unsafe_code,
            reason = "LMDB maps the file, which nobody may change behind its back: the data directory is \
                      locked, and heed refuses to open the same environment twice in one process"
        )]
        let env =
            unsafe { options.open(&path) }.map_err(|error| OpenError::lmdb(lock.path(), part, error))?;
        Ok(Self { env, path, page_bytes: page_bytes as u64, _lock: lock.clone() })
    }

    fn check_identity(&self, root: &Path, part: &str, expected: NodeId) -> Result<(), OpenError> {
        let read = || -> heed::Result<Option<Vec<u8>>> {
            let [directory] = self.tables([DIRECTORY_TABLE])?;
            let transaction = self.read()?;
            Ok(directory.get(&transaction, IDENTITY_KEY)?.map(<[u8]>::to_vec))
        };
        let record = read().map_err(|error| OpenError::lmdb(root, part, error))?;
        let record = record.ok_or_else(|| OpenError::damaged(root, part, "it does not say whose it is"))?;
        let identity: EnvironmentIdentity = record::unseal(&record)
            .map_err(|error| OpenError::damaged(root, part, format!("the record of whose it is: {error}")))?;
        if identity.format > FORMAT {
            let (found, supported) = (identity.format, FORMAT);
            return Err(OpenError::NewerFormat {
                path: root.to_owned(),
                part: part.to_owned(),
                found,
                supported,
            });
        }
        if identity.node_id != expected {
            let (path, part, found) = (root.to_owned(), part.to_owned(), identity.node_id);
            return Err(OpenError::OtherIncarnation { path, part, found, expected });
        }
        Ok(())
    }

    /// Opens tables, making those that are not there.
    pub(crate) fn tables<const COUNT: usize>(&self, names: [&str; COUNT]) -> heed::Result<[Table; COUNT]> {
        let transaction = self.env.write_txn()?;
        let opened = self.env.create_databases_and_commit(transaction, |opener, transaction| {
            let mut tables = Vec::with_capacity(COUNT);
            for name in names {
                tables.push(opener.create_database::<ByteSlice, ByteSlice>(transaction, Some(name))?);
            }
            let tables: [_; COUNT] = tables.try_into().expect("one table was opened for each name");
            heed::Result::Ok(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        Ok(opened.commit().expect("the closure commits"))
    }

    /// The names of the tables.
    pub(crate) fn table_names(&self) -> heed::Result<Vec<String>> {
        let transaction = self.env.write_txn()?;
        let main = self.env.create_databases_and_commit(transaction, |opener, transaction| {
            opener
                .create_database::<ByteSlice, heed::types::DecodeIgnore>(transaction, None)
                .map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let main = main.commit().expect("the closure commits");
        let transaction = self.env.read_txn()?;
        let names = main.iter(&transaction)?;
        names.map(|name| Ok(String::from_utf8_lossy(name?.0).into_owned())).collect()
    }

    /// Begins to read. Never held across an await.
    pub(crate) fn read(&self) -> heed::Result<RoTxn<'_, WithoutTls>> {
        self.env.read_txn()
    }

    /// Begins to write. Only one worker writes to an environment.
    pub(crate) fn write(&self) -> heed::Result<RwTxn<'_>> {
        self.env.write_txn()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How large the map is.
    pub(crate) fn map_bytes(&self) -> u64 {
        self.env.info().map_size as u64
    }

    /// How far into the map pages have been used.
    pub(crate) fn used_bytes(&self) -> u64 {
        (self.env.info().last_page_number as u64 + 1) * self.page_bytes
    }
}

/// Whether an LMDB environment is missing, or has no table but the one that creation makes.
pub(crate) fn is_untouched(lock: &Arc<DirectoryLock>, part: &str) -> Result<bool, OpenError> {
    let data = lock.path().join(part).join(DATA_FILE);
    if !data.exists() || lmdb_check::check_file(&data).is_err() {
        // Creation can be interrupted before LMDB has written its first pages; a node that ran has
        // written many. What is damaged beyond that is told from it by its length.
        let length = fs::metadata(&data).map_or(0, |metadata| metadata.len());
        return Ok(length <= 4 * rustix::param::page_size() as u64);
    }
    let names = Lmdb::open_for_inspection(lock, part)?.table_names();
    let names = names.map_err(|error| OpenError::lmdb(lock.path(), part, error))?;
    Ok(names.iter().all(|name| name == DIRECTORY_TABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_an_environments_identity_stays() {
        let identity = EnvironmentIdentity { format: FORMAT, node_id: NodeId::new(7, 0x0123_4567_89ab_cdef) };
        record::tests::assert_golden(
            &record::seal(&identity),
            "01 01000000 0700000000000000 efcdab8967452301 704c77c8",
        );
    }
}
