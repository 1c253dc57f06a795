//! What every server has, whatever it serves: its world, its limits, its counters.

use std::sync::Arc;

use quorate_environment::Environment;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::bytes_in_flight::BytesInFlight;
use crate::metrics::Metrics;
use crate::options::HttpOptions;

/// A server without its connections and without what it serves.
#[derive(Debug)]
pub struct Front<E> {
    /// What clients are told that they talk to: "node", "router".
    pub(crate) name: &'static str,
    pub(crate) environment: E,
    pub(crate) options: HttpOptions,
    pub(crate) metrics: Metrics,
    pub(crate) bytes_in_flight: Arc<BytesInFlight>,
    /// Requests take one each while they are handled, but those about the server itself.
    pub(crate) requests: Semaphore,
    pub(crate) shutdown: CancellationToken,
}

impl<E: Environment> Front<E> {
    /// The front of a server that calls itself `name` towards its clients, until `shutdown` is cancelled.
    pub fn new(
        name: &'static str,
        environment: E,
        options: HttpOptions,
        shutdown: CancellationToken,
    ) -> Self {
        let options = options.bounded();
        Self {
            name,
            metrics: Metrics::default(),
            bytes_in_flight: BytesInFlight::new(options.body_bytes_in_flight_max),
            requests: Semaphore::new(options.requests_in_flight_max),
            environment,
            options,
            shutdown,
        }
    }

    /// The server's world.
    pub fn environment(&self) -> &E {
        &self.environment
    }

    /// Whether the server has been asked to stop.
    pub fn is_shutting_down(&self) -> bool {
        self.shutdown.is_cancelled()
    }
}
