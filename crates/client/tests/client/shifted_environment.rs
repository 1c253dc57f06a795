//! A world whose clock can be moved forward, and in which everything else is real.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_environment::{
    Environment, Moment, TokioEnvironment, WallTime, Worker, WorkerFinished, WorkerHandle,
};

/// The environment of a client that is to grow old fast.
#[derive(Clone, Debug, Default)]
pub struct ShiftedEnvironment {
    real: TokioEnvironment,
    ahead_ms: Arc<AtomicU64>,
}

impl ShiftedEnvironment {
    /// Lets time pass.
    pub fn pass(&self, duration: Duration) {
        self.ahead_ms.fetch_add(duration.as_millis() as u64, Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
}

impl Environment for ShiftedEnvironment {
    type Runtime = <TokioEnvironment as Environment>::Runtime;
    type Stream = <TokioEnvironment as Environment>::Stream;
    type Listener = <TokioEnvironment as Environment>::Listener;

    fn now(&self) -> Moment {
        self.real.now() + self.ahead()
    }

    fn wall_now(&self) -> WallTime {
        self.real.wall_now()
    }

    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static {
        self.real.sleep_until(moment - self.ahead())
    }

    async fn listen(&self, address: &str) -> io::Result<Self::Listener> {
        self.real.listen(address).await
    }

    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        self.real.connect(address).await
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.real.fill_random(bytes);
    }

    fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.real.spawn(name, future);
    }

    fn spawn_worker<W: Worker>(&self, name: &str, worker: W) -> (WorkerHandle<W::Job>, WorkerFinished) {
        self.real.spawn_worker(name, worker)
    }

    fn pause_round(&self, duration: Duration) {
        self.real.pause_round(duration);
    }
}
