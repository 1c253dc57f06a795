//! What requests of several routes have in common: time, bodies, and the headers that make a write special.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, Uri};
use hyper::body::Body as _;
use quorate_api::query::{self, Parameters};
use quorate_api::{BadQuery, ErrorCode, IdempotencyKey, headers, parse_body};
use quorate_environment::{Environment, Moment};
use quorate_replica::{Consistency, RequestContext};
use serde::de::DeserializeOwned;

use crate::application::{Application, Arrival};
use crate::body::{Received, body_timeout, body_too_large, receive};
use crate::bytes_in_flight::BytesHeld;
use crate::failure::Failure;
use crate::store::Store;

/// How much earlier than its client's deadline the store is asked to answer: its own answer says more
/// than ours. A tenth of the time limit, but not more than this.
const MARGIN_MAX: Duration = Duration::from_millis(20);

/// The longest body of requests that carry a few numbers.
const SMALL_BODY_BYTES_MAX: u64 = 64 << 10;

/// What an object of a request takes in memory, about.
const OBJECT_BYTES: usize = 160;

/// By when the answer leaves, and what the store is told of that.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) deadline: Moment,
    pub(crate) context: RequestContext,
}

impl Times {
    /// For a request with this time limit, or with the default one.
    pub(crate) fn new(arrival: Arrival, timeout: Option<Duration>) -> Self {
        let timeout = timeout.unwrap_or(query::TIMEOUT_DEFAULT);
        let deadline = arrival.at + timeout;
        let store_deadline = deadline - MARGIN_MAX.min(timeout / 10);
        Self { deadline, context: RequestContext::new(store_deadline, arrival.request_id) }
    }
}

/// When the request arrived.
pub(crate) fn arrival(request: &Request) -> Arrival {
    *request.extensions().get::<Arrival>().expect("every request is given its arrival")
}

/// Refuses a body.
pub(crate) fn no_body(request: &Request) -> Result<(), Failure> {
    if request.body().is_end_stream() {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::BadBody, format!("{} takes no body", request.method())).closing())
}

/// The time limit, in a query that has nothing else.
pub(crate) fn timeout_only(uri: &Uri) -> Result<Option<Duration>, Failure> {
    let mut timeout = None;
    for (name, value) in Parameters::of(uri.query().unwrap_or_default()) {
        match name {
            query::TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
            _ => return Err(query::unknown(name).into()),
        }
    }
    Ok(timeout)
}

/// The consistency as the store knows it. Only a stale read has a bound on its staleness.
pub(super) fn consistency(
    consistency: Option<quorate_api::Consistency>,
    max_staleness: Option<Duration>,
) -> Consistency {
    match consistency.unwrap_or_default() {
        quorate_api::Consistency::Linearizable => Consistency::Linearizable,
        quorate_api::Consistency::Lease => Consistency::Lease,
        quorate_api::Consistency::Stale => Consistency::Stale { age_max: max_staleness },
    }
}

/// What makes a write safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionHeaders {
    pub(crate) key: IdempotencyKey,
    pub(crate) acknowledged_below: u64,
}

/// The session that a write is a part of.
pub(super) fn session(headers: &HeaderMap) -> Result<Option<SessionHeaders>, Failure> {
    let (mut key, mut acknowledged_below) = (None, None);
    // One walk: a request has a handful of headers, and a look-up for each name would cost more.
    for (name, value) in headers {
        let is_repeated = match name.as_str() {
            headers::IDEMPOTENCY_KEY => key.replace(idempotency_key(value)?).is_some(),
            headers::ACKNOWLEDGED_BELOW => acknowledged_below.replace(watermark(value)?).is_some(),
            _ => false,
        };
        if is_repeated {
            return Err(bad_header(format!("the header {name} is given twice")));
        }
    }
    match (key, acknowledged_below) {
        (Some(key), below) => Ok(Some(SessionHeaders { key, acknowledged_below: below.unwrap_or(0) })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(bad_header("Quorate-Acknowledged-Below goes with an Idempotency-Key")),
    }
}

fn idempotency_key(value: &HeaderValue) -> Result<IdempotencyKey, Failure> {
    IdempotencyKey::parse(value.as_bytes())
        .ok_or_else(|| bad_header("Idempotency-Key is SESSION:SEQUENCE, two whole numbers"))
}

fn watermark(value: &HeaderValue) -> Result<u64, Failure> {
    let number = value.to_str().ok().and_then(|text| query::number("", text).ok());
    number.ok_or_else(|| bad_header("Quorate-Acknowledged-Below is a whole number of 64 bits"))
}

/// Refuses what would make a write conditional where no condition belongs: to ignore it would be worse.
pub(crate) fn no_conditions(headers: &HeaderMap) -> Result<(), Failure> {
    refuse(
        headers,
        &[
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::IF_UNMODIFIED_SINCE,
            header::IF_MODIFIED_SINCE,
            header::IF_RANGE,
            header::CONTENT_RANGE,
        ],
    )
}

/// Refuses a session where it would not help.
pub(crate) fn no_session(headers: &HeaderMap) -> Result<(), Failure> {
    let names = [headers::IDEMPOTENCY_KEY, headers::ACKNOWLEDGED_BELOW];
    refuse(headers, &names.map(HeaderName::from_static))
}

fn refuse(headers: &HeaderMap, names: &[HeaderName]) -> Result<(), Failure> {
    match names.iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(unsupported(name)),
        None => Ok(()),
    }
}

