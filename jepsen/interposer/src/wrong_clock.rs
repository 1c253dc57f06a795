//! What the time is, as the control page has it.

use std::sync::atomic::Ordering;

use libc::{clockid_t, timespec};
use quorate_faults::clock::{ClockFault, true_monotonic};

use crate::followed::followed;

const SECOND: i64 = 1_000_000_000;

/// How the clock is wrong, if somebody has touched it.
pub fn clock_fault() -> Option<ClockFault> {
    followed()?.control().clock()
}

/// Makes a time of this clock wrong. Clocks that measure something else stay as they are.
pub fn put_wrong(clock: clockid_t, time: &mut timespec) {
    let Some(fault) = clock_fault() else { return };
    let wall = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => fault.wall_ahead,
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME => 0,
        _ => return,
    };
    if let Some(followed) = followed()
        && (fault.rate_ppm, fault.wall_ahead) != (0, 0)
    {
        followed.control().wrong_times.fetch_add(1, Ordering::Relaxed);
    }
    *time = timespec_of(nanoseconds(time) + fault.ahead_at(true_monotonic()) + wall);
}

/// A deadline of the monotonic clock, as the kernel has to be told it.
pub fn true_deadline(deadline: &timespec) -> Option<timespec> {
    let fault = clock_fault()?;
    let now = true_monotonic();
    let left = nanoseconds(deadline) - (now + fault.ahead_at(now));
    Some(timespec_of(now + fault.true_nanoseconds(left.max(0))))
}

/// A time to wait, as the kernel has to be told it.
pub fn true_wait(wait: &timespec) -> Option<timespec> {
    Some(timespec_of(clock_fault()?.true_nanoseconds(nanoseconds(wait))))
}

fn nanoseconds(time: &timespec) -> i64 {
    time.tv_sec * SECOND + time.tv_nsec
}

fn timespec_of(nanoseconds: i64) -> timespec {
    timespec { tv_sec: nanoseconds.div_euclid(SECOND), tv_nsec: nanoseconds.rem_euclid(SECOND) }
}
