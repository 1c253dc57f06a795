//! A world like the real one, in which a node can be made to hear nothing, and its disk to stop.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quorate_environment::{
    Environment, Listener, Moment, TokioEnvironment, WallTime, Worker, WorkerFinished, WorkerHandle,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

type RealStream = <TokioEnvironment as Environment>::Stream;

/// The environment of one node.
#[derive(Clone, Debug)]
pub struct TroubledEnvironment {
    real: TokioEnvironment,
    troubles: Arc<Troubles>,
}

#[derive(Debug)]
struct Troubles {
    is_deaf: watch::Sender<bool>,
    is_disk_stalled: Mutex<bool>,
    disk_goes_on: Condvar,
}

impl TroubledEnvironment {
    /// No trouble yet.
    pub fn new() -> Self {
        let troubles = Troubles {
            is_deaf: watch::Sender::new(false),
            is_disk_stalled: Mutex::new(false),
            disk_goes_on: Condvar::new(),
        };
        Self { real: TokioEnvironment::new(), troubles: Arc::new(troubles) }
    }

    /// Whether the node is sent things, but gets nothing; what it sends arrives.
    pub fn make_deaf(&self, is_deaf: bool) {
        self.troubles.is_deaf.send_replace(is_deaf);
    }

    /// Whether what is written to the node's log gets no further.
    pub fn stall_disk(&self, is_stalled: bool) {
        *self.troubles.is_disk_stalled.lock().expect("nobody panics") = is_stalled;
        self.troubles.disk_goes_on.notify_all();
    }

    fn hearing(&self, stream: RealStream) -> TroubledStream {
        TroubledStream { stream, troubles: self.troubles.clone(), hears_again: None }
    }
}

impl Environment for TroubledEnvironment {
    type Runtime = <TokioEnvironment as Environment>::Runtime;
    type Stream = TroubledStream;
    type Listener = TroubledListener;

    fn now(&self) -> Moment {
        self.real.now()
    }

    fn wall_now(&self) -> WallTime {
        self.real.wall_now()
    }

    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()> + Send + 'static {
        self.real.sleep_until(moment)
    }

    async fn listen(&self, address: &str) -> io::Result<TroubledListener> {
        Ok(TroubledListener { listener: self.real.listen(address).await?, environment: self.clone() })
    }

    async fn connect(&self, address: &str) -> io::Result<TroubledStream> {
        Ok(self.hearing(self.real.connect(address).await?))
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
        let troubles = (name == "log").then(|| self.troubles.clone());
        self.real.spawn_worker(name, TroubledWorker { worker, troubles })
    }

    fn pause_round(&self, duration: Duration) {
        self.real.pause_round(duration);
    }
}

/// A worker that may have to wait for the disk.
struct TroubledWorker<W> {
    worker: W,
    troubles: Option<Arc<Troubles>>,
}

impl<W: Worker> Worker for TroubledWorker<W> {
    type Job = W::Job;

    fn run(&mut self, jobs: Vec<W::Job>) {
        if let Some(troubles) = &self.troubles {
            let stalled = troubles.is_disk_stalled.lock().expect("nobody panics");
            drop(troubles.disk_goes_on.wait_while(stalled, |stalled| *stalled).expect("nobody panics"));
        }
        self.worker.run(jobs);
    }
}

/// A listener whose streams may go deaf.
#[derive(Debug)]
pub struct TroubledListener {
    listener: <TokioEnvironment as Environment>::Listener,
    environment: TroubledEnvironment,
}

impl Listener for TroubledListener {
    type Stream = TroubledStream;

    async fn accept(&mut self) -> io::Result<(TroubledStream, String)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((self.environment.hearing(stream), peer))
    }

    fn local_address(&self) -> io::Result<String> {
        self.listener.local_address()
    }
}

/// A stream that may go deaf.
pub struct TroubledStream {
    stream: RealStream,
    troubles: Arc<Troubles>,
    /// While it is deaf: until when.
    hears_again: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl std::fmt::Debug for TroubledStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stream.fmt(formatter)
    }
}

impl AsyncRead for TroubledStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.hears_again.is_none() && *self.troubles.is_deaf.borrow() {
            let mut is_deaf = self.troubles.is_deaf.subscribe();
            self.hears_again = Some(Box::pin(async move {
                // The end of the world is an end of trouble, too.
                let _ = is_deaf.wait_for(|is_deaf| !is_deaf).await;
            }));
        }
        if let Some(hears_again) = &mut self.hears_again {
            ready!(hears_again.as_mut().poll(context));
            self.hears_again = None;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TroubledStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
