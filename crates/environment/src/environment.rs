//! The [`Environment`] trait and its network types.

use std::fmt::{self, Debug};
use std::future::Future;
use std::io;
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fact::Fact;
use crate::time::{Moment, WallTime};
use crate::worker::{Worker, WorkerFinished, WorkerHandle};

/// The world that one node lives in. Cheap to clone; clones share the world.
pub trait Environment: Clone + Debug + Send + Sync + 'static {
    /// openraft's runtime in this world.
    type Runtime: AsyncRuntime + Send + Sync;

    /// A connected, reliable, ordered byte stream.
    type Stream: AsyncRead + AsyncWrite + Debug + Send + Unpin + 'static;

    /// A bound address that accepts byte streams.
    type Listener: Listener<Stream = Self::Stream>;

    /// The monotonic clock.
    fn now(&self) -> Moment;

    /// The wall clock, as this machine believes.
    fn wall_now(&self) -> WallTime;

    /// Sleeps until the monotonic clock has reached `moment`. May wake late, never early.
    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static;

    /// Binds `address` (`HOST:PORT`; port 0 picks a free one).
    fn listen(&self, address: &str) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Connects to `address` (`HOST:PORT`). Has no time limit of its own: see [`Environment::timeout_at`].
    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Fills `bytes` with random bytes: the operating system's, or the seed's.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Spawns a detached task. `name` says in traces what it is. A panic in it ends the process (or
    /// the simulation): a broken invariant stops the node.
    fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Starts a storage worker. See [`crate::worker`]. If the world has no thread for it, the worker has
    /// ended before its first job, and gives every job back.
    fn spawn_worker<W: Worker>(&self, name: &str, worker: W) -> (WorkerHandle<W::Job>, WorkerFinished);

    /// Rests in the middle of a worker's round, called by the worker itself: its thread blocks. A simulated round
    /// takes no time between its beginning and its end, so it does not rest either.
    fn pause_round(&self, duration: Duration);

    /// Lets the world witness a fact about this node, if there is one. Nobody listens, but in a
    /// simulation: elsewhere the fact is not even put together.
    fn witness<'a>(&self, _fact: impl FnOnce() -> Option<Fact<'a>>) {}

    /// Sleeps for `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.sleep_until(self.now() + duration)
    }

    /// Runs `future`, but not past `deadline`. The future is polled first, so a result that is ready
    /// wins over a deadline that has passed.
    fn timeout_at<F>(
        &self,
        deadline: Moment,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        let sleep = self.sleep_until(deadline);
        async move {
            match Self::Runtime::select2(future, sleep).await {
                openraft_rt::Select2::First(output) => Ok(output),
                openraft_rt::Select2::Second(()) => Err(Elapsed),
            }
        }
    }

    /// Runs `future`, but no longer than `duration`.
    fn timeout<F>(
        &self,
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.timeout_at(self.now() + duration, future)
    }

    /// A random `u64`.
    fn random_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// `duration` scaled by a random factor between 0.5 and 1.5, so that retries of many nodes spread.
    fn jitter(&self, duration: Duration) -> Duration {
        let thousandths = 500 + (self.random_u64() % 1001) as u32;
        duration * thousandths / 1000
    }
}

/// A bound address that accepts byte streams.
pub trait Listener: Debug + Send + 'static {
    /// The stream type of the environment.
    type Stream;

    /// Waits for the next connection; with it comes the peer's address, for logs only.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, String)>> + Send;

    /// The address that is bound, with the port that was picked.
    fn local_address(&self) -> io::Result<String>;
}

/// A deadline passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the deadline has passed")
    }
}

impl std::error::Error for Elapsed {}
