//! The router as a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use quorate_api::{ErrorCode, HEALTH_PATH, METRICS_PATH, READY_PATH};
use quorate_client::Endpoint;
use quorate_environment::Environment;
use quorate_http::{Front, HttpOptions, METRICS_CONTENT_TYPE, MetricsText, Service, refusal, serve_requests};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Node};
use crate::forwarding::forward;
use crate::keeper::keep;
use crate::metrics::Metrics;

const TEXT: &str = "text/plain; charset=utf-8";

/// What a router is told.
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// Nodes of the cluster. One that is up is enough: it says who the others are.
    pub cluster: Vec<Endpoint>,
    /// The limits of its server.
    pub http: HttpOptions,
}

/// Passes the requests of those who connect to `listener` on to the nodes, until `shutdown` is cancelled. Then
/// the requests in flight are finished, as [`quorate_http::serve`] does.
pub async fn serve<E: Environment>(
    environment: E,
    listener: E::Listener,
    options: RouterOptions,
    shutdown: CancellationToken,
) {
    let RouterOptions { cluster, http } = options;
    let router = Arc::new(Router {
        board: Mutex::new(Board::new(environment.clone(), cluster)),
        front: Front::new("router", environment.clone(), http, shutdown.clone()),
        metrics: Metrics::default(),
        wanted: Notify::new(),
        shutdown,
    });
    environment.spawn("router keeper", keep(Arc::clone(&router)));
    serve_requests(listener, router).await;
}

/// A router without its connections.
#[derive(Debug)]
pub(crate) struct Router<E: Environment> {
    pub(crate) front: Front<E>,
    pub(crate) metrics: Metrics,
    board: Mutex<Board<E>>,
    /// Somebody wants to know better how the nodes are.
    wanted: Notify,
    shutdown: CancellationToken,
}

impl<E: Environment> Router<E> {
    pub(crate) fn environment(&self) -> &E {
        self.front.environment()
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board<E>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node could not do what it was asked for: somebody else may lead by now.
    pub(crate) fn failed(&self, node: &Node<E>) {
        self.board().failed(node);
        self.wanted.notify_one();
    }

    /// Resolves when the nodes had better be looked at.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Resolves when the router has been asked to stop.
    pub(crate) async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    fn ready(&self) -> Response {
        if self.front.is_shutting_down() {
            return refusal(ErrorCode::ShuttingDown, "this router is shutting down");
        }
        if !self.board().is_ready() {
            return refusal(ErrorCode::Unavailable, "no node says that it is ready");
        }
        text(TEXT, "ready\n")
    }

    fn metrics_text(&self) -> Response {
        let mut metrics = MetricsText::default();
        metrics.server(&self.front);
        self.metrics.write(&mut metrics, &self.board());
        text(METRICS_CONTENT_TYPE, metrics.finish())
    }
}

impl<E: Environment> Service for Router<E> {
    type Environment = E;

    fn front(&self) -> &Front<E> {
        &self.front
    }

    async fn answer(&self, request: Request) -> Response {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            HEALTH_PATH if is_read => text(TEXT, "ok\n"),
            READY_PATH if is_read => self.ready(),
            METRICS_PATH if is_read => self.metrics_text(),
            // A node says what is wrong with the rest, if anything is.
            _ => forward(self, request).await,
        }
    }
}

/// An answer with text of the moment, not to be kept.
fn text(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
