//! Decides when to checkpoint.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft_rt::AsyncRuntime;
use quorate_environment::Environment;
use tokio::sync::Notify;

use super::store::StateHandle;
use crate::log::LogHandle;

/// How those who change something tell the checkpointer.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    changed: Notify,
    pressing: Notify,
    closing: AtomicBool,
}

impl Signals {
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
    pub(crate) interval: Duration,
}

impl<E: Environment> Checkpointer<E> {
    /// Runs until the storage is closed, dropped or broken.
    pub(crate) async fn run(self) {
        loop {
            self.signals.changed.notified().await;
            let sleep = self.environment.sleep(self.interval);
            let _ = E::Runtime::select2(self.signals.pressing.notified(), sleep).await;
            if self.signals.is_closing() || self.tick().await.is_none() {
                return;
            }
        }
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
