//! The clocks of machines, which differ.
//!
//! A simulation has one *true* time: madsim's, in which networks and disks work and events are recorded. A
//! machine sees its own clock instead, which runs a little fast or slow and began at another moment, and a
//! wall clock that somebody may set. Whatever sleeps or waits on a machine does so by that machine's clock, so
//! code that compares times of two machines, or trusts a lease for too long, is found out.
//!
//! Which clock is read follows from the machine whose task runs, because openraft asks for the time through a
//! function without arguments. A machine whose clock was never set up (those of clients, the supervisor's)
//! shows true time. The clocks of a simulation end with its thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use madsim::task::NodeId;
use madsim::time::TimeHandle;

const MILLION: i64 = 1_000_000;

thread_local! {
    static CLOCKS: RefCell<BTreeMap<NodeId, Clock>> = const { RefCell::new(BTreeMap::new()) };
}

/// The clock of one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// By how many millionths it runs fast; slow if less than 0.
    pub drift_ppm: i64,
    /// How long the machine had been up when the simulation began.
    pub uptime: Duration,
    /// By how many milliseconds the wall clock was ahead then; behind if less than 0.
    pub wall_ahead_ms: i64,
    /// The true time and, at that moment, the time on this clock since the simulation began: the drift
    /// counts from there.
    set: (Duration, Duration),
}

impl Clock {
    /// A clock that runs fast by some millionths, of a machine that has been up for `uptime`, whose wall clock
    /// is ahead by some milliseconds.
    pub fn new(drift_ppm: i64, uptime: Duration, wall_ahead_ms: i64) -> Self {
        Self { drift_ppm, uptime, wall_ahead_ms, set: Default::default() }
    }

    /// What this clock shows at `truth` (true time since the simulation began), since the simulation began.
    fn elapsed(&self, truth: Duration) -> Duration {
        let (set_true, set_local) = self.set;
        let span = truth.saturating_sub(set_true);
        let nanos = i64::try_from(span.as_nanos()).expect("a simulation does not take centuries");
        let drift = nanos / MILLION * self.drift_ppm + nanos % MILLION * self.drift_ppm / MILLION;
        set_local + Duration::from_nanos((nanos + drift).unsigned_abs())
    }

    /// How long the machine has been up at `truth`, by this clock.
    fn uptime_at(&self, truth: Duration) -> Duration {
        self.uptime + self.elapsed(truth)
    }

    /// The true time in which this clock goes on by `span`, rounded up.
    fn true_span(&self, span: Duration) -> Duration {
        if self.drift_ppm == 0 {
            return span;
        }
        let nanos = span.as_nanos() * MILLION as u128 / (MILLION + self.drift_ppm).unsigned_abs() as u128;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)) + Duration::from_nanos(1)
    }

    fn set_drift(&mut self, truth: Duration, drift_ppm: i64) {
        self.set = (truth, self.elapsed(truth));
        self.drift_ppm = drift_ppm;
    }
}

/// Gives a machine this clock.
pub fn install(machine: NodeId, clock: Clock) {
    CLOCKS.with_borrow_mut(|clocks| clocks.insert(machine, clock));
}

/// Lets a machine's clock run fast by so many millionths from now on.
pub fn set_drift(machine: NodeId, drift_ppm: i64) {
    let truth = TimeHandle::current().elapsed();
    change(machine, |clock| clock.set_drift(truth, drift_ppm));
}

/// Sets a machine's wall clock forward by so many milliseconds, or back.
pub fn jump(machine: NodeId, milliseconds: i64) {
    change(machine, |clock| clock.wall_ahead_ms += milliseconds);
}

fn change(machine: NodeId, change: impl FnOnce(&mut Clock)) {
    CLOCKS.with_borrow_mut(|clocks| change(clocks.entry(machine).or_default()));
}

/// The clock of the machine whose task runs.
fn current() -> Clock {
    let machine = madsim::plugin::node();
    CLOCKS.with_borrow(|clocks| clocks.get(&machine).copied().unwrap_or_default())
}

/// How long the machine whose task runs has been up, by its own clock.
pub(super) fn uptime() -> Duration {
    current().uptime_at(TimeHandle::current().elapsed())
}

/// The same as an instant, which only this machine may compare with its others.
pub(super) fn now() -> Instant {
    let time = TimeHandle::current();
    let truth = time.elapsed();
    time.now_instant() - truth + current().uptime_at(truth)
}

/// What the wall clock of the machine whose task runs shows, in milliseconds since 1970.
pub(super) fn wall_now_ms() -> u64 {
    let (time, clock) = (TimeHandle::current(), current());
    let began = time.now_time() - time.elapsed();
    let since_epoch = began.duration_since(UNIX_EPOCH).expect("a simulation begins after 1970");
    let shown = (since_epoch + clock.elapsed(time.elapsed())).as_millis() as u64;
    shown.saturating_add_signed(clock.wall_ahead_ms)
}

/// The moment of true time at which the clock of the machine whose task runs will show `deadline`, if it goes
/// on as it does. `None` if that is beyond all time.
pub(super) fn true_moment(deadline: Instant) -> Option<Instant> {
    let (time, clock) = (TimeHandle::current(), current());
    let (truth, now) = (time.elapsed(), time.now_instant());
    let shown = now - truth + clock.uptime_at(truth);
    match deadline.saturating_duration_since(shown) {
        Duration::ZERO => Some(now),
        left => now.checked_add(clock.true_span(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_fast_clock_is_ahead_and_waits_less() {
        let clock = Clock::new(100_000, Duration::ZERO, 0);
        assert_eq!(clock.elapsed(10 * SECOND), 11 * SECOND);
        assert_eq!(clock.true_span(11 * SECOND), 10 * SECOND + Duration::from_nanos(1));
        assert_eq!(Clock::new(-100_000, Duration::ZERO, 0).elapsed(10 * SECOND), 9 * SECOND);
    }

    #[test]
    fn a_clock_that_changes_its_drift_does_not_jump() {
        let mut clock = Clock::new(100_000, Duration::ZERO, 0);
        clock.set_drift(10 * SECOND, -500_000);
        assert_eq!(clock.elapsed(10 * SECOND), 11 * SECOND);
        assert_eq!(clock.elapsed(12 * SECOND), 12 * SECOND);
    }
}
