//! openraft's runtime on madsim.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use madsim::rand::RngCore;
use madsim::runtime::Runtime;
use openraft_rt::{AsyncRuntime, OptionalSend, instant};
use quorate_environment::Elapsed;
use rand::TryRng;

use super::clock;
use super::sleep::Sleep;
use super::watch::FifoWatch;

/// openraft's runtime in a simulation.
///
/// tokio's `mpsc`, `oneshot` and mutex need no runtime and wake in order, so they serve here too; its
/// `watch` wakes in random order and is replaced.
pub struct SimulatedRuntime {
    runtime: Runtime,
}

impl fmt::Debug for SimulatedRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimulatedRuntime").finish_non_exhaustive()
    }
}

impl AsyncRuntime for SimulatedRuntime {
    type JoinError = madsim::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = madsim::task::JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = SimulatedInstant;
    type TimeoutError = Elapsed;
    type Timeout<R, F: Future<Output = R> + OptionalSend> = Timeout<F>;
    type ThreadLocalRng = SimulatedRng;
    type Mpsc = openraft_rt_tokio::TokioMpsc;
    type Watch = FifoWatch;
    type Oneshot = openraft_rt_tokio::TokioOneshot;
    type Mutex<T: OptionalSend + 'static> = openraft_rt_tokio::TokioMutex<T>;

    #[track_caller]
    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        madsim::task::spawn(future)
    }

    fn sleep(duration: Duration) -> Sleep {
        Sleep::until(clock::now().checked_add(duration))
    }

    fn sleep_until(deadline: SimulatedInstant) -> Sleep {
        Sleep::until(Some(deadline.0))
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Timeout<F> {
        Timeout { future: Box::pin(future), sleep: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: SimulatedInstant,
        future: F,
    ) -> Timeout<F> {
        Timeout { future: Box::pin(future), sleep: Self::sleep_until(deadline) }
    }

    /// Always false: a panic in a task does not end that task but the simulation, which is what finds
    /// the bug.
    fn is_panic(error: &Self::JoinError) -> bool {
        error.is_panic()
    }

    fn thread_rng() -> SimulatedRng {
        SimulatedRng(madsim::rand::thread_rng())
    }

    /// Only openraft's test suites call this; a simulation starts with
    /// [`simulate`](super::simulation::simulate).
    fn new(_threads: usize) -> Self {
        Self { runtime: Runtime::new() }
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.runtime.block_on(future)
    }

    /// Runs `work` in place: a thread would bring the machine's own timing into the simulation.
    async fn spawn_blocking<F, T>(work: F) -> Result<T, io::Error>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(work())
    }
}

/// A moment on the [clock](super::clock) of the machine whose task reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimulatedInstant(std::time::Instant);

impl instant::Instant for SimulatedInstant {
    fn now() -> Self {
        Self(clock::now())
    }
}

impl Add<Duration> for SimulatedInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for SimulatedInstant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for SimulatedInstant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for SimulatedInstant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl Sub for SimulatedInstant {
    type Output = Duration;

    fn sub(self, other: Self) -> Duration {
        self.0 - other.0
    }
}

/// A future with a deadline. The future is polled first, as tokio does.
#[derive(Debug)]
pub struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(output) = this.future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut this.sleep).poll(context).map(|()| Err(Elapsed))
    }
}

/// The simulation's random numbers, all from its seed.
pub struct SimulatedRng(madsim::rand::GlobalRng);

impl fmt::Debug for SimulatedRng {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimulatedRng").finish_non_exhaustive()
    }
}

impl TryRng for SimulatedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}
