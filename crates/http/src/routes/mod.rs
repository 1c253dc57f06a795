//! The routes. Each file turns one kind of request into a call and the result into an answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use quorate_api::{CLUSTER_PATH, ErrorCode, HEALTH_PATH, METRICS_PATH, READY_PATH};
use quorate_environment::Environment;

use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

mod cluster;
mod health;
pub(crate) mod kv;
mod kv_request;
mod metrics;

/// The methods of paths that are only read.
const READ_METHODS: &str = "GET, HEAD, OPTIONS";

/// Every route over the application. Methods are told apart in the handlers: axum's own answers are not
/// JSON.
pub(crate) fn router<E: Environment, S: Store>(application: Arc<Application<E, S>>) -> Router {
    Router::new()
        .route("/v1/kv/{*key}", any(kv::answer::<E, S>))
        // The wildcard does not match an empty key; the handler says what is wrong with it.
        .route("/v1/kv/", any(kv::answer::<E, S>))
        .route(CLUSTER_PATH, any(cluster::answer::<E, S>))
        .route(HEALTH_PATH, any(health::healthy::<E, S>))
        .route(READY_PATH, any(health::ready::<E, S>))
        .route(METRICS_PATH, any(metrics::answer::<E, S>))
        .fallback(unknown_path)
        .with_state(application)
}

async fn unknown_path(request: Request) -> Response {
    if request.uri().path() == "*" && request.method() == Method::OPTIONS {
        return options("GET, HEAD, PUT, DELETE, OPTIONS");
    }
    Failure::new(ErrorCode::NotFound, "there is no such path; keys are below /v1/kv/").into_response()
}

/// For a path that is only read and takes no parameters: what to answer, unless it is read.
fn unless_read(request: &Request) -> Option<Response> {
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Some(options(READ_METHODS)),
        _ => return Some(Failure::method_not_allowed(READ_METHODS).into_response()),
    }
    let name = request.uri().query()?.split(['=', '&']).next().unwrap_or_default();
    let failure = Failure::new(ErrorCode::BadQuery, format!("this path takes no query parameter {name:?}"));
    (!request.uri().query()?.is_empty()).then(|| failure.into_response())
}

/// The answer to `OPTIONS`.
fn options(allow: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// An answer with text of the moment, not to be kept.
fn text(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
