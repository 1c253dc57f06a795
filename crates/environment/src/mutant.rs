//! Bugs put back on purpose, to prove that the simulator finds them, and the runner of real processes some of them.
//!
//! A mutant is a known bug behind a switch. The switch exists only with the cargo feature `mutants`,
//! which only the simulator and `cargo xtask jepsen prove` enable; in every other build [`active`] is the
//! constant `false` and the bug is compiled away. A process runs at most one mutant.

/// A bug that can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mutant {
    /// A linearizable read is answered from local state, without a ReadIndex round.
    StaleRead = 1,
    /// A linearizable read joins a ReadIndex round that began before the read arrived.
    JoinRunningReadIndexRound = 2,
    /// Appended entries count as flushed before they are.
    AcknowledgeBeforeFlush = 3,
    /// A vote is answered but not written to disk.
    VoteNotSaved = 4,
    /// A checkpoint writes the data and the applied index in two transactions.
    CheckpointApart = 5,
    /// The leader counts followers that have not confirmed.
    CommitByMinority = 6,
    /// The newest entries of the log are lost when a node restarts.
    LogTailLost = 7,
    /// A read misses a newer value that is only in the overlay.
    OverlayMiss = 8,
    /// An installed snapshot comes without the sessions and what they keep.
    SessionsLostInSnapshot = 9,
    /// The state's time, by which sessions expire, is the clock of the node that applies.
    SessionExpiryByLocalClock = 10,
    /// The state's time is taken once for all entries that are applied together.
    ApplyDependsOnBatches = 11,
    /// A node that has been removed does not note it, and goes on as before.
    RemovedNodeKeepsVoting = 12,
    /// A new data directory has the incarnation of the one before it.
    NumberReusedWithoutIncarnation = 13,
    /// A learner becomes a voter before it has caught up.
    PromotionBeforeCatchUp = 14,
    /// A leader that is to be removed goes on leading.
    LeaderIgnoresOwnRemoval = 15,
    /// A node that is to stay a learner gets a vote, so that what it has on its disk counts.
    LearnerCountedInQuorum = 16,
    /// A cluster that is made from what is left of another keeps its identity.
    RecoveryKeepsOldIdentity = 17,
    /// A membership is shown and gone by before it is committed.
    AddressChangeBeforeCommit = 18,
    /// Leadership is handed to the voter that is furthest behind, and elections that follow from that ignore
    /// what is in the logs.
    TransferToLaggard = 20,
    /// A leader relies on its lease for as long as if all clocks ran at one rate.
    LeaseReadIgnoresDrift = 21,
    /// A router repeats a write that it has sent and of which it does not know what became of it.
    RouterRepeatsPlainWrite = 22,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Mutant; 21] = [
        Mutant::StaleRead,
        Mutant::JoinRunningReadIndexRound,
        Mutant::AcknowledgeBeforeFlush,
        Mutant::VoteNotSaved,
        Mutant::CheckpointApart,
        Mutant::CommitByMinority,
        Mutant::LogTailLost,
        Mutant::OverlayMiss,
        Mutant::SessionsLostInSnapshot,
        Mutant::SessionExpiryByLocalClock,
        Mutant::ApplyDependsOnBatches,
        Mutant::RemovedNodeKeepsVoting,
        Mutant::NumberReusedWithoutIncarnation,
        Mutant::PromotionBeforeCatchUp,
        Mutant::LeaderIgnoresOwnRemoval,
        Mutant::LearnerCountedInQuorum,
        Mutant::RecoveryKeepsOldIdentity,
        Mutant::AddressChangeBeforeCommit,
        Mutant::TransferToLaggard,
        Mutant::LeaseReadIgnoresDrift,
        Mutant::RouterRepeatsPlainWrite,
    ];

    /// The mutant's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Mutant::StaleRead => "stale-read",
            Mutant::JoinRunningReadIndexRound => "join-running-read-index-round",
            Mutant::AcknowledgeBeforeFlush => "acknowledge-before-flush",
            Mutant::VoteNotSaved => "vote-not-saved",
            Mutant::CheckpointApart => "checkpoint-apart",
            Mutant::CommitByMinority => "commit-by-minority",
            Mutant::LogTailLost => "log-tail-lost",
            Mutant::OverlayMiss => "overlay-miss",
            Mutant::SessionsLostInSnapshot => "sessions-lost-in-snapshot",
            Mutant::SessionExpiryByLocalClock => "session-expiry-by-local-clock",
            Mutant::ApplyDependsOnBatches => "apply-depends-on-batches",
            Mutant::RemovedNodeKeepsVoting => "removed-node-keeps-voting",
            Mutant::NumberReusedWithoutIncarnation => "number-reused-without-incarnation",
            Mutant::PromotionBeforeCatchUp => "promotion-before-catch-up",
            Mutant::LeaderIgnoresOwnRemoval => "leader-ignores-own-removal",
            Mutant::LearnerCountedInQuorum => "learner-counted-in-quorum",
            Mutant::RecoveryKeepsOldIdentity => "recovery-keeps-old-identity",
            Mutant::AddressChangeBeforeCommit => "address-change-before-commit",
            Mutant::TransferToLaggard => "transfer-to-laggard-loses-entries",
            Mutant::LeaseReadIgnoresDrift => "lease-read-ignores-drift",
            Mutant::RouterRepeatsPlainWrite => "router-repeats-plain-write",
        }
    }

    /// The mutant with that name.
    pub fn from_name(name: &str) -> Option<Mutant> {
        Mutant::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}

#[cfg(feature = "mutants")]
static ACTIVE: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Puts `mutant` back in this process, or none.
#[cfg(feature = "mutants")]
pub fn activate(mutant: Option<Mutant>) {
    ACTIVE.store(mutant.map_or(0, |mutant| mutant as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Whether `mutant` has been put back in this process.
#[cfg(feature = "mutants")]
pub fn active(mutant: Mutant) -> bool {
    ACTIVE.load(std::sync::atomic::Ordering::Relaxed) == mutant as u8
}

/// Whether `mutant` has been put back: never, in this build.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn active(_mutant: Mutant) -> bool {
    false
}
