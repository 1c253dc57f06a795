//! The server's limits.

use std::time::Duration;

/// The limits of a node's HTTP server. The defaults suit production; tests shorten the times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Open connections; beyond it a new one is answered 429 and closed.
    pub connections_max: usize,
    /// Bytes of request bodies, and of answers that are not small, held at once by the whole node;
    /// beyond it requests are answered 429.
    pub body_bytes_in_flight_max: usize,
    /// Bytes of a request's line and headers; beyond it the request is answered 431.
    pub head_bytes_max: usize,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a client may take to accept an answer.
    pub answer_timeout: Duration,
    /// How long requests in flight may go on after shutdown was asked for.
    pub shutdown_grace: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            body_bytes_in_flight_max: 256 << 20,
            head_bytes_max: 16 << 10,
            idle_timeout: Duration::from_secs(120),
            head_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
