//! A watch channel that wakes its receivers in the order in which they began to wait.
//!
//! tokio's `watch` spreads its receivers over several lists and wakes the lists in random order, with
//! random numbers that the seed does not control.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll, Waker};

use openraft_rt::watch::{RecvError, SendError, Watch, WatchReceiver, WatchSender};
use openraft_rt::{OptionalSend, OptionalSync};

/// The channel's family, for `openraft_rt::AsyncRuntime::Watch`.
#[derive(Clone, Copy, Debug)]
pub struct FifoWatch;

impl Watch for FifoWatch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = Ref<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(initial: T) -> (Sender<T>, Receiver<T>) {
        let channel = Arc::new(Channel {
            value: RwLock::new(initial),
            waiting: Mutex::default(),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        });
        (Sender { channel: channel.clone() }, Receiver { channel, seen: 0 })
    }
}

struct Channel<T> {
    value: RwLock<T>,
    waiting: Mutex<Waiting>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    /// Counts the values sent.
    version: u64,
    /// Whether the last sender is gone.
    closed: bool,
    next_ticket: u64,
    /// Who waits, by ticket: the order in which they began.
    wakers: BTreeMap<u64, Waker>,
}

impl<T> Channel<T> {
    /// A simulation has one thread: whoever finds the value borrowed would wait for itself. Production
    /// would hang at this place, so it is a bug of the caller.
    fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.value.try_write().expect("a value is sent while a borrow of the last one is held")
    }

    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.try_read().expect("a value is borrowed while it is being modified")
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics under this lock")
    }

    /// Changes the state and wakes everyone who waits.
    fn notify(&self, change: impl FnOnce(&mut Waiting)) {
        let wakers = {
            let mut waiting = self.waiting();
            change(&mut waiting);
            std::mem::take(&mut waiting.wakers)
        };
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    fn poll_changed(
        &self,
        seen: &mut u64,
        ticket: &mut Option<u64>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), RecvError>> {
        let mut waiting = self.waiting();
        if waiting.version != *seen {
            *seen = waiting.version;
            return Poll::Ready(Ok(()));
        }
        if waiting.closed {
            return Poll::Ready(Err(RecvError(())));
        }
        let ticket = *ticket.get_or_insert_with(|| {
            waiting.next_ticket += 1;
            waiting.next_ticket
        });
        waiting.wakers.insert(ticket, context.waker().clone());
        Poll::Pending
    }
}

/// Sends values.
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.senders.fetch_add(1, Ordering::Relaxed);
        Self { channel: self.channel.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.channel.senders.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.channel.notify(|waiting| waiting.closed = true);
        }
    }
}

impl<T: OptionalSend + OptionalSync> WatchSender<FifoWatch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.channel.receivers.load(Ordering::Relaxed) == 0 {
            return Err(SendError(value));
        }
        let replaced = std::mem::replace(&mut *self.channel.write(), value);
        self.channel.notify(|waiting| waiting.version += 1);
        drop(replaced);
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        let modified = modify(&mut self.channel.write());
        if modified {
            self.channel.notify(|waiting| waiting.version += 1);
        }
        modified
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        Ref(self.channel.read())
    }

    fn subscribe(&self) -> Receiver<T> {
        self.channel.receivers.fetch_add(1, Ordering::Relaxed);
        let seen = self.channel.waiting().version;
        Receiver { channel: self.channel.clone(), seen }
    }
}

/// Receives the newest value.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// The version that this receiver has seen.
    seen: u64,
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.receivers.fetch_add(1, Ordering::Relaxed);
        Self { channel: self.channel.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.receivers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: OptionalSend + OptionalSync> WatchReceiver<FifoWatch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        let mut registration = Registration { channel: &*self.channel, ticket: None };
        let seen = &mut self.seen;
        poll_fn(|context| registration.channel.poll_changed(seen, &mut registration.ticket, context)).await
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        Ref(self.channel.read())
    }

    fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.channel.waiting().version;
        Ref(self.channel.read())
    }
}

/// A place in the line of those who wait, given up when the wait ends or is dropped.
struct Registration<'a, T> {
    channel: &'a Channel<T>,
    ticket: Option<u64>,
}

impl<T> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        let waker = self.ticket.and_then(|ticket| self.channel.waiting().wakers.remove(&ticket));
        // Dropped only now: the last waker of a task may drop the task, and with it other receivers.
        drop(waker);
    }
}

/// A borrow of the current value.
pub struct Ref<'a, T>(RwLockReadGuard<'a, T>);

impl<T> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ref").finish_non_exhaustive()
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
