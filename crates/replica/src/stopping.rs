//! How a replica leaves: leadership first, then what others have passed on to it, then itself.

use std::time::Duration;

use quorate_environment::Environment;

use crate::leadership::{Leader, known_leader};
use crate::replica::Replica;
use crate::transfer_error::TransferError;

/// How long a replica that stops lets the writes go on that other nodes have passed on to it.
const FORWARDED_GRACE: Duration = Duration::from_secs(3);
/// How long handing leadership over may take before the replica stops without.
const HAND_OVER_MAX: Duration = Duration::from_secs(3);

impl<E: Environment> Replica<E> {
    /// The first step of stopping: hands leadership to the voter that is closest to this node, if this node
    /// leads and another voter answers. Returns when another node leads, or when it has taken too long.
    ///
    /// From now on, writes that other nodes pass on to this one are sent back to them as soon as it does
    /// not lead any more.
    pub async fn hand_over_leadership(&self) {
        let inner = self.inner();
        inner.leaving.cancel();
        if known_leader::<E>(&inner.raft) != Some(Leader::Here) {
            return;
        }
        let deadline = inner.environment.now() + HAND_OVER_MAX;
        match self.hand_over(None, deadline).await {
            // The others are gone, or stop too.
            Ok(_) | Err(TransferError::NoSuccessor) => {}
            Err(error) => tracing::warn!(%error, "this node stops without having handed leadership over"),
        }
    }

    /// Stops and closes the storage: log, state and snapshots are on disk when this returns. Writes that
    /// other nodes have passed on to this one may finish, for a few seconds; whatever else is in flight
    /// ends with an unknown outcome: let it finish first, and hand leadership over. Calls after the first
    /// do nothing. The directory's lock goes with the last clone of the replica.
    pub async fn shutdown(&self) {
        let inner = self.inner();
        if inner.shutdown.is_cancelled() {
            return;
        }
        inner.leaving.cancel();
        let deadline = inner.environment.now() + FORWARDED_GRACE;
        if !inner.bytes_in_flight.drain(&inner.environment, deadline).await {
            tracing::warn!("stopping while writes are in flight; their outcomes are reported as unknown");
        }
        inner.shutdown.cancel();
        if let Err(error) = inner.raft.shutdown().await {
            tracing::error!(%error, "raft did not stop cleanly");
        }
        inner.peers.close();
        if let Err(error) = inner.storage.close().await {
            tracing::error!(%error, "the data directory was not closed cleanly; nothing acknowledged is lost");
        }
    }
}
