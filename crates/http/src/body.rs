//! Bodies, in and out, within the node's budget of bytes.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use quorate_api::ErrorCode;

use crate::bytes_in_flight::{BytesHeld, BytesInFlight};
use crate::failure::Failure;
use std::sync::Arc;

/// Answers shorter than this are not counted: a connection has one at a time, so the number of
/// connections bounds them well enough.
const COUNTED_ANSWER_BYTES_MIN: usize = 16 << 10;

/// A value and its share of the budget.
#[derive(Debug)]
pub(crate) struct ReceivedValue {
    pub(crate) value: Bytes,
    pub(crate) held: BytesHeld,
}

/// Receives a value of at most `value_bytes_max` bytes. The caller bounds the time.
pub(crate) async fn receive_value(
    mut body: Body,
    value_bytes_max: u64,
    budget: &Arc<BytesInFlight>,
) -> Result<ReceivedValue, Failure> {
    // Absent in a chunked body. hyper ends the body at the length that was announced.
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > value_bytes_max) {
        return Err(value_too_large(value_bytes_max));
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
        if received as u64 > value_bytes_max {
            return Err(value_too_large(value_bytes_max));
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
    let value = if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() };
    Ok(ReceivedValue { value, held })
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

fn value_too_large(value_bytes_max: u64) -> Failure {
    Failure::new(
        ErrorCode::ValueTooLarge,
        format!("the value is longer than the limit of {value_bytes_max} bytes"),
    )
    .closing()
}

fn overloaded() -> Failure {
    Failure::new(ErrorCode::Overloaded, "too many bytes of requests and answers are in flight on this node")
}

fn broken_body(error: axum::Error) -> Failure {
    Failure::new(ErrorCode::BadBody, format!("the body cannot be read: {error}")).closing()
}
