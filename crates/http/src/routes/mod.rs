//! The routes. Each file turns one kind of request into a call and the result into an answer.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method, StatusCode};
use quorate_api::{
    CLUSTER_PATH, COMPACT_PATH, DOCS_PATH, ErrorCode, HEALTH_PATH, LEADER_PATH, MEMBERS_PATH, METRICS_PATH,
    OPENAPI_PATH, RANGE_PATH, READY_PATH, REVISIONS_PATH, SESSIONS_PATH, SETTINGS_PATH, TRANSACTION_PATH,
    headers,
};
use quorate_environment::{Environment, Moment};
use quorate_replica::ReadError;

use crate::application::Application;
use crate::body::value_body;
use crate::failure::{Failure, age_value};
use crate::paged_body::{PagedBody, Pages};
use crate::store::Store;

mod cluster;
mod compact;
mod documentation;
mod health;
pub(crate) mod kv;
pub(crate) mod kv_request;
mod leadership;
pub(crate) mod members;
mod metrics;
mod range;
mod range_pages;
pub(crate) mod request;
mod revisions;
mod sessions;
mod settings;
pub(crate) mod transaction;
pub(crate) mod writing;

/// The methods of paths that are only read.
const READ_METHODS: &str = "GET, HEAD, OPTIONS";
/// The methods of paths to which things are posted, and nothing else.
const POST_METHODS: &str = "POST, OPTIONS";

/// Every route over the application. Methods are told apart in the handlers: axum's own answers are not
/// JSON.
pub(crate) fn router<E: Environment, S: Store>(application: Arc<Application<E, S>>) -> Router {
    Router::new()
        .route("/v1/kv/{*key}", any(kv::answer::<E, S>))
        // The wildcard does not match an empty key; the handler says what is wrong with it.
        .route("/v1/kv/", any(kv::answer::<E, S>))
        .route(RANGE_PATH, any(range::answer::<E, S>))
        .route(TRANSACTION_PATH, any(transaction::answer::<E, S>))
        .route(COMPACT_PATH, any(compact::answer::<E, S>))
        .route(SETTINGS_PATH, any(settings::answer::<E, S>))
        .route(SESSIONS_PATH, any(sessions::answer::<E, S>))
        .route(&format!("{SESSIONS_PATH}/{{session}}"), any(sessions::answer_of_one::<E, S>))
        .route(REVISIONS_PATH, any(revisions::answer::<E, S>))
        .route(OPENAPI_PATH, any(documentation::openapi))
        .route(DOCS_PATH, any(documentation::page))
        .route(CLUSTER_PATH, any(cluster::answer::<E, S>))
        .route(MEMBERS_PATH, any(members::answer::<E, S>))
        .route(&format!("{MEMBERS_PATH}/{{member}}"), any(members::answer_of_one::<E, S>))
        .route(&format!("{MEMBERS_PATH}/{{member}}/promote"), any(members::promote::<E, S>))
        .route(&format!("{MEMBERS_PATH}/{{member}}/replace"), any(members::replace::<E, S>))
        .route(LEADER_PATH, any(leadership::answer::<E, S>))
        .route(HEALTH_PATH, any(health::healthy::<E, S>))
        .route(READY_PATH, any(health::ready::<E, S>))
        .route(METRICS_PATH, any(metrics::answer::<E, S>))
        .fallback(unknown_path)
        .with_state(application)
}

async fn unknown_path(request: Request) -> Response {
    if request.uri().path() == "*" && request.method() == Method::OPTIONS {
        return options("GET, HEAD, PUT, POST, DELETE, OPTIONS");
    }
    Failure::new(ErrorCode::NotFound, "there is no such path; keys are below /v1/kv/").into_response()
}

/// For a path that is only read, answered at once, and takes no parameters but a timeout: what to answer, unless
/// it is read.
fn unless_read(request: &Request) -> Option<Response> {
    let refused = || request::timeout_only(request.uri()).err().map(Failure::into_response);
    unless_read_method(request).or_else(refused)
}

/// For a path that is only read: what to answer, unless it is read.
fn unless_read_method(request: &Request) -> Option<Response> {
    match *request.method() {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(options(READ_METHODS)),
        _ => Some(Failure::method_not_allowed(READ_METHODS).into_response()),
    }
}

/// For a path that only takes `POST`: what to answer, unless it is that.
fn unless_post(request: &Request) -> Option<Response> {
    match *request.method() {
        Method::POST => None,
        Method::OPTIONS => Some(options(POST_METHODS)),
        _ => Some(Failure::method_not_allowed(POST_METHODS).into_response()),
    }
}

/// The answer to `OPTIONS`.
pub(crate) fn options(allow: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// An answer with text of the moment, not to be kept.
pub(crate) fn text(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What an answer says in its headers besides its own contents.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// Of a stale read: the age of the state, if it is known.
    age: Option<Option<Duration>>,
}

impl Answer {
    /// The answer, which reflects the store's `revision`.
    fn of(self, revision: u64, mut response: Response) -> Response {
        insert_number(response.headers_mut(), headers::REVISION, revision);
        if let Some(age) = self.age {
            response.headers_mut().insert(HeaderName::from_static(headers::AGE_MS), age_value(age));
        }
        response
    }
}

fn insert_number(headers: &mut HeaderMap, name: &'static str, number: u64) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
}

/// What a read finds before the request's deadline.
pub(crate) async fn in_time<E: Environment, S: Store, T: Send>(
    application: &Application<E, S>,
    deadline: Moment,
    reading: impl Future<Output = Result<T, ReadError>> + Send,
) -> Result<T, Failure> {
    match application.environment.timeout_at(deadline, reading).await {
        Ok(read) => Ok(read?),
        Err(_) => {
            let message = "the store did not answer before the request's deadline";
            Err(Failure::new(ErrorCode::Unavailable, message))
        }
    }
}

/// An answer in pages: at once if there is only one.
pub(crate) fn paged<E: Environment, S: Store>(
    application: &Application<E, S>,
    content_type: &'static str,
    mut pages: impl Pages,
) -> Result<Response, Failure> {
    let mut first = Vec::new();
    if pages.write_next(&mut first)? {
        let body = value_body(Bytes::from(first), &application.bytes_in_flight)?;
        return Ok(text(content_type, body));
    }
    let permit = Arc::clone(&application.listings).try_acquire_owned().map_err(|_| {
        Failure::new(ErrorCode::Overloaded, "too many long answers are being sent by this node")
    })?;
    Ok(text(content_type, PagedBody::start(first, pages, permit)))
}

/// Lets others go first.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| match std::mem::replace(&mut has_yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
