//! The data directory of one node: whose it is, and that nobody else uses it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_consensus::{ClusterId, GroupId, NodeId};
use quorate_environment::Environment;
use quorate_environment::mutant::{self, Mutant};

use crate::durable;
use crate::error::OpenError;
use crate::identity_file::{Identity, IdentityError};
use crate::layout::{self, FORMAT, IDENTITY, LOCK, LOG, RECEIVED, REMOVED, SNAPSHOTS, UNFINISHED_SUFFIX};
use crate::lmdb::{Lmdb, is_untouched};
use crate::log::recovery;

/// A node's data directory, open and locked. Clones share it; the lock is released when the last one and
/// every file of the storage are dropped.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    lock: Arc<DirectoryLock>,
    identity: IdentityCell,
}

/// The identity, which changes once: when the directory joins a cluster.
#[derive(Clone, Debug)]
pub(crate) struct IdentityCell(Arc<Mutex<Identity>>);

impl IdentityCell {
    fn new(identity: Identity) -> Self {
        Self(Arc::new(Mutex::new(identity)))
    }

    fn lock(&self) -> MutexGuard<'_, Identity> {
        self.0.lock().expect("no code panics while it holds the identity")
    }

    /// The cluster, or [`ClusterId::NONE`].
    pub(crate) fn cluster_id(&self) -> ClusterId {
        self.lock().cluster_id
    }
}

/// The lock on a data directory.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    path: PathBuf,
    // Only held: closing the file releases the lock.
    _file: File,
}

impl DirectoryLock {
    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let lock_path = path.join(LOCK);
        let file = File::create(&lock_path).map_err(OpenError::io(&lock_path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(OpenError::io(&lock_path)(error)),
        }
    }
}

impl DataDirectory {
    /// Opens the data directory of `member` at `path`. Makes it, with a new incarnation, if there is
    /// nothing yet. A relative path begins at the working directory.
    pub fn open<E: Environment>(environment: &E, path: &Path, member: u64) -> Result<Self, OpenError> {
        // The parent of a bare name is nowhere, and its name could not be flushed.
        let path = &std::path::absolute(path).map_err(OpenError::io(path))?;
        durable::create_directory(path).map_err(OpenError::io(path))?;
        // One spelling, so that messages and LMDB's own bookkeeping agree on it.
        let path = path.canonicalize().map_err(OpenError::io(path))?;
        if let Some(found) = layout::foreign_name(&path).map_err(OpenError::io(&path))? {
            return Err(OpenError::NotADataDirectory { path, found });
        }
        let lock = Arc::new(DirectoryLock::acquire(&path)?);
        let identity = match read_identity(&path)? {
            Some(identity) => identity,
            None => create(environment, &lock, member)?,
        };
        let found = identity.node_id.member;
        if found != member {
            return Err(OpenError::OtherMember { path, found, expected: member });
        }
        empty_received(&path)?;
        let directory = Self { lock, identity: IdentityCell::new(identity) };
        directory.refuse_removed()?;
        Ok(directory)
    }

    /// Opens the data directory that is at `path`, whoever its member is, and makes none.
    pub fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let path = path.canonicalize().map_err(OpenError::io(path))?;
        if let Some(found) = layout::foreign_name(&path).map_err(OpenError::io(&path))? {
            return Err(OpenError::NotADataDirectory { path, found });
        }
        // Before the lock, which would leave a file where no node ever was.
        read_identity(&path)?.ok_or_else(|| OpenError::missing(&path, IDENTITY))?;
        let lock = Arc::new(DirectoryLock::acquire(&path)?);
        let identity = read_identity(&path)?.ok_or_else(|| OpenError::missing(&path, IDENTITY))?;
        Ok(Self { lock, identity: IdentityCell::new(identity) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.lock.path()
    }

    /// The node that it belongs to.
    pub fn node_id(&self) -> NodeId {
        self.identity.lock().node_id
    }

    /// The cluster that it belongs to, if it has joined one.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        Some(self.identity.cluster_id()).filter(|cluster_id| !cluster_id.is_none())
    }

    /// Where a snapshot that arrives from a peer is to be put until it is installed. Emptied at every
    /// start.
    pub fn received_path(&self) -> PathBuf {
        self.path().join(RECEIVED)
    }

    /// Makes the directory part of a cluster, durably and for ever. Binding it to the same cluster again
    /// does nothing.
    pub fn bind_cluster(&self, cluster_id: ClusterId) -> Result<(), OpenError> {
        assert!(!cluster_id.is_none(), "a directory is bound to a real cluster");
        let mut identity = self.identity.lock();
        if identity.cluster_id == cluster_id {
            return Ok(());
        }
        if !identity.cluster_id.is_none() {
            let (path, found) = (self.path().to_owned(), identity.cluster_id);
            return Err(OpenError::OtherCluster { path, found, expected: cluster_id });
        }
        let bound = Identity { cluster_id, ..*identity };
        write_identity(self.path(), &bound)?;
        *identity = bound;
        Ok(())
    }

    /// Makes the directory part of another cluster, durably.
    pub(crate) fn rebind_cluster(&self, cluster_id: ClusterId) -> Result<(), OpenError> {
        let mut identity = self.identity.lock();
        let bound = Identity { cluster_id, ..*identity };
        write_identity(self.path(), &bound)?;
        *identity = bound;
        Ok(())
    }

