//! `/v1/kv/{key}`: the hot path.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use http::{HeaderName, Method, StatusCode};
use hyper::body::Body as _;
use quorate_api::{ErrorCode, condition, headers, query};
use quorate_environment::{Environment, Moment};
use quorate_kv::{Command, KeyValue, Limit, Outcome};
use quorate_replica::{Consistency, ReadAnswer, RequestContext};

use super::cluster::milliseconds_rounded_up;
use super::kv_request;
use crate::application::{Application, Arrival};
use crate::body::{receive_value, value_body};
use crate::failure::{Failure, entity_tag};
use crate::store::Store;

const METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// How much earlier than its client's deadline the store is asked to answer: its own answer says more
/// than ours. A tenth of the time limit, but not more than this.
const MARGIN_MAX: Duration = Duration::from_millis(20);

/// Answers a request about a key.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let arrival = *request.extensions().get::<Arrival>().expect("every request is given its arrival");
    let answered = match *request.method() {
        Method::GET | Method::HEAD => get(&application, arrival, request).await,
        Method::PUT => put(&application, arrival, request).await,
        Method::DELETE => delete(&application, arrival, request).await,
        Method::OPTIONS => Ok(super::options(METHODS)),
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(Failure::into_response)
}

/// By when the answer leaves, and what the store is told of that.
fn deadlines(arrival: Arrival, timeout: Option<Duration>) -> (Moment, RequestContext) {
    let timeout = timeout.unwrap_or(query::TIMEOUT_DEFAULT);
    let deadline = arrival.at + timeout;
    let store_deadline = deadline - MARGIN_MAX.min(timeout / 10);
    (deadline, RequestContext::new(store_deadline, arrival.request_id))
}

async fn put<E: Environment, S: Store>(
    application: &Application<E, S>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let key = kv_request::key(&parts.uri)?;
    let query = kv_request::query(&parts.uri, false)?;
    let condition = kv_request::write_condition(&parts.headers)?;
    let (deadline, context) = deadlines(arrival, query.timeout);
    let receiving = receive_value(body, application.store.value_bytes_max(), &application.bytes_in_flight);
    let received = application.environment.timeout_at(deadline, receiving).await.map_err(|_| {
        Failure::new(ErrorCode::RequestTimeout, "the value did not arrive before the request's deadline")
            .closing()
    })??;
    let command = Command::Put { key, value: received.value, condition };
    let answered = write(application, deadline, &context, command).await;
    drop(received.held);
    answered
}

async fn delete<E: Environment, S: Store>(
    application: &Application<E, S>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let key = kv_request::key(request.uri())?;
    let query = kv_request::query(request.uri(), false)?;
    let condition = kv_request::write_condition(request.headers())?;
    let (deadline, context) = deadlines(arrival, query.timeout);
    write(application, deadline, &context, Command::Delete { key, condition }).await
}

async fn write<E: Environment, S: Store>(
    application: &Application<E, S>,
    deadline: Moment,
    context: &RequestContext,
    command: Command,
) -> Result<Response, Failure> {
    let writing = application.store.write(context, command);
    match application.environment.timeout_at(deadline, writing).await {
        Ok(outcome) => answer_to_write(outcome?),
        // Dropping the write does not undo it.
        Err(_) => Err(Failure::new(
            ErrorCode::OutcomeUnknown,
            "the outcome is not known: the store did not answer before the request's deadline",
        )),
    }
}

fn answer_to_write(outcome: Outcome) -> Result<Response, Failure> {
    match outcome {
        Outcome::Put { revision, create_revision, version } => {
            let mut response = Response::new(Body::empty());
            if create_revision == revision {
                *response.status_mut() = StatusCode::CREATED;
            }
            let headers = response.headers_mut();
            headers.insert(ETAG, entity_tag(revision));
            insert_number(headers, headers::REVISION, revision);
            insert_number(headers, headers::CREATE_REVISION, create_revision);
            insert_number(headers, headers::VERSION, version);
            Ok(response)
        }
        Outcome::Deleted { revision } => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            insert_number(response.headers_mut(), headers::REVISION, revision);
            Ok(response)
        }
        Outcome::NotFound { revision } => Err(key_not_found(revision)),
        Outcome::ConditionFailed { current } => Err(Failure::precondition_failed(current)),
        Outcome::LimitExceeded { limit: Limit::KeyBytes, maximum } => Err(Failure::new(
            ErrorCode::KeyTooLong,
            format!("the key is longer than the limit of {maximum} bytes"),
        )),
        Outcome::LimitExceeded { limit: Limit::ValueBytes, maximum } => Err(Failure::new(
            ErrorCode::ValueTooLarge,
            format!("the value is longer than the limit of {maximum} bytes"),
        )),
        // What the other limits are to clients comes with their routes.
        other => Err(Failure::new(ErrorCode::Overloaded, format!("the store refused it: {other:?}"))),
    }
}

async fn get<E: Environment, S: Store>(
    application: &Application<E, S>,
    arrival: Arrival,
    request: Request,
) -> Result<Response, Failure> {
    no_body(&request)?;
    let key = kv_request::key(request.uri())?;
    let query = kv_request::query(request.uri(), true)?;
    let if_none_match = kv_request::read_if_none_match(request.headers())?;
    let consistency = query.consistency.unwrap_or_default();
    let (deadline, context) = deadlines(arrival, query.timeout);
    let reading = application.store.get(&context, &key, consistency);
    let answer = application.environment.timeout_at(deadline, reading).await.map_err(|_| {
        Failure::new(ErrorCode::Unavailable, "the store did not answer before the request's deadline")
    })??;
    answer_to_read(application, consistency, if_none_match, answer)
}

fn answer_to_read<E: Environment, S: Store>(
    application: &Application<E, S>,
    consistency: Consistency,
    if_none_match: Option<HeaderValue>,
    answer: ReadAnswer,
) -> Result<Response, Failure> {
    let age = (consistency == Consistency::Stale).then(|| match answer.age {
        Some(age) => HeaderValue::from(milliseconds_rounded_up(age)),
        None => HeaderValue::from_static(headers::AGE_UNKNOWN),
    });
    let Some(KeyValue { value, create_revision, mod_revision, version }) = answer.found else {
        let failure = key_not_found(answer.revision);
        return Err(match age {
            Some(age) => failure.header(HeaderName::from_static(headers::AGE_MS), age),
            None => failure,
        });
    };
    let not_modified = if_none_match
        .is_some_and(|value| condition::if_none_match_covers(value.as_bytes(), mod_revision) == Some(true));
    let mut response = if not_modified {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(value_body(value, &application.bytes_in_flight)?);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, entity_tag(mod_revision));
    // A cache may keep it, but must ask us each time.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    insert_number(headers, headers::REVISION, answer.revision);
    insert_number(headers, headers::CREATE_REVISION, create_revision);
    insert_number(headers, headers::VERSION, version);
    if let Some(age) = age {
        headers.insert(HeaderName::from_static(headers::AGE_MS), age);
    }
    Ok(response)
}

fn key_not_found(revision: u64) -> Failure {
    Failure::new(ErrorCode::KeyNotFound, "there is no such key").store_revision(revision)
}

fn no_body(request: &Request) -> Result<(), Failure> {
    if request.body().is_end_stream() {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::BadBody, format!("{} takes no body", request.method())).closing())
}

fn insert_number(headers: &mut HeaderMap, name: &'static str, number: u64) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
}
