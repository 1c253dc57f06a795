//! Lease reads: linearizable reads for which the leader asks nobody.
//!
//! A follower that has heard from its leader votes for nobody else for the length of a *lease*, by its own
//! clock. So for as long after the moment at which the leader *sent* what a quorum has answered, nobody else can
//! lead, and the leader may take its own commit index for the newest there is: no round is needed. That is
//! right only if clocks run at about the same rate. If each runs faster or slower than true time by at most
//! the share *d*, a follower's lease of the length *L* is over after no less than *L* / (1 + *d*) of true time,
//! and the leader, which counts on a clock that may be slow, must not rely on it for longer than
//! *L* (1 - *d*) / (1 + *d*) by that clock. Where clocks are set, or how they jump, does not matter: only
//! monotonic clocks count.
//!
//! The bound is a promise of whoever runs the nodes, about *every* node, so there is no default. A node
//! without one answers these reads after a round, like all others: the same answer, a little later. Machines
//! that are paused (suspended, moved, stopped in a debugger) while their clocks stand still break the promise.
//!
//! What else the lease rests on: a follower must not forget it when it restarts ([`crate::vote_guard`]), and a
//! leader that hands over must end it first (see [`crate::transfer`]).

use std::sync::Arc;
use std::time::Duration;

use quorate_environment::Environment;
use quorate_environment::mutant::{self, Mutant};

use crate::leadership::Leader;
use crate::read_index::{ReadIndexSource, ReadIndexer};
use crate::rounds::{Confirmation, Rounds};

const MILLION: u32 = 1_000_000;

/// For how long after it has sent what a quorum has answered a leader may rely on that, by its own clock, if
/// its followers keep their promise for `lease` by theirs.
pub(crate) fn reliable_for(lease: Duration, clock_drift_max_ppm: u32) -> Duration {
    if mutant::active(Mutant::LeaseReadIgnoresDrift) {
        return lease;
    }
    let drift = clock_drift_max_ppm.min(MILLION);
    lease * (MILLION - drift) / (MILLION + drift)
}

/// Where lease reads get their index from: this node's Raft, without asking anybody, if it leads and its lease
/// holds; else a round; on another node one message to the leader, which does the same.
///
/// They share these as other reads share rounds, so that a lease is looked at only after a read has arrived.
pub(crate) struct LeaseRounds<E: Environment> {
    pub(crate) rounds: Arc<Rounds<E>>,
    /// The reads that cost a round.
    pub(crate) read_indexer: Arc<ReadIndexer<E, Arc<Rounds<E>>>>,
}

impl<E: Environment> ReadIndexSource for LeaseRounds<E> {
    async fn round(&self) -> Result<u64, String> {
        let round = |leader| async move {
            match leader {
                Leader::Here => self.local_round().await,
                Leader::There(node_id, member) => {
                    self.rounds.remote_round(node_id, &member, Confirmation::Lease).await
                }
            }
        };
        self.rounds.with_leader(round).await
    }
}

impl<E: Environment> LeaseRounds<E> {
    /// On the leader: from its lease, else a round of those that have no lease.
    async fn local_round(&self) -> Result<u64, String> {
        if let Some(index) = self.rounds.leased_index().await {
            return Ok(index);
        }
        let deadline = self.rounds.environment.now() + self.rounds.round_timeout;
        let round = self.read_indexer.read_index(deadline).await;
        round.map(|read_index| read_index.index).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(300);

    #[test]
    fn the_lease_is_shorter_by_what_both_clocks_may_be_wrong() {
        assert_eq!(reliable_for(LEASE, 0), LEASE);
        // 300 ms * 0.9 / 1.1
        assert_eq!(reliable_for(LEASE, 100_000).as_micros(), 245_454);
        assert_eq!(reliable_for(LEASE, MILLION), Duration::ZERO);
        assert_eq!(reliable_for(LEASE, u32::MAX), Duration::ZERO);
    }

    #[test]
    fn a_slow_leader_stops_relying_on_it_before_a_fast_follower_forgets_it() {
        for drift_ppm in [1_u32, 100, 500, 10_000, 100_000] {
            let drift = f64::from(drift_ppm) / 1e6;
            let leader_relies_until = reliable_for(LEASE, drift_ppm).as_secs_f64() / (1.0 - drift);
            let follower_forgets_at = LEASE.as_secs_f64() / (1.0 + drift);
            assert!(leader_relies_until <= follower_forgets_at, "{drift_ppm}");
        }
    }
}
