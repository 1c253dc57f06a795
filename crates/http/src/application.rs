//! What every route needs.

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use quorate_environment::{Environment, Moment};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::front::Front;
use crate::options::HttpOptions;
use crate::routes;
use crate::service::Service;
use crate::store::Store;

/// A node's HTTP server, without its connections. What it has in common with other servers is reached as if it
/// were its own.
#[derive(Debug)]
pub(crate) struct Application<E: Environment, S: Store> {
    front: Front<E>,
    pub(crate) store: S,
    /// Answers that are sent page by page take one each, to their end.
    pub(crate) listings: Arc<Semaphore>,
    /// The Raft group that is served; cursors belong to it.
    pub(crate) group: u32,
}

impl<E: Environment, S: Store> Application<E, S> {
    pub(crate) fn new(
        environment: E,
        store: S,
        options: HttpOptions,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let front = Front::new("node", environment, options, shutdown);
        let listings = Arc::new(Semaphore::new(front.options.listings_max));
        Arc::new(Self { listings, group: store.status().group.0, store, front })
    }
}

impl<E: Environment, S: Store> Deref for Application<E, S> {
    type Target = Front<E>;

    fn deref(&self) -> &Front<E> {
        &self.front
    }
}

/// A node's routes, as a server calls them.
pub(crate) struct Routes<E: Environment, S: Store> {
    application: Arc<Application<E, S>>,
    router: Router,
}

impl<E: Environment, S: Store> Routes<E, S> {
    pub(crate) fn new(application: Arc<Application<E, S>>) -> Self {
        Self { router: routes::router(Arc::clone(&application)), application }
    }
}

impl<E: Environment, S: Store> Service for Routes<E, S> {
    type Environment = E;

    fn front(&self) -> &Front<E> {
        &self.application
    }

    async fn answer(&self, request: Request) -> Response {
        match tower::Service::call(&mut self.router.clone(), request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// When a request arrived and how it is called; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When its head was there.
    pub at: Moment,
    /// Its name in logs and answers.
    pub request_id: u64,
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
