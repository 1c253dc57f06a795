//! The limits of time and memory of one check.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use quorate_jepsen::register::Spending;

/// Where Linux says how much memory a process has.
const STATUS: &str = "/proc/self/status";

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The time, in milliseconds.
    Time(u64),
    /// The memory, in mebibytes.
    Memory(u64),
}

impl fmt::Display for Reached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(limit) => write!(formatter, "the limit of {limit} ms was reached"),
            Self::Memory(limit) => write!(formatter, "the limit of {limit} MiB was reached"),
        }
    }
}

/// Watches the limits of one check.
pub struct Watch {
    started: Instant,
    limit_ms: u64,
    limit_mib: u64,
    /// 0 while no limit is reached, else which.
    reached: AtomicU8,
}

const TIME: u8 = 1;
const MEMORY: u8 = 2;

impl Watch {
    /// Starts the clock.
    pub fn start(limit_ms: u64, limit_mib: u64) -> Self {
        Self { started: Instant::now(), limit_ms, limit_mib, reached: AtomicU8::new(0) }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether a limit is reached.
    pub fn is_up(&self) -> bool {
        let reached = if self.elapsed() >= Duration::from_millis(self.limit_ms) {
            TIME
        } else if resident_bytes().is_some_and(|bytes| bytes >= self.limit_mib << 20) {
            MEMORY
        } else {
            return false;
        };
        // The first limit is the one to name.
        let _first = self.reached.compare_exchange(0, reached, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    /// The limit that was reached.
    pub fn reached(&self) -> Option<Reached> {
        match self.reached.load(Ordering::Relaxed) {
            TIME => Some(Reached::Time(self.limit_ms)),
            MEMORY => Some(Reached::Memory(self.limit_mib)),
            _ => None,
        }
    }

    /// What a check may spend. The memory that is already taken counts.
    pub fn spending<'a>(&self, is_up: &'a (dyn Fn() -> bool + Sync), threads: usize) -> Spending<'a> {
        let left = (self.limit_mib << 20).saturating_sub(resident_bytes().unwrap_or(0));
        Spending {
            steps_per_key_max: u64::MAX,
            search_bytes_max: usize::try_from(left).unwrap_or(usize::MAX),
            is_time_up: is_up,
            threads,
        }
    }
}

/// The memory of this process; none where the system does not say, and then only the searches that count
/// their own memory keep its limit.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string(STATUS).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
