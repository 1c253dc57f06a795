//! The production environment: tokio, the system's clocks and sockets, the kernel's entropy.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pin_project_lite::pin_project;
use rand::TryRng;
use tokio::net::{TcpListener, TcpStream};

use crate::environment::{Environment, Listener};
use crate::time::{Moment, WallTime};
use crate::worker::{Worker, WorkerFinished, WorkerHandle, worker_channel};

/// The origin of this process's monotonic clock.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Production: must be used inside a tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioEnvironment;

impl TokioEnvironment {
    /// The environment of this process.
    pub fn new() -> Self {
        LazyLock::force(&ORIGIN);
        Self
    }
}

impl Environment for TokioEnvironment {
    type Runtime = openraft_rt_tokio::TokioRuntime;
    type Stream = TcpStream;
    type Listener = TokioListener;

    fn now(&self) -> Moment {
        Moment::from_origin(ORIGIN.elapsed())
    }

    fn wall_now(&self) -> WallTime {
        // A clock before 1970 is broken; the state machine only takes later times anyway.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        WallTime::from_unix_milliseconds(since_epoch.as_millis() as u64)
    }

    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static {
        let instant = ORIGIN.checked_add(moment.since_origin());
        async move {
            match instant {
                Some(instant) => tokio::time::sleep_until(instant.into()).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn listen(&self, address: &str) -> io::Result<TokioListener> {
        TcpListener::bind(address).await.map(TokioListener)
    }

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        rand::rngs::SysRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
    }

    fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tracing::trace!(task = name, "spawn");
        tokio::spawn(Guarded { future });
    }

    fn spawn_worker<W: Worker>(&self, name: &str, worker: W) -> (WorkerHandle<W::Job>, WorkerFinished) {
        let (handle, finished, worker_loop) = worker_channel(worker);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _guard = AbortOnPanic;
            worker_loop.run_blocking();
        });
        if let Err(error) = thread {
            // What cannot go on without it says so; a worker of a transfer is no reason to stop a node.
            tracing::error!(worker = name, %error, "the operating system gives no thread");
        }
        (handle, finished)
    }

    fn pause_round(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

pin_project! {
    /// A task whose panic ends the process. Not an `async` block: that would hold the future twice, and
    /// tasks are copied when they are spawned.
    struct Guarded<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()>> Future for Guarded<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let _guard = AbortOnPanic;
        self.project().future.poll(context)
    }
}

/// Ends the process when it is dropped by a panic. tokio would catch the panic of a task and go on
/// without the task, and a thread would end alone; but a broken invariant has to stop the node. The
/// panic's message has been printed when this runs.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// A TCP listener.
#[derive(Debug)]
pub struct TokioListener(TcpListener);

impl Listener for TokioListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, String)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer.to_string()))
    }

    fn local_address(&self) -> io::Result<String> {
        self.0.local_addr().map(|address| address.to_string())
    }
}
