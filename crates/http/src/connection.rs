//! One connection: hyper on a guarded stream, a watchdog beside it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use quorate_api::{ErrorCode, headers};
use quorate_environment::Environment;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::application::Arrival;
use crate::failure::Failure;
use crate::front::Front;
use crate::guarded_stream::GuardedStream;
use crate::metrics::{ConnectionEvent, Method, Route};
use crate::progress::Progress;
use crate::service::Service;
use crate::watched_answer::WatchedAnswer;
use crate::watched_body::WatchedBody;

/// hyper's buffer of a connection, in bytes: the most that a body arrives in at once.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// What a connection is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// All requests.
    Everything,
    /// Requests about the server itself: there are many connections already.
    Control,
}

/// What all connections share.
pub(crate) struct Connections<S> {
    service: Arc<S>,
    http: http1::Builder,
    abort: CancellationToken,
}

impl<S: Service> Connections<S> {
    pub(crate) fn new(service: Arc<S>, abort: CancellationToken) -> Self {
        let head_bytes_max = service.front().options.head_bytes_max;
        let mut http = http1::Builder::new();
        // hyper's own timeouts need a std::time::Instant; the watchdog does their work.
        http.header_read_timeout(None)
            .max_header_size(head_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(head_bytes_max));
        Self { service, http, abort }
    }

    /// Serves one connection to its end.
    pub(crate) fn run(
        &self,
        stream: <S::Environment as Environment>::Stream,
        peer: String,
        lane: Lane,
    ) -> impl Future<Output = ()> + Send + use<S> {
        let served = Arc::clone(&self.service);
        let environment = served.front().environment.clone();
        let progress = Progress::new(environment.now(), &served.front().options);
        let service = ConnectionService {
            next_request_id: std::sync::atomic::AtomicU64::new(environment.random_u64()),
            service: Arc::clone(&served),
            progress: Arc::clone(&progress),
            lane,
        };
        let guarded = GuardedStream::new(stream, environment.clone(), Arc::clone(&progress));
        let connection = self.http.serve_connection(TokioIo::new(guarded), service);
        // Tokens of its own: waiting on a shared one would take a shared lock at each poll.
        let stop = served.front().shutdown.child_token();
        let abort = self.abort.child_token();
        async move {
            let Front { metrics, options, .. } = served.front();
            metrics.count(ConnectionEvent::Accepted);
            let mut connection = pin!(connection);
            let mut watchdog = pin!(Arc::clone(&progress).watch(environment.clone()));
            // Begins when it is asked for the first time.
            let mut drained = pin!(async { environment.sleep(options.shutdown_drain).await });
            let (mut stopping, mut closing) = (false, false);
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
                        metrics.connection_cut(stuck_in);
                        tracing::debug!(peer, phase = stuck_in.name(), "an HTTP connection was cut");
                        break;
                    }
                    () = abort.cancelled() => break,
                    () = stop.cancelled(), if !stopping => {
                        stopping = true;
                        progress.stop_soon();
                    }
                    // Not at once: a client may be sending its next request already, and could not tell whether
                    // that was done. Until then each answer says that it is the last.
                    () = drained.as_mut(), if stopping && !closing => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
            metrics.count(ConnectionEvent::Closed);
        }
    }
}

/// Wraps the service with what concerns every request: its name, its clock, its metrics.
struct ConnectionService<S> {
    service: Arc<S>,
    progress: Arc<Progress>,
    lane: Lane,
    /// Random for each connection, then counted up: unique enough, and one draw of entropy serves all
    /// requests of a connection.
    next_request_id: std::sync::atomic::AtomicU64,
}

impl<S: Service> hyper::service::Service<hyper::Request<Incoming>> for ConnectionService<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        self.progress.request_begins(!request.body().is_end_stream());
        let arrived = self.service.front().environment.now();
        let request_id = request.headers().get(headers::REQUEST_ID).and_then(request_id_of);
        let request_id = request_id
            .unwrap_or_else(|| self.next_request_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let route = match self.service.dialect() {
            Some(dialect) => Route::of_dialect(dialect),
            None => Route::of(request.uri().path()),
        };
        let method = Method::of(request.method());
        request.extensions_mut().insert(Arrival { at: arrived, request_id });
        let request = request.map(|body| Body::new(WatchedBody::new(body, Arc::clone(&self.progress))));
        let service = Arc::clone(&self.service);
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
            let front = service.front();
            let mut response = match admit(front, route, lane) {
                Ok(_admission) => service.answer(request).await,
                Err(refusal) => refusal.into_response(),
            };
            let answered = front.environment.now();
            response
                .headers_mut()
                .insert(HeaderName::from_static(headers::REQUEST_ID), request_id_value(request_id));
            if progress.stops_soon() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let (status, took) = (response.status(), answered.saturating_since(arrived));
            front.metrics.answered(route, method, status, took);
            tracing::Span::current().record("status", status.as_u16());
            tracing::debug!(status = status.as_u16(), microseconds = took.as_micros() as u64, "answered");
            progress.answer_ready(answered);
            Ok(match response.body().size_hint().exact() {
                Some(_) => response,
                None => response
                    .map(|body| Body::new(WatchedAnswer::new(body, front.environment.clone(), progress))),
            })
        };
        Box::pin(answering.instrument(span))
    }
}

/// Lets a request in, or says at once that there are too many. Requests about the server itself always get in.
fn admit<E>(front: &Front<E>, route: Route, lane: Lane) -> Result<Option<SemaphorePermit<'_>>, Failure> {
    let name = front.name;
    if route.is_control() {
        return Ok(None);
    }
    if lane == Lane::Control {
        let message = format!("too many connections are open on this {name}");
        return Err(Failure::new(ErrorCode::Overloaded, message).closing());
    }
    front.requests.try_acquire().map(Some).map_err(|_| {
        Failure::new(ErrorCode::Overloaded, format!("too many requests are in flight on this {name}"))
    })
}

/// The name that a request comes with: a router has given it, or a client that wants to find it in logs.
fn request_id_of(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok().filter(|text| text.len() == 16)?;
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hexadecimal.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// A request's name as it stands in headers.
pub fn request_id_value(request_id: u64) -> HeaderValue {
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
            assert_eq!(request_id_of(&request_id_value(id)), Some(id));
        }
        for other in ["", "12", "+123456789abcdef", "00000000000000000", "000000000000000g"] {
            assert_eq!(request_id_of(&HeaderValue::from_static(other)), None, "{other}");
        }
    }
}
