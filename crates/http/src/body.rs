//! Bodies, in and out, within the node's budget of bytes.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use quorate_api::ErrorCode;
use quorate_environment::{Environment, Moment};

use crate::bytes_in_flight::{BytesHeld, BytesInFlight};
use crate::failure::Failure;
use crate::front::Front;
use std::sync::Arc;

/// Answers shorter than this are not counted: a connection has one at a time, so the number of
/// connections bounds them well enough.
const COUNTED_ANSWER_BYTES_MIN: usize = 16 << 10;

/// A body and its share of the budget.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    pub(crate) held: BytesHeld,
}

/// Receives a body of at most `bytes_max` bytes; `too_large` says what a longer one is. The caller bounds the
/// time.
pub(crate) async fn receive(
    mut body: Body,
    bytes_max: u64,
    too_large: impl Fn(u64) -> Failure,
    budget: &Arc<BytesInFlight>,
) -> Result<Received, Failure> {
    // Absent in a chunked body. hyper ends the body at the length that was announced.
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let announced = announced.map_or(0, |length| length as usize);
    let mut held = budget.try_take(announced).ok_or_else(overloaded)?;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken_body)?.into_data() else {
            continue; // Trailers: nothing in them means anything to us.
        };
        received += data.len();
        if received as u64 > bytes_max {
            return Err(too_large(bytes_max));
        }
        if received > announced && !held.try_grow(data.len()) {
            return Err(overloaded());
        }
        match &first {
            // Most values arrive whole; they are not copied.
            None => first = Some(data),
            Some(first) => {
                if rest.is_empty() {
                    rest.reserve(announced.max(first.len() + data.len()));
                    rest.extend_from_slice(first);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    let bytes = if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() };
    Ok(Received { bytes, held })
}

/// Receives a body for a server: of at most `bytes_max` bytes, within its budget, before `deadline`. The error is
/// the answer to whom it cannot be received from. Keep what is held as long as the bytes are.
pub async fn receive_body<E: Environment>(
    front: &Front<E>,
    body: Body,
    bytes_max: u64,
    deadline: Moment,
) -> Result<(Bytes, BytesHeld), Response> {
    let receiving = receive(body, bytes_max, body_too_large, &front.bytes_in_flight);
    match front.environment.timeout_at(deadline, receiving).await {
        Ok(Ok(Received { bytes, held })) => Ok((bytes, held)),
        Ok(Err(failure)) => Err(failure.into_response()),
        Err(_) => Err(body_timeout("the body").into_response()),
    }
}

/// The body of an answer that carries `value`. Counted from here until its last byte is sent, unless it
/// is small.
pub(crate) fn value_body(value: Bytes, budget: &Arc<BytesInFlight>) -> Result<Body, Failure> {
    if value.len() < COUNTED_ANSWER_BYTES_MIN {
        return Ok(Body::from(value));
    }
    let held = budget.try_take(value.len()).ok_or_else(overloaded)?;
    Ok(Body::from(Bytes::from_owner(CountedValue { value, _held: held })))
}

/// Bytes that give their share of the budget back when the last reference to them is gone.
#[derive(Debug)]
struct CountedValue {
    value: Bytes,
    _held: BytesHeld,
}

impl AsRef<[u8]> for CountedValue {
    fn as_ref(&self) -> &[u8] {
        &self.value
    }
}

/// What a value that is too long is answered with.
pub(crate) fn value_too_large(value_bytes_max: u64) -> Failure {
    Failure::new(
        ErrorCode::ValueTooLarge,
        format!("the value is longer than the limit of {value_bytes_max} bytes"),
    )
    .closing()
}

/// What a request is answered with that there is no room for.
pub(crate) fn overloaded() -> Failure {
    Failure::new(ErrorCode::Overloaded, "too many bytes of requests and answers are in flight on this node")
}

/// The answer to a client that is too slow.
pub(crate) fn body_timeout(what: &str) -> Failure {
    let message = format!("{what} did not arrive before the request's deadline");
    Failure::new(ErrorCode::RequestTimeout, message).closing()
}

/// What a body that is too long is answered with.
pub(crate) fn body_too_large(bytes_max: u64) -> Failure {
    let message = format!("the body is longer than the limit of {bytes_max} bytes");
    Failure::new(ErrorCode::BodyTooLarge, message).closing()
}

fn broken_body(error: axum::Error) -> Failure {
    Failure::new(ErrorCode::BadBody, format!("the body cannot be read: {error}")).closing()
}
