//! openraft's storage suite on this storage, in any environment.

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use quorate_consensus::{GroupId, RaftTypes};
use quorate_environment::Environment;
use tempfile::TempDir;

use crate::{DataDirectory, LogStore, StateStore, Storage, StorageOptions};

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
