//! What the two ends of a connection share: how much each has read of what the other wrote.

use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// The flow control of one connection. It works without delay, which real windows do not; what
/// matters is that a writer cannot outrun its reader without bound.
#[derive(Debug)]
pub(super) struct Connection {
    /// From the client to the server.
    pub(super) to_server: Window,
    /// From the server to the client.
    pub(super) to_client: Window,
}

impl Connection {
    pub(super) fn new(window_bytes: u64) -> Self {
        Self { to_server: Window::new(window_bytes), to_client: Window::new(window_bytes) }
    }
}

/// The flow control of one direction.
#[derive(Debug)]
pub(super) struct Window {
    window_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent_bytes: u64,
    taken_bytes: u64,
    /// Whether the reader is gone.
    closed: bool,
    writer: Option<Waker>,
}

impl Window {
    fn new(window_bytes: u64) -> Self {
        Self { window_bytes, state: Mutex::default() }
    }

    /// How many bytes may be sent now: at least one. Waits while the window is full. If the reader is
    /// gone the window is open: sending will show the error.
    pub(super) fn poll_allowance(&self, context: &mut Context<'_>) -> Poll<u64> {
        let mut state = self.lock();
        let in_flight = state.sent_bytes - state.taken_bytes;
        if state.closed {
            return Poll::Ready(self.window_bytes);
        }
        if in_flight < self.window_bytes {
            return Poll::Ready(self.window_bytes - in_flight);
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }

    /// The writer has sent `bytes`.
    pub(super) fn sent(&self, bytes: u64) {
        self.lock().sent_bytes += bytes;
    }

    /// The reader has taken `bytes`.
    pub(super) fn taken(&self, bytes: u64) {
        self.change(|state| state.taken_bytes += bytes);
    }

    /// The reader is gone.
    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let writer = {
            let mut state = self.lock();
            change(&mut state);
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }
}
