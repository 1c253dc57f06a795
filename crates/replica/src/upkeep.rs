//! How the leader keeps the store: it has old revisions compacted, what is given up swept, expired sessions
//! removed, and the states of all replicas compared.
//!
//! All of it goes through the log as commands, like what clients write, so that it happens on all replicas
//! alike. When it happens is for the leader to say, by the replicated settings; nothing depends on it that
//! has to be right, so that a leader that does not know yet that it is none any more does no harm. What is
//! refused is tried again in the next round.
//!
//! Sweeping takes time from the writes of clients, for every replica has to apply it. So it goes in small
//! pieces, and after each it rests for as long as the piece took: a store that is busy makes it slower.
//!
//! A replica whose state differs from the leader's notices it when it applies the leader's digest, and stops
//! ([`quorate_kv::MachineError::Diverged`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft_rt::{AsyncRuntime, Select2};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, Outcome, Setting};
use tokio_util::sync::CancellationToken;

use crate::compaction::CompactionPolicy;
use crate::leadership::{Leader, known_leader};
use crate::proposer::ProposeResult;
use crate::replica::{Replica, pause};

/// How often a replica looks what there is to do.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a round sweeps, at most.
const SWEEPING_MAX: Duration = Duration::from_secs(1);
/// Records of the history that one piece of sweeping looks at: applied in about a millisecond.
const SWEEP_RECORDS: u64 = 512;
/// How long sweeping rests between two pieces, at least.
const SWEEP_REST_MIN: Duration = Duration::from_millis(5);
/// How often expired sessions are looked for when there are sessions.
const SESSION_SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long a proposal may take.
const PROPOSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries of the log that a comparison of digests takes: the mark and the check.
const ENTRIES_OF_COMPARISON: u64 = 2;

/// Does what is to be done until `shutdown` is cancelled.
pub(crate) async fn keep_store<E: Environment>(replica: Replica<E>, shutdown: CancellationToken) {
    let environment = replica.environment().clone();
    let mut upkeep = Upkeep::new(replica);
    while pause(&environment, &shutdown, INTERVAL).await {
        if let Select2::First(()) = E::Runtime::select2(shutdown.cancelled(), upkeep.round()).await {
            return;
        }
    }
}

/// What upkeep has done since the node started.
#[derive(Debug, Default)]
pub(crate) struct UpkeepCounters {
    /// Comparisons of digests that this node has led.
    pub(crate) digests_compared: AtomicU64,
}

/// See the module's documentation.
struct Upkeep<E: Environment> {
    replica: Replica<E>,
    compaction: CompactionPolicy,
    /// Whether the last piece of sweeping left something to do.
    sweep_remains: bool,
    /// When all of what had expired was removed last.
    sessions_swept: Option<Moment>,
    /// When digests were compared last.
    digests_compared: Option<Moment>,
    /// Nothing that a client did is behind this index that was not compared.
    compared_index: u64,
}

impl<E: Environment> Upkeep<E> {
    fn new(replica: Replica<E>) -> Self {
        Self {
            replica,
            compaction: CompactionPolicy::default(),
            sweep_remains: false,
            sessions_swept: None,
            digests_compared: None,
            compared_index: 0,
        }
    }

    async fn round(&mut self) {
        // A storage that is closed needs no upkeep.
        let Ok(state) = self.replica.inner().reader.summary() else { return };
        self.compaction.note(self.now(), &state);
        if self.leads() && self.keep().await.is_none() {
            tracing::debug!("a round of upkeep was cut short");
        }
    }

    /// Does all that is due. `None` if something was refused: what comes behind it would be, too.
    async fn keep(&mut self) -> Option<()> {
        self.compact().await?;
        self.sweep().await?;
        self.compare_digests().await
    }

    async fn compact(&mut self) -> Option<()> {
        let state = self.replica.inner().reader.summary().ok()?;
        let Some(revision) = self.compaction.due(self.now(), &state) else { return Some(()) };
        tracing::debug!(revision, "compacting");
        self.propose(Command::Compact { revision }).await.map(drop)
    }

    async fn sweep(&mut self) -> Option<()> {
        if !self.is_sweep_due()? {
            return Some(());
        }
        let end = self.now() + SWEEPING_MAX;
        while self.now() < end {
            let began = self.now();
            let Outcome::Swept { remaining, .. } =
                self.propose(Command::Sweep { records_max: SWEEP_RECORDS }).await?
            else {
                return None;
            };
            self.sweep_remains = remaining;
            if !remaining {
                self.sessions_swept = Some(began);
                break;
            }
            let rest = self.now().saturating_since(began).max(SWEEP_REST_MIN);
            self.replica.environment().sleep(rest).await;
        }
        Some(())
    }

    fn is_sweep_due(&self) -> Option<bool> {
        let state = self.replica.inner().reader.summary().ok()?;
        let sessions_due =
            state.session_count > 0 && self.is_due(self.sessions_swept, SESSION_SWEEP_INTERVAL);
        Some(self.sweep_remains || sessions_due || state.swept_revision < state.compacted_revision)
    }

    /// Has all replicas compare their states with this one's, if something has happened since the last time.
    async fn compare_digests(&mut self) -> Option<()> {
        let applied = self.replica.inner().reader.applied().ok()?;
        let index = applied.log_id.map_or(0, |log_id| log_id.index());
        let interval_ms = applied.summary.settings.get(Setting::DigestIntervalMs);
        let is_due = self.is_due(self.digests_compared, Duration::from_millis(interval_ms));
        if interval_ms == 0 || !is_due || index <= self.compared_index {
            return Some(());
        }
        self.digests_compared = Some(self.now());
        let Outcome::DigestMarked { mark, digest } = self.propose(Command::MarkDigest).await? else {
            return None;
        };
        self.propose(Command::CheckDigest { mark, digest }).await?;
        self.replica.inner().upkeep.digests_compared.fetch_add(1, Ordering::Relaxed);
        // If clients wrote meanwhile, there is more behind this, and another comparison will follow.
        self.compared_index = index + ENTRIES_OF_COMPARISON;
        Some(())
    }

    /// Runs a command to its outcome, if this node leads and has room.
    async fn propose(&self, command: Command) -> Option<Outcome> {
        let inner = self.replica.inner();
        if !self.leads() || !self.replica.has_room_for(&command) {
            return None;
        }
        match inner.proposer.propose(command, self.now() + PROPOSAL_TIMEOUT).await {
            ProposeResult::Applied(outcome) => Some(outcome),
            ProposeResult::NotLeader | ProposeResult::NotProposed | ProposeResult::Unknown(_) => None,
        }
    }

    /// Whether this node leads, as far as it knows, and means to go on doing so.
    fn leads(&self) -> bool {
        let inner = self.replica.inner();
        !inner.leaving.is_cancelled() && known_leader::<E>(&inner.raft) == Some(Leader::Here)
    }

    fn is_due(&self, last: Option<Moment>, interval: Duration) -> bool {
        last.is_none_or(|last| self.now().saturating_since(last) >= interval)
    }

    fn now(&self) -> Moment {
        self.replica.environment().now()
    }
}