pub(super) fn unsupported(name: &HeaderName) -> Failure {
    bad_header(format!("the header {name} is not supported here"))
}

pub(super) fn bad_header(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(ErrorCode::BadHeader, message)
}

/// A body of JSON, read and understood, and its share of the budget of bytes.
pub(super) struct JsonBody<T> {
    pub(super) content: T,
    pub(super) held: BytesHeld,
}

/// A request with a body of JSON, received whole.
pub(super) struct JsonRequest<T> {
    pub(super) times: Times,
    /// The session that it is a part of, if it is of one.
    pub(super) session: Option<SessionHeaders>,
    pub(super) body: JsonBody<T>,
}

/// Receives a request that is told everything by a body of JSON of at most `bytes_max` bytes. An empty body
/// counts as `if_empty`, where there is such a thing.
pub(super) async fn json_request<E: Environment, S: Store, T: DeserializeOwned>(
    application: &Application<E, S>,
    request: Request,
    bytes_max: u64,
    if_empty: Option<T>,
) -> Result<JsonRequest<T>, Failure> {
    let arrival = arrival(&request);
    let (parts, body) = request.into_parts();
    no_conditions(&parts.headers)?;
    let session = session(&parts.headers)?;
    let times = Times::new(arrival, timeout_only(&parts.uri)?);
    let body = json_body(application, times.deadline, body, bytes_max, if_empty).await?;
    Ok(JsonRequest { times, session, body })
}

/// As [`json_request`], of a request that no session makes safe to repeat and that has a short body.
pub(super) async fn small_json_request<E: Environment, S: Store, T: DeserializeOwned>(
    application: &Application<E, S>,
    request: Request,
    if_empty: Option<T>,
) -> Result<(Times, JsonBody<T>), Failure> {
    no_session(request.headers())?;
    let received = json_request(application, request, SMALL_BODY_BYTES_MAX, if_empty).await?;
    Ok((received.times, received.body))
}

/// Receives and reads a body of JSON of at most `bytes_max` bytes. An empty one counts as `if_empty`, where
/// there is such a thing.
async fn json_body<E: Environment, S: Store, T: DeserializeOwned>(
    application: &Application<E, S>,
    deadline: Moment,
    body: Body,
    bytes_max: u64,
    if_empty: Option<T>,
) -> Result<JsonBody<T>, Failure> {
    let receiving = receive(body, bytes_max, body_too_large, &application.bytes_in_flight);
    let received = application.environment.timeout_at(deadline, receiving).await;
    let Received { bytes, mut held } = received.map_err(|_| body_timeout("the body"))??;
    if let (true, Some(content)) = (bytes.is_empty(), if_empty) {
        return Ok(JsonBody { content, held });
    }
    if !held.try_grow(bytes_when_read(&bytes)) {
        return Err(crate::body::overloaded());
    }
    let content = parse_body(&bytes).map_err(|bad| Failure::new(ErrorCode::BadBody, bad.to_string()))?;
    Ok(JsonBody { content, held })
}

/// What a body of JSON takes, at most, once it is read: its texts, and some hundred bytes for each object,
/// however short that stands in the body. Braces within texts are counted, too.
fn bytes_when_read(json: &[u8]) -> usize {
    let objects = json.iter().filter(|byte| **byte == b'{').count();
    json.len() + objects * OBJECT_BYTES
}

impl From<BadQuery> for Failure {
    fn from(bad: BadQuery) -> Self {
        Failure::new(ErrorCode::BadQuery, bad.into_message())
    }
}
