//! `/v1/kv/{key}`: the hot path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY};
use http::{HeaderName, Method, StatusCode};
use quorate_api::{KeyAnswer, condition, headers, media};
use quorate_environment::Environment;
use quorate_kv::{Command, KeyValue, Outcome};
use quorate_replica::{Consistency, ReadAnswer};

use super::request::{self, Times, no_body};
use super::writing::{Written, write};
use super::{insert_number, kv_request};
use crate::application::{Application, Arrival};
use crate::body::{body_timeout, receive, value_body, value_too_large};
use crate::failure::{Failure, age_value, entity_tag, json_entity_tag};
use crate::store::Store;

pub(super) const METHODS: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// Answers a request about a key.
pub(crate) async fn answer<E: Environment, S: Store>(
    State(application): State<Arc<Application<E, S>>>,
    request: Request,
) -> Response {
    let arrival = request::arrival(&request);
    let answered = match *request.method() {
        Method::GET | Method::HEAD => get(&application, arrival, request).await,
        Method::PUT => put(&application, arrival, request).await,
        Method::DELETE => delete(&application, arrival, request).await,
        Method::OPTIONS => Ok(super::options(METHODS)),
        _ => Err(Failure::method_not_allowed(METHODS)),
    };
    answered.unwrap_or_else(Failure::into_response)
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
    let session = request::session(&parts.headers)?;
    let times = Times::new(arrival, query.timeout);
    let value_bytes_max = application.store.value_bytes_max();
    let receiving = receive(body, value_bytes_max, value_too_large, &application.bytes_in_flight);
    let received = application.environment.timeout_at(times.deadline, receiving).await;
    let received = received.map_err(|_| body_timeout("the value"))??;
    let command = Command::Put { key, value: received.bytes, condition };
    let written = write(application, &times, command, session).await;
    drop(received.held);
    answer_to_write(written?)
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
    let session = request::session(request.headers())?;
    let times = Times::new(arrival, query.timeout);
    answer_to_write(write(application, &times, Command::Delete { key, condition }, session).await?)
}

fn answer_to_write(written: Written) -> Result<Response, Failure> {
    let mut response = Response::new(Body::empty());
    match written.outcome {
        Outcome::Put { revision, create_revision, version } => {
            if create_revision == revision {
                *response.status_mut() = StatusCode::CREATED;
            }
            let headers = response.headers_mut();
            headers.insert(ETAG, entity_tag(revision));
            insert_number(headers, headers::REVISION, revision);
            insert_number(headers, headers::CREATE_REVISION, create_revision);
            insert_number(headers, headers::VERSION, version);
        }
        Outcome::Deleted { revision } => {
            *response.status_mut() = StatusCode::NO_CONTENT;
            insert_number(response.headers_mut(), headers::REVISION, revision);
        }
        _ => return Err(written.into_failure()),
    }
    Written::mark(written.replayed, &mut response);
    Ok(response)
}

/// What a read asks for besides its key.
struct Reading {
    consistency: Consistency,
    if_none_match: Option<HeaderValue>,
    as_json: bool,
}

impl Reading {
    /// Whether the client has the form that it asks for already.
    fn is_known(&self, mod_revision: u64) -> bool {
        let Some(value) = &self.if_none_match else { return false };
        let covers = match self.as_json {
            true => condition::if_none_match_covers_json(value.as_bytes(), mod_revision),
            false => condition::if_none_match_covers(value.as_bytes(), mod_revision),
        };
        covers == Some(true)
    }

    fn entity_tag(&self, mod_revision: u64) -> HeaderValue {
        match self.as_json {
            true => json_entity_tag(mod_revision),
            false => entity_tag(mod_revision),
        }
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
    let reading = Reading {
        consistency: request::consistency(query.consistency, query.max_staleness),
        if_none_match: kv_request::read_if_none_match(request.headers())?,
        as_json: media::prefers_json(request.headers().get_all(ACCEPT).iter().map(HeaderValue::as_bytes)),
    };
    let times = Times::new(arrival, query.timeout);
    let answer = match query.revision {
        None => {
            let get = application.store.get(&times.context, &key, reading.consistency);
            super::in_time(application, times.deadline, get).await?
        }
        Some(revision) => get_at(application, &times, &key, revision, reading.consistency).await?,
    };
    answer_to_read(application, key, reading, answer)
}

async fn get_at<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    key: &[u8],
    revision: u64,
    consistency: Consistency,
) -> Result<ReadAnswer, Failure> {
    let view = application.store.view(&times.context, consistency);
    let view = super::in_time(application, times.deadline, view).await?;
    let found = application.store.get_at(key, revision)??;
    Ok(ReadAnswer { found, revision, age: view.age })
}

fn answer_to_read<E: Environment, S: Store>(
    application: &Application<E, S>,
    key: Bytes,
    reading: Reading,
    answer: ReadAnswer,
) -> Result<Response, Failure> {
    let age = reading.consistency.is_stale().then(|| age_value(answer.age));
    let Some(found) = answer.found else {
        let failure = Failure::key_not_found(answer.revision);
        return Err(match age {
            Some(age) => failure.header(HeaderName::from_static(headers::AGE_MS), age),
            None => failure,
        });
    };
    let KeyValue { create_revision, mod_revision, version, .. } = found;
    let not_modified = reading.is_known(mod_revision);
    let mut response = match (not_modified, reading.as_json) {
        (true, _) => Response::new(Body::empty()),
        (false, true) => json_form(application, KeyAnswer::new(key, found, answer.revision))?,
        (false, false) => value_response(application, media::RAW, found.value)?,
    };
    if not_modified {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, reading.entity_tag(mod_revision));
    // A cache may keep it, but must ask us each time; and there are two forms of it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    insert_read_numbers(headers, answer.revision, create_revision, version);
    if let Some(age) = age {
        headers.insert(HeaderName::from_static(headers::AGE_MS), age);
    }
    Ok(response)
}

fn insert_read_numbers(headers: &mut HeaderMap, revision: u64, create_revision: u64, version: u64) {
    insert_number(headers, headers::REVISION, revision);
    insert_number(headers, headers::CREATE_REVISION, create_revision);
    insert_number(headers, headers::VERSION, version);
}

fn json_form<E: Environment, S: Store>(
    application: &Application<E, S>,
    answer: KeyAnswer,
) -> Result<Response, Failure> {
    let json = serde_json::to_vec(&answer).expect("wire types can be written as JSON");
    value_response(application, media::JSON, Bytes::from(json))
}

fn value_response<E: Environment, S: Store>(
    application: &Application<E, S>,
    content_type: &'static str,
    value: Bytes,
) -> Result<Response, Failure> {
    let mut response = Response::new(value_body(value, &application.bytes_in_flight)?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}
