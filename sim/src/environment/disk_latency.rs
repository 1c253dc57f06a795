//! How long a round of a simulated disk takes.

use std::time::Duration;

use madsim::rand::Rng;

/// The distribution of the time that a storage worker's round takes.
///
/// A draw is the least of several uniform draws between `shortest` and `longest`, so most rounds are
/// near the shortest and few near the longest, as with real disks. Now and then the disk stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLatency {
    /// The least time of a round.
    pub shortest: Duration,
    /// The greatest time of a round that does not stall.
    pub longest: Duration,
    /// How many uniform draws the least is taken of: 1 is uniform, more are skewed to the shortest.
    pub draws: u32,
    /// One round in so many stalls; 0 means none.
    pub stall_one_in: u32,
    /// How long a stall takes, on top of the round.
    pub stall: Duration,
}

impl DiskLatency {
    /// A disk that takes no time.
    pub const NONE: Self = Self {
        shortest: Duration::ZERO,
        longest: Duration::ZERO,
        draws: 1,
        stall_one_in: 0,
        stall: Duration::ZERO,
    };

    /// Draws the latency of one round from the simulation's random numbers.
    pub(super) fn draw(&self) -> Duration {
        let mut random = madsim::rand::thread_rng();
        let least = (0..self.draws.max(1))
            .map(|_| random.gen_range(self.shortest..=self.longest.max(self.shortest)))
            .min()
            .expect("at least one draw was made");
        let stalls = self.stall_one_in > 0 && random.gen_range(0..self.stall_one_in) == 0;
        if stalls { least + self.stall } else { least }
    }
}

impl Default for DiskLatency {
    /// A local SSD: 100 µs to 5 ms, three draws (a mean of 1.3 ms), no stalls.
    fn default() -> Self {
        Self {
            shortest: Duration::from_micros(100),
            longest: Duration::from_millis(5),
            draws: 3,
            ..Self::NONE
        }
    }
}
