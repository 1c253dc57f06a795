//! What every route needs.

use std::sync::Arc;

use quorate_environment::{Environment, Moment};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::bytes_in_flight::BytesInFlight;
use crate::metrics::Metrics;
use crate::options::HttpOptions;
use crate::store::Store;

/// A node's HTTP server, without its connections.
#[derive(Debug)]
pub(crate) struct Application<E: Environment, S: Store> {
    pub(crate) environment: E,
    pub(crate) store: S,
    pub(crate) options: HttpOptions,
    pub(crate) metrics: Metrics,
    pub(crate) bytes_in_flight: Arc<BytesInFlight>,
    /// Requests take one each while they are handled, but those about the node itself.
    pub(crate) requests: Semaphore,
    /// Answers that are sent page by page take one each, to their end.
    pub(crate) listings: Arc<Semaphore>,
    /// The Raft group that is served; cursors belong to it.
    pub(crate) group: u32,
    pub(crate) shutdown: CancellationToken,
}

impl<E: Environment, S: Store> Application<E, S> {
    pub(crate) fn new(
        environment: E,
        store: S,
        options: HttpOptions,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let options = options.bounded();
        Arc::new(Self {
            metrics: Metrics::default(),
            bytes_in_flight: BytesInFlight::new(options.body_bytes_in_flight_max),
            requests: Semaphore::new(options.requests_in_flight_max),
            listings: Arc::new(Semaphore::new(options.listings_max)),
            group: store.status().group.0,
            environment,
            store,
            options,
            shutdown,
        })
    }
}

/// When a request arrived and how it is called; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Moment,
    pub(crate) request_id: u64,
}

/// The layers of the server one by one, for the measurement in `examples/`.
#[doc(hidden)]
pub mod measure {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::extract::{Request, State};
    use axum::response::Response;
    use quorate_environment::Environment;
    use tokio_util::sync::CancellationToken;
    use tower::Service;

    use super::{Application, Arrival};
    use crate::options::HttpOptions;
    use crate::routes;
    use crate::store::Store;

    /// A server's routes without its connections.
    pub struct Layers<E: Environment, S: Store> {
        application: Arc<Application<E, S>>,
        router: axum::Router,
    }

    impl<E: Environment, S: Store> Layers<E, S> {
        /// The routes over `store`.
        pub fn new(environment: E, store: S) -> Self {
            let application =
                Application::new(environment, store, HttpOptions::default(), CancellationToken::new());
            Self { router: routes::router(Arc::clone(&application)), application }
        }

        fn arrive(&self, request: &mut Request<Body>) {
            let arrival = Arrival { at: self.application.environment.now(), request_id: 1 };
            request.extensions_mut().insert(arrival);
        }

        /// Handles a request for a key as the router would, without the router.
        pub async fn without_router(&self, mut request: Request<Body>) -> Response {
            self.arrive(&mut request);
            routes::kv::answer(State(Arc::clone(&self.application)), request).await
        }

        /// Handles a request through the router.
        pub async fn with_router(&self, mut request: Request<Body>) -> Response {
            self.arrive(&mut request);
            match self.router.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }
}
