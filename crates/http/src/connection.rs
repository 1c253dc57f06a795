//! One connection: hyper on a guarded stream, a watchdog beside it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::HeaderName;
use http::header::HeaderValue;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use quorate_api::{ErrorCode, headers};
use quorate_environment::Environment;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::Instrument;

use crate::application::{Application, Arrival};
use crate::failure::Failure;
use crate::guarded_stream::GuardedStream;
use crate::metrics::{ConnectionEvent, Method, Route};
use crate::progress::Progress;
use crate::routes;
use crate::store::Store;
use crate::watched_answer::WatchedAnswer;
use crate::watched_body::WatchedBody;

/// hyper's buffer of a connection, in bytes: the most that a body arrives in at once.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// What a connection is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// All requests.
    Everything,
    /// Requests about the node itself: there are many connections already.
    Control,
}

/// What all connections share.
pub(crate) struct Connections<E: Environment, S: Store> {
    application: Arc<Application<E, S>>,
    router: Router,
    http: http1::Builder,
    abort: CancellationToken,
}

impl<E: Environment, S: Store> Connections<E, S> {
    pub(crate) fn new(application: Arc<Application<E, S>>, abort: CancellationToken) -> Self {
        let mut http = http1::Builder::new();
        // hyper's own timeouts need a std::time::Instant; the watchdog does their work.
        http.header_read_timeout(None)
            .max_header_size(application.options.head_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(application.options.head_bytes_max));
        Self { router: routes::router(Arc::clone(&application)), application, http, abort }
    }

    /// Serves one connection to its end.
    pub(crate) fn run(
        &self,
        stream: E::Stream,
        peer: String,
        lane: Lane,
    ) -> impl Future<Output = ()> + Send + use<E, S> {
        let application = Arc::clone(&self.application);
        let environment = application.environment.clone();
        let progress = Progress::new(environment.now(), &application.options);
        let service = ConnectionService {
            router: self.router.clone(),
            next_request_id: std::sync::atomic::AtomicU64::new(environment.random_u64()),
            application: Arc::clone(&application),
            progress: Arc::clone(&progress),
            lane,
        };
        let guarded = GuardedStream::new(stream, environment.clone(), Arc::clone(&progress));
        let connection = self.http.serve_connection(TokioIo::new(guarded), service);
        // Tokens of its own: waiting on a shared one would take a shared lock at each poll.
        let stop = application.shutdown.child_token();
        let abort = self.abort.child_token();
        async move {
            application.metrics.count(ConnectionEvent::Accepted);
            let mut connection = pin!(connection);
            let mut watchdog = pin!(progress.watch(environment));
            let mut stopping = false;
            loop {
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => {
                        if let Err(error) = ended {
                            tracing::debug!(peer, %error, "an HTTP connection ended with an error");
                        }
                        break;
                    }
                    stuck_in = watchdog.as_mut() => {
                        application.metrics.connection_cut(stuck_in);
                        tracing::debug!(peer, phase = stuck_in.name(), "an HTTP connection was cut");
                        break;
                    }
                    () = abort.cancelled() => break,
                    () = stop.cancelled(), if !stopping => {
                        stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
            application.metrics.count(ConnectionEvent::Closed);
        }
    }
}

/// Wraps the router with what concerns every request: its name, its clock, its metrics.
struct ConnectionService<E: Environment, S: Store> {
    application: Arc<Application<E, S>>,
    router: Router,
    progress: Arc<Progress>,
    lane: Lane,
    /// Random for each connection, then counted up: unique enough, and one draw of entropy serves all
    /// requests of a connection.
    next_request_id: std::sync::atomic::AtomicU64,
}

impl<E: Environment, S: Store> hyper::service::Service<hyper::Request<Incoming>> for ConnectionService<E, S> {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        self.progress.request_begins(!request.body().is_end_stream());
        let arrived = self.application.environment.now();
        let request_id = self.next_request_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let route = Route::of(request.uri().path());
        let method = Method::of(request.method());
        request.extensions_mut().insert(Arrival { at: arrived, request_id });
        let request = request.map(|body| WatchedBody::new(body, Arc::clone(&self.progress)));
        let router = self.router.clone();
        let application = Arc::clone(&self.application);
        let progress = Arc::clone(&self.progress);
        let lane = self.lane;
        let span = tracing::debug_span!(
            "request",
            request_id = %format_args!("{request_id:016x}"),
            method = method.name(),
            route = route.name(),
            status = tracing::field::Empty,
        );
        let answering = async move {
            let mut response = match admit(&application, route, lane) {
                Ok(_admission) => answer(router, request).await,
                Err(refusal) => refusal.into_response(),
            };
            let answered = application.environment.now();
            response
                .headers_mut()
                .insert(HeaderName::from_static(headers::REQUEST_ID), request_id_value(request_id));
            let (status, took) = (response.status(), answered.saturating_since(arrived));
            application.metrics.answered(route, method, status, took);
            tracing::Span::current().record("status", status.as_u16());
            tracing::debug!(status = status.as_u16(), microseconds = took.as_micros() as u64, "answered");
            progress.answer_ready(answered);
            Ok(match response.body().size_hint().exact() {
                Some(_) => response,
                None => response.map(|body| {
                    Body::new(WatchedAnswer::new(body, application.environment.clone(), progress))
                }),
            })
        };
        Box::pin(answering.instrument(span))
    }
}

async fn answer(mut router: Router, request: hyper::Request<WatchedBody>) -> axum::response::Response {
    match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Lets a request in, or says at once that there are too many. Requests about the node itself always get in.
fn admit<E: Environment, S: Store>(
    application: &Application<E, S>,
    route: Route,
    lane: Lane,
) -> Result<Option<SemaphorePermit<'_>>, Failure> {
    if route.is_control() {
        return Ok(None);
    }
    if lane == Lane::Control {
        let message = "too many connections are open on this node";
        return Err(Failure::new(ErrorCode::Overloaded, message).closing());
    }
    application
        .requests
        .try_acquire()
        .map(Some)
        .map_err(|_| Failure::new(ErrorCode::Overloaded, "too many requests are in flight on this node"))
}

fn request_id_value(request_id: u64) -> HeaderValue {
    let mut digits = [0; 16];
    for (position, digit) in digits.iter_mut().enumerate() {
        let nibble = (request_id >> (60 - 4 * position)) & 15;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    HeaderValue::from_bytes(&digits).expect("hexadecimal digits are a valid header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_has_16_hexadecimal_digits() {
        for id in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(request_id_value(id), format!("{id:016x}").as_str());
        }
    }
}
