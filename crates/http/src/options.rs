//! The server's limits.

use std::time::Duration;

use tokio::sync::Semaphore;

/// What a semaphore can count, all at once.
const COUNT_MAX: usize =
    if Semaphore::MAX_PERMITS < u32::MAX as usize { Semaphore::MAX_PERMITS } else { u32::MAX as usize };

/// The limits of an HTTP server, a node's or a router's. The defaults suit production; tests shorten the times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Open connections, at each of a node's listeners; beyond it a new one is only good for requests about the server itself.
    pub connections_max: usize,
    /// Open connections on top of those, for requests about the server itself: its health, its metrics, the
    /// cluster's status. Beyond it a new one is answered 429 and closed.
    pub control_connections_max: usize,
    /// Requests handled at once by the whole server, but those about the server itself; beyond it requests are
    /// answered 429. A connection has one at a time.
    pub requests_in_flight_max: usize,
    /// Bytes of request bodies, and of answers that are not small, held at once by the whole server;
    /// beyond it requests are answered 429.
    pub body_bytes_in_flight_max: usize,
    /// Answers too long to be held that are being sent page by page; beyond it such requests are answered 429.
    /// Each takes a few hundred KiB, or some multiple of the longest value if that is more.
    pub listings_max: usize,
    /// Bytes of a request's line and headers; beyond it the request is answered 431.
    pub head_bytes_max: usize,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a client may take to accept an answer.
    pub answer_timeout: Duration,
    /// How long a connection that waits is left open after shutdown was asked for. A request that comes on it is
    /// answered, and told that the connection ends: closing it at once would leave clients that are just sending
    /// in doubt.
    pub shutdown_drain: Duration,
    /// How long requests in flight may go on after shutdown was asked for.
    pub shutdown_grace: Duration,
}

impl HttpOptions {
    /// The same, with every number small enough to be counted with, and times that fit each other.
    pub(crate) fn bounded(mut self) -> Self {
        let counts = [
            &mut self.connections_max,
            &mut self.control_connections_max,
            &mut self.requests_in_flight_max,
            &mut self.listings_max,
        ];
        for count in counts {
            *count = (*count).min(COUNT_MAX);
        }
        self.shutdown_drain = self.shutdown_drain.min(self.shutdown_grace / 2);
        self
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            control_connections_max: 64,
            requests_in_flight_max: 2048,
            body_bytes_in_flight_max: 256 << 20,
            listings_max: 64,
            head_bytes_max: 16 << 10,
            idle_timeout: Duration::from_secs(120),
            head_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            shutdown_drain: Duration::from_millis(400),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
