//! Bugs of the state machine put back on purpose, to prove that the simulator finds them.
//!
//! As in the environment, which this crate must not know: the switch exists only with the cargo feature
//! `mutants`, which only the simulator and `cargo xtask jepsen prove` enable; in every other build [`active`] is
//! the constant `false` and the bug is compiled away. A process runs at most one mutant.

/// A bug that can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Mutant {
    /// A repeated write of a session is applied again.
    RetryAppliedTwice = 1,
    /// The comparisons of a proposal's transactions are made before any of its commands is applied.
    TransactionComparesApart = 2,
    /// The later pages of a range show the newest revision instead of that of the first page.
    PageMixesRevisions = 3,
    /// Compaction removes the newest value of a key.
    CompactionRemovesLiveValue = 4,
    /// A node that starts goes by the settings it was configured with instead of the replicated ones.
    SettingsOfConfiguration = 5,
    /// A range comes in the order of a hash of its keys.
    RangeOrderedByHash = 6,
    /// A record is believed whatever its checksum says.
    ChecksumNotVerified = 7,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Mutant; 7] = [
        Mutant::RetryAppliedTwice,
        Mutant::TransactionComparesApart,
        Mutant::PageMixesRevisions,
        Mutant::CompactionRemovesLiveValue,
        Mutant::SettingsOfConfiguration,
        Mutant::RangeOrderedByHash,
        Mutant::ChecksumNotVerified,
    ];

    /// The mutant's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Mutant::RetryAppliedTwice => "retry-applied-twice",
            Mutant::TransactionComparesApart => "transaction-compares-apart",
            Mutant::PageMixesRevisions => "page-mixes-revisions",
            Mutant::CompactionRemovesLiveValue => "compaction-removes-live-value",
            Mutant::SettingsOfConfiguration => "settings-of-configuration",
            Mutant::RangeOrderedByHash => "range-ordered-by-hash",
            Mutant::ChecksumNotVerified => "checksum-not-verified",
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
