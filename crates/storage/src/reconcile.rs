//! Makes the log agree with a snapshot that reaches further than the state, before Raft starts.
//!
//! Raft itself installs such a snapshot when it starts: it was left by an install that was interrupted, or
//! taken from another node by a repair. But it takes for granted that the node had heard, as a follower, of
//! the leader whose entries the snapshot ends with, and had cut its log where it differs. After a repair
//! neither has happened.

use std::io;

use openraft::storage::{RaftLogReader, RaftLogStorage};
use quorate_consensus::{LogId, NodeId, RaftTypes, Vote};
use quorate_environment::Environment;

use crate::storage::Storage;

impl<E: Environment> Storage<E> {
    /// Brings vote and log of this node up to the newest snapshot, if the state is behind it.
    pub async fn reconcile(&self, node_id: NodeId) -> io::Result<()> {
        let Some(snapshot) = self.snapshot_ahead() else { return Ok(()) };
        let mut log = self.log_store();
        let mut reader = log.get_log_reader().await;
        let term = snapshot.committed_leader_id().term;
        let vote = RaftLogReader::<RaftTypes<E::Runtime>>::read_vote(&mut reader).await?;
        if vote.is_none_or(|vote| vote.leader_id.term < term) {
            // It has voted for nobody in that term; as it is, a leader of an older one would be believed.
            log.save_vote(&Vote::new(term, node_id)).await?;
        }
        let index = snapshot.index();
        let found =
            RaftLogReader::<RaftTypes<E::Runtime>>::try_get_log_entries(&mut reader, index..index + 1);
        if found.await?.iter().any(|entry| entry.log_id != snapshot) {
            // Another entry has been committed at this index, so nothing of this log is from here on, and
            // perhaps from further back: what is known to be committed is not concerned.
            let committed = log.read_committed().await?;
            let purged = log.get_log_state().await?.last_purged_log_id;
            log.truncate_after(committed.max(purged)).await?;
        }
        Ok(())
    }

    /// The end of the newest snapshot, if that reaches further than the state.
    fn snapshot_ahead(&self) -> Option<LogId> {
        let snapshot = self.newest_snapshot()?.0.last_log_id;
        let applied = self.status().applied;
        snapshot.filter(|_| snapshot > applied)
    }
}
