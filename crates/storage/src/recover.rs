//! Makes a cluster of one out of a node whose cluster has lost its majority for ever.
//!
//! The node gets a new cluster ID, a term newer than any that it has heard of, and, behind everything that is in
//! its log, an entry that makes it the only member. When it starts next, it leads. All that was committed and
//! is in its log stays; entries that were not committed are kept too; what only the lost nodes had is lost.
//!
//! The cluster ID comes first: from then on nobody of the old cluster talks to this node, and it talks to
//! nobody. What follows may be interrupted anywhere, and is done again by doing all of it again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use openraft::StorageHelper;
use openraft::storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt};
use quorate_consensus::{
    ClusterId, CommittedLeaderId, Entry, EntryPayload, GroupId, LogId, Member, Membership, NodeId, RaftTypes,
    Vote, Wanted,
};
use quorate_environment::Environment;
use quorate_environment::mutant::{self, Mutant};

use crate::directory::DataDirectory;
use crate::error::OpenError;
use crate::options::StorageOptions;
use crate::snapshot::SnapshotShelf;
use crate::storage::Storage;

/// What a node has, to be compared with what other survivors have: the greater `last`, the better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The cluster, if the node is part of one.
    pub cluster_id: Option<ClusterId>,
    /// The node.
    pub node_id: NodeId,
    /// Term and index of the end of its log; of two logs, that with the greater end has more.
    pub last: Option<(u64, u64)>,
    /// The last index that it knew to be committed.
    pub committed_index: u64,
    /// The newest term that it has heard of.
    pub term: u64,
    /// The members by the newest membership in its log, and whether each of them votes.
    pub members: Vec<(NodeId, bool)>,
}

/// What a recovery has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// What the node had before.
    pub before: Inspection,
    /// The new cluster.
    pub cluster_id: ClusterId,
}

/// Why a cluster cannot be made out of a node.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Reading or writing it failed.
    #[error("the data directory could not be read or written: {0}")]
    Io(#[from] io::Error),
    /// It never was a member, so it has nothing.
    #[error(
        "node {node_id} is no member of a cluster by its own log: it has nothing that could be recovered"
    )]
    NotAMember {
        /// The node.
        node_id: NodeId,
    },
    /// Its state is behind its snapshot.
    #[error(
        "the node has received a snapshot and not installed it yet: start it once, stop it when it has, and try again"
    )]
    SnapshotAhead,
}

/// A directory that is open, and what is in it.
struct Survivor<E: Environment> {
    directory: DataDirectory,
    storage: Storage<E>,
    last: Option<LogId>,
    membership: Membership,
    inspection: Inspection,
}

/// Says what the node in the data directory at `path` has. It must be stopped; nothing is changed.
pub async fn inspect<E: Environment>(
    environment: E,
    path: &Path,
    options: &StorageOptions,
) -> Result<Inspection, RecoverError> {
    let Survivor { storage, inspection, .. } = open(environment, path, options).await?;
    storage.close().await.map_err(io::Error::other)?;
    Ok(inspection)
}

/// Makes a new cluster out of the node in the data directory at `path`, which must be stopped, and of which it
/// is the only member.
pub async fn recover<E: Environment>(
    environment: E,
    path: &Path,
    options: &StorageOptions,
) -> Result<Recovered, RecoverError> {
    let survivor = open(environment.clone(), path, options).await?;
    let cluster_id = make_cluster(&environment, &survivor).await;
    // Also if that has failed: until it is closed, the directory is in use.
    survivor.storage.close().await.map_err(io::Error::other)?;
    Ok(Recovered { before: survivor.inspection, cluster_id: cluster_id? })
}

/// Gives the ID of the new cluster.
async fn make_cluster<E: Environment>(
    environment: &E,
    survivor: &Survivor<E>,
) -> Result<ClusterId, RecoverError> {
    let Survivor { directory, storage, last, membership, inspection } = survivor;
    let node_id = directory.node_id();
    let own = membership.get_node(&node_id).cloned();
    let own = own.ok_or(RecoverError::NotAMember { node_id })?;
    if storage.newest_snapshot().is_some_and(|(meta, ..)| meta.last_log_id > storage.status().applied) {
        return Err(RecoverError::SnapshotAhead);
    }
    let mut id = [0; 16];
    environment.fill_random(&mut id);
    let cluster_id = ClusterId(id);
    if !mutant::active(Mutant::RecoveryKeepsOldIdentity) {
        directory.rebind_cluster(cluster_id)?;
    }
    // They bear the old cluster's ID, and would be refused by new members. Raft makes others.
    for file in SnapshotShelf::files(directory.path())? {
        fs::remove_file(&file).map_err(OpenError::io(&file))?;
    }
    let term = inspection.term.max(inspection.last.map_or(0, |(term, _)| term)) + 1;
    let own = Member { wanted: Wanted::Voter, ..own };
    let alone = Membership::new(vec![BTreeSet::from([node_id])], BTreeMap::from([(node_id, own)]));
    let alone = alone.map_err(io::Error::other)?;
    let log_id = LogId::new(CommittedLeaderId::new(term), last.map_or(0, |last| last.index() + 1));
    let mut log = storage.log_store();
    log.save_vote(&Vote::new(term, node_id)).await?;
    log.blocking_append([Entry { log_id, payload: EntryPayload::Membership(alone) }])
        .await
        .map_err(io::Error::other)?;
    Ok(cluster_id)
}

async fn open<E: Environment>(
    environment: E,
    path: &Path,
    options: &StorageOptions,
) -> Result<Survivor<E>, RecoverError> {
    let directory = DataDirectory::open_existing(path)?;
    directory.refuse_removed()?;
    let storage = Storage::open(environment, &directory, GroupId::FIRST, options.clone())?;
    let (mut log, mut state) = (storage.log_store(), storage.state_store());
    let last = log.get_log_state().await?.last_log_id;
    let committed = log.read_committed().await?;
    let mut reader = log.get_log_reader().await;
    let vote = RaftLogReader::<RaftTypes<E::Runtime>>::read_vote(&mut reader).await?;
    let memberships = StorageHelper::<RaftTypes<E::Runtime>, _, _>::new(&mut log, &mut state)
        .get_membership()
        .await
        .map_err(io::Error::other)?;
    let membership = memberships.effective().membership().clone();
    let votes = |node: &NodeId| membership.get_joint_config().iter().any(|voters| voters.contains(node));
    let inspection = Inspection {
        cluster_id: directory.cluster_id(),
        node_id: directory.node_id(),
        last: last.map(|last| (last.committed_leader_id().term, last.index())),
        committed_index: committed.max(storage.status().applied).map_or(0, |log_id| log_id.index()),
        term: vote.map_or(0, |vote| vote.leader_id.term),
        members: membership.nodes().map(|(node, _)| (*node, votes(node))).collect(),
    };
    Ok(Survivor { directory, storage, last, membership, inspection })
}
