//! Clocks that are wrong.
//!
//! A machine has a clock that only goes forward, at a rate that is never quite right, and a wall clock that is the same
//! oscillator plus whatever somebody sets it to. So the rate changes both, and a jump only the wall clock. When the rate
//! changes, the monotonic clock goes on from where it stands: it never jumps, as the kernel promises. (That is why
//! this is not libfaketime: there a jump moves the monotonic clock too, and to end a rate moves it back.)

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How one clock stands to the true one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockFault {
    /// True monotonic nanoseconds from which on the rate holds.
    pub since: i64,
    /// How far the clock was ahead then, in nanoseconds.
    pub ahead: i64,
    /// By how much it is too fast, in millionths. -500,000 is half as fast as time.
    pub rate_ppm: i64,
    /// How far the wall clock was set ahead besides, in nanoseconds.
    pub wall_ahead: i64,
}

impl ClockFault {
    /// How far the monotonic clock is ahead at the true time `now`.
    pub fn ahead_at(&self, now: i64) -> i64 {
        self.ahead + scaled(now - self.since, self.rate_ppm, 1_000_000)
    }

    /// From `now` on the clock runs at another rate.
    pub fn with_rate(self, now: i64, rate_ppm: i64) -> Self {
        Self { since: now, ahead: self.ahead_at(now), rate_ppm, ..self }
    }

    /// The true time from now until the clock has gone on by `wanted` nanoseconds.
    pub fn true_nanoseconds(&self, wanted: i64) -> i64 {
        scaled(wanted, 1_000_000, 1_000_000 + self.rate_ppm)
    }
}

fn scaled(value: i64, numerator: i64, denominator: i64) -> i64 {
    (i128::from(value) * i128::from(numerator) / i128::from(denominator)) as i64
}

/// The true monotonic clock, in nanoseconds.
pub fn true_monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Nanoseconds of a duration, as clocks count them.
pub fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).expect("no fault takes centuries")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_rate_is_no_jump() {
        let clock = ClockFault::default().with_rate(1_000, 500_000);
        assert_eq!((clock.ahead_at(1_000), clock.ahead_at(3_000)), (0, 1_000));
        let clock = clock.with_rate(3_000, -500_000);
        assert_eq!((clock.ahead_at(3_000), clock.ahead_at(5_000)), (1_000, 0));
        let clock = clock.with_rate(5_000, 0);
        assert_eq!(clock.ahead_at(9_000), 0);
    }

    #[test]
    fn who_waits_by_a_fast_clock_waits_less() {
        let clock = ClockFault { rate_ppm: 1_000_000, ..ClockFault::default() };
        assert_eq!(clock.true_nanoseconds(100), 50);
        let clock = ClockFault { rate_ppm: -500_000, ..ClockFault::default() };
        assert_eq!(clock.true_nanoseconds(100), 200);
    }
}
