//! A sleep that arms one timer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::clock;

/// A sleep until a moment of virtual time.
///
/// madsim's own sleep adds a timer at every poll and never removes one: a loop that selects between a
/// sleep and something busy would leave thousands of timers behind, each of which wakes the task later
/// for nothing. This one arms a single timer, which wakes whoever polled last, or nobody once the
/// sleep has been dropped.
#[derive(Debug)]
pub struct Sleep {
    /// Absent if the moment is beyond the clock's range and never comes.
    timer: Option<madsim::time::Sleep>,
    /// The moment on the machine's own clock, whose drift may change meanwhile; `None` if true time counts.
    deadline: Option<Instant>,
    alarm: Arc<Alarm>,
    armed: bool,
}

impl Sleep {
    /// Sleeps until the clock of this machine shows `deadline`, and at least a millisecond, as tokio's timer
    /// does. So a loop over sleeps that should not have been slept still lets time pass.
    pub fn until(deadline: Option<Instant>) -> Self {
        let timer = deadline.and_then(clock::true_moment).map(madsim::time::sleep_until);
        Self { timer, deadline, alarm: Arc::default(), armed: false }
    }

    /// Sleeps for exactly `duration` of true time, which may be less than a millisecond: for the latencies
    /// of simulated hardware.
    pub fn exactly(duration: Duration) -> Self {
        let deadline = Instant::now() + duration;
        let mut timer = madsim::time::sleep_until(deadline);
        Pin::new(&mut timer).reset(deadline);
        Self { timer: Some(timer), deadline: None, alarm: Arc::default(), armed: false }
    }

    /// Sets the timer again if the clock has become slower and does not show the deadline yet.
    fn wait_longer(&mut self) {
        let Some(deadline) = self.deadline else { return };
        if deadline > clock::now() {
            self.timer = clock::true_moment(deadline).map(madsim::time::sleep_until);
            self.armed = false;
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.timer.as_ref().is_some_and(madsim::time::Sleep::is_elapsed) {
            this.wait_longer();
        }
        let Some(timer) = &mut this.timer else { return Poll::Pending };
        if timer.is_elapsed() {
            return Poll::Ready(());
        }
        this.alarm.set(Some(context.waker().clone()));
        if !this.armed {
            this.armed = true;
            let alarm = Waker::from(this.alarm.clone());
            return Pin::new(timer).poll(&mut Context::from_waker(&alarm));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.alarm.set(None);
    }
}

/// What madsim's timer wakes.
#[derive(Debug, Default)]
struct Alarm {
    sleeper: Mutex<Option<Waker>>,
}

impl Alarm {
    fn set(&self, sleeper: Option<Waker>) {
        let replaced = {
            let mut current = self.sleeper.lock().expect("nothing panics under this lock");
            std::mem::replace(&mut *current, sleeper)
        };
        // The last waker of a task may drop the task and, with it, other sleeps: not under the lock.
        drop(replaced);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let sleeper = self.sleeper.lock().expect("nothing panics under this lock").take();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }
}