    /// Fails if the node has been removed from its cluster.
    pub(crate) fn refuse_removed(&self) -> Result<(), OpenError> {
        match is_removed(self.path())? {
            true => Err(OpenError::Removed { path: self.path().to_owned(), node: self.node_id() }),
            false => Ok(()),
        }
    }

    /// Notes for ever that the node has been removed from its cluster: the directory is not opened again.
    pub fn mark_removed(&self) -> Result<(), OpenError> {
        let file = self.path().join(REMOVED);
        let text =
            format!("node {} has been removed from cluster {}\n", self.node_id(), self.identity.cluster_id());
        durable::write_file(&file, text.as_bytes()).map_err(OpenError::io(&file))
    }

    pub(crate) fn lock(&self) -> &Arc<DirectoryLock> {
        &self.lock
    }

    /// The identity, without the lock on the directory.
    pub(crate) fn identity(&self) -> &IdentityCell {
        &self.identity
    }
}

/// The node whose data is in a directory, before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundNode {
    /// The node.
    pub node_id: NodeId,
    /// Its cluster, if it is part of one.
    pub cluster_id: Option<ClusterId>,
    /// Whether it has been removed from it.
    pub is_removed: bool,
}

/// Whether the node behind a directory has been removed from its cluster. What the mark says is for people.
pub(crate) fn is_removed(path: &Path) -> Result<bool, OpenError> {
    let file = path.join(REMOVED);
    file.try_exists().map_err(OpenError::io(&file))
}

fn write_identity(path: &Path, identity: &Identity) -> Result<(), OpenError> {
    let file = path.join(IDENTITY);
    durable::write_file(&file, identity.render().as_bytes()).map_err(OpenError::io(&file))
}

pub(crate) fn read_identity(path: &Path) -> Result<Option<Identity>, OpenError> {
    let file = path.join(IDENTITY);
    let content = match fs::read(&file) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(&file)(error)),
    };
    match Identity::parse(&content) {
        Ok(identity) => Ok(Some(identity)),
        Err(IdentityError::Newer(found)) => {
            let (path, part) = (path.to_owned(), IDENTITY.to_owned());
            Err(OpenError::NewerFormat { path, part, found, supported: FORMAT })
        }
        Err(IdentityError::Damaged(reason)) => Err(OpenError::damaged(path, IDENTITY, reason)),
    }
}

/// Makes a new directory. The identity file comes last: without it nothing in the directory counts, and a
/// node that was interrupted here begins anew, with another incarnation.
fn create<E: Environment>(
    environment: &E,
    lock: &Arc<DirectoryLock>,
    member: u64,
) -> Result<Identity, OpenError> {
    let path = lock.path();
    sweep_interrupted_creation(lock)?;
    // Of a node whose data has been set aside.
    durable::remove_file(&path.join(REMOVED)).map_err(OpenError::io(path))?;
    // 0 is kept for "no incarnation".
    let incarnation = match mutant::active(Mutant::NumberReusedWithoutIncarnation) {
        true => 1,
        false => environment.random_u64().max(1),
    };
    let identity = Identity { node_id: NodeId::new(member, incarnation), cluster_id: ClusterId::NONE };
    recovery::create(lock, identity.node_id, GroupId::FIRST, environment.random_u64())?;
    Lmdb::create(lock, &layout::state_name(0), identity.node_id)?;
    let snapshots = path.join(SNAPSHOTS);
    durable::create_directory(&snapshots).map_err(OpenError::io(&snapshots))?;
    write_identity(path, &identity)?;
    tracing::info!(path = %path.display(), node = %identity.node_id, "made a new data directory");
    Ok(identity)
}

/// Removes what an interrupted [`create`] left, after making sure that it is no more than that: a log
/// that was written to belonged to a node that ran, and may hold a vote.
fn sweep_interrupted_creation(lock: &Arc<DirectoryLock>) -> Result<(), OpenError> {
    let path = lock.path();
    let (mut finished, unfinished) = layout::state_directories(path).map_err(OpenError::io(path))?;
    let ran_before = finished.pop_if(|number| *number > 0).is_some()
        || !recovery::is_untouched(path, GroupId::FIRST)?
        || !is_untouched(lock, &layout::state_name(0))?;
    if ran_before {
        return Err(OpenError::missing(path, IDENTITY));
    }
    let states = finished.into_iter().map(layout::state_name);
    for name in states.chain(unfinished).chain([LOG.to_owned()]) {
        remove_directory(&path.join(name))?;
    }
    Ok(())
}

/// Removes a directory that may not exist.
pub(crate) fn remove_directory(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Empties the place of arriving snapshots, and removes unfinished files.
fn empty_received(path: &Path) -> Result<(), OpenError> {
    let received = path.join(RECEIVED);
    remove_directory(&received)?;
    durable::create_directory(&received).map_err(OpenError::io(&received))?;
    let unfinished = path.join(format!("{IDENTITY}{UNFINISHED_SUFFIX}"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(&unfinished)(error)),
        _ => Ok(()),
    }
}
