//! Decides when to checkpoint.
//!
//! A checkpoint keeps the disk busy: in a large state, hardly two of the keys that were put lie on one page, and
//! each page is written at a place of its own. The longer changes are gathered, the fewer pages they share with
//! changes of other checkpoints, so it is done seldom; how seldom is bounded by the memory that changes and their
//! pages take, and by the log that has to be applied again after a crash.
//!
//! All nodes of a group apply the same entries, so they would all write at the same time, too. A write of
//! a client waits for a quorum, which is as fast as the faster nodes are: it does not feel it when one node's disk
//! is busy. Therefore each checkpoint comes early by a random share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use quorate_environment::Environment;
use tokio::sync::Notify;

use super::store::StateHandle;
use crate::log::LogHandle;

/// How those who change something tell the checkpointer.
#[derive(Debug)]
pub(crate) struct Signals {
    changed: Notify,
    pressing: Notify,
    /// How many bytes of applied writes should not wait.
    pressing_bytes: AtomicU64,
    closing: AtomicBool,
}

impl Signals {
    pub(crate) fn new(checkpoint_bytes: u64) -> Self {
        Self {
            changed: Notify::new(),
            pressing: Notify::new(),
            pressing_bytes: AtomicU64::new(checkpoint_bytes),
            closing: AtomicBool::new(false),
        }
    }

    /// Something was applied, and so many bytes of it are in memory only.
    pub(crate) fn applied(&self, bytes: u64) {
        self.changed();
        if bytes > self.pressing_bytes.load(Ordering::Relaxed) {
            self.press();
        }
    }

    /// Something was applied or purged.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// So much was applied that it should not wait.
    pub(crate) fn press(&self) {
        self.pressing.notify_one();
    }

    /// Ends the task.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.changed();
        self.press();
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

/// The task that checkpoints. Sleeps without a timer while nothing changes; holds neither the state nor
/// the log while it sleeps, so that it keeps no files open.
pub(crate) struct Checkpointer<E: Environment> {
    pub(crate) environment: E,
    pub(crate) signals: Arc<Signals>,
    pub(crate) state: Weak<StateHandle<E>>,
    pub(crate) log: Weak<LogHandle<E>>,
    /// The longest that applied writes wait.
    pub(crate) interval: Duration,
    /// The most bytes of applied writes that wait.
    pub(crate) bytes: u64,
}

impl<E: Environment> Checkpointer<E> {
    /// Runs until the storage is closed, dropped or broken.
    pub(crate) async fn run(self) {
        loop {
            self.signals.changed.notified().await;
            let sleep = self.environment.sleep(self.come_early());
            let _ = E::Runtime::select2(self.signals.pressing.notified(), sleep).await;
            if self.signals.is_closing() || self.tick().await.is_none() {
                return;
            }
        }
    }

    /// Sets how many bytes bring the next checkpoint forward. Gives how long it may wait.
    fn come_early(&self) -> Duration {
        self.signals.pressing_bytes.store(self.at_least_half(self.bytes), Ordering::Relaxed);
        Duration::from_micros(self.at_least_half(self.interval.as_micros() as u64))
    }

    /// Something between a half of it and all of it.
    fn at_least_half(&self, limit: u64) -> u64 {
        limit / 2 + self.environment.random_u64() % (limit / 2 + 1)
    }

    /// Writes what has changed. `None` ends the task; a failure has been announced by who failed.
    async fn tick(&self) -> Option<()> {
        self.state.upgrade()?.checkpoint().await.ok()?;
        let log = self.log.upgrade()?;
        if log.has_pending_purge() {
            log.request_sync().ok()?;
        }
        Some(())
    }
}
