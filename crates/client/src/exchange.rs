//! One request to one node, and what can be said of it afterwards.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use quorate_api::{ErrorBody, ErrorCode, condition, headers};
use quorate_environment::Environment;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::connections::{Connections, NoAnswer};
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::sessions::Ticket;

/// The code of a refusal that has none but is about the length of the request's head.
const HEAD_TOO_LONG: &str = "head_too_long";

/// The longest that a node is left alone because it has asked for that.
const RETRY_AFTER_MAX: Duration = quorate_api::query::TIMEOUT_MAX;

/// A node's answer that means "done", or "no such key".
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The number in a header.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        number(&self.headers, name)
    }

    /// The body, of a request that reads or may be repeated.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error.to_string()))
    }

    /// The body, of a request that writes.
    pub(crate) fn json_of_write<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| self.done_but_unreadable())
    }

    /// A read was answered with success, but not by what we know as a node.
    pub(crate) fn unreadable(&self, reason: impl Into<String>) -> ClientError {
        ClientError::BadAnswer { endpoint: self.endpoint.to_string(), reason: reason.into() }
    }

    /// The same of a write.
    pub(crate) fn done_but_unreadable(&self) -> ClientError {
        let Self { endpoint, status, .. } = self;
        let reason = format!("{endpoint} answered {status}, but not as a Quorate node does");
        ClientError::OutcomeUnknown { reason }
    }
}

/// Why one attempt did not lead to an answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// This attempt has done nothing; another one may do better.
    NotDone {
        /// The error.
        error: ClientError,
        /// For how long the node asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nobody said what became of this attempt.
    InDoubt {
        /// What was seen.
        reason: String,
    },
    /// No other attempt would do better.
    Final {
        /// The error.
        error: ClientError,
        /// Whether it is the outcome of the write: not only of this attempt, but of all with the same number.
        is_outcome: bool,
    },
}

/// Sends the call to one node and waits no longer than `budget`.
pub(crate) async fn exchange<E: Environment>(
    node: &Connections<E>,
    call: &Call,
    ticket: Option<&Ticket>,
    budget: Duration,
    answer_bytes_max: usize,
) -> Result<Answer, Failure> {
    let environment = node.environment();
    let deadline = environment.now() + budget;
    let endpoint = node.endpoint();
    let in_doubt = |reason: &str| Failure::InDoubt { reason: format!("{endpoint}: {reason}") };
    let sent = node.send(call.request(endpoint, ticket, budget), deadline).await;
    let (response, connection) = sent.map_err(|no_answer| match no_answer {
        NoAnswer::NotSent(reason) => {
            let error = ClientError::Unreachable { reason: format!("{endpoint}: {reason}") };
            Failure::NotDone { error, retry_after: None }
        }
        NoAnswer::Lost(reason) => in_doubt(&reason),
    })?;
    let (parts, body) = response.into_parts();
    let receiving = Limited::new(body, answer_bytes_max).collect();
    let body = match environment.timeout_at(deadline, receiving).await {
        Ok(Ok(body)) => {
            node.keep(connection);
            Ok(body.to_bytes())
        }
        // Of a write it is known that it was done, but not with what result.
        Ok(Err(error)) if error.is::<LengthLimitError>() && call.is_repeatable() => {
            let error = ClientError::AnswerTooLong { bytes_max: answer_bytes_max };
            return Err(Failure::Final { error, is_outcome: false });
        }
        Ok(Err(error)) => Err(in_doubt(&format!("the answer broke off: {error}"))),
        Err(_) => Err(in_doubt("the answer did not end in time")),
    };
    if parts.status.is_success() {
        let endpoint = endpoint.clone();
        return Ok(Answer { endpoint, status: parts.status, headers: parts.headers, body: body? });
    }
    let body: Option<ErrorBody> = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
    refused(endpoint, call, parts.status, parts.headers, body)
}

fn refused(
    endpoint: &Endpoint,
    call: &Call,
    status: StatusCode,
    headers: HeaderMap,
    body: Option<ErrorBody>,
) -> Result<Answer, Failure> {
    let request_id = text(&headers, headers::REQUEST_ID);
    let code = body.as_ref().and_then(ErrorBody::error_code);
    let refusal = |code, message| ClientError::Refused { code, message, request_id };
    let of_this_attempt = |error| Failure::Final { error, is_outcome: false };
    match (code, body) {
        (Some(ErrorCode::KeyNotFound), _) => {
            Ok(Answer { endpoint: endpoint.clone(), status, headers, body: Bytes::new() })
        }
        (Some(ErrorCode::PreconditionFailed), _) => {
            let tag = headers.get(http::header::ETAG);
            let current = tag.and_then(|tag| condition::parse_entity_tag(tag.as_bytes()));
            Err(Failure::Final { error: ClientError::Conflict { current }, is_outcome: true })
        }
        (Some(code), Some(body)) if code.outcome_unknown() => {
            Err(Failure::InDoubt { reason: format!("{endpoint}: {}", body.message) })
        }
        (Some(ErrorCode::Compacted), Some(body)) => {
            let oldest = number(&headers, headers::OLDEST_REVISION);
            Err(of_this_attempt(ClientError::Compacted { message: body.message, oldest }))
        }
        (Some(code), Some(body)) => {
            let elsewhere = code.is_retryable() || (code == ErrorCode::Damaged && call.is_repeatable());
            let is_outcome = headers.contains_key(headers::REPLAYED);
            let error = refusal(body.code, body.message);
            Err(match elsewhere {
                true => Failure::NotDone { error, retry_after: retry_after(&headers) },
                false => Failure::Final { error, is_outcome },
            })
        }
        // Something between us and the node may have answered, after the node has done the write.
        (None, body) if status.is_server_error() && !call.is_repeatable() => {
            let said = body.map_or_else(|| "nothing more".to_owned(), |body| format!("{body:?}"));
            Err(Failure::InDoubt { reason: format!("{endpoint} answered {status} and {said}") })
        }
        (None, Some(body)) => Err(of_this_attempt(refusal(body.code, body.message))),
        // HTTP servers say so by themselves, before anybody has looked at the request.
        (_, None) if is_head_too_long(status) => {
            let message = format!("{endpoint} finds the head of the request too long: {status}");
            Err(of_this_attempt(refusal(HEAD_TOO_LONG.to_owned(), message)))
        }
        (_, None) => {
            let reason = format!("status {status} without a code");
            Err(of_this_attempt(ClientError::BadAnswer { endpoint: endpoint.to_string(), reason }))
        }
    }
}

fn is_head_too_long(status: StatusCode) -> bool {
    matches!(status, StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// How long to wait, if the node says so in seconds. That of a date, which the header may also be, is told by
/// proxies only, and by a clock that is not ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = number(headers, http::header::RETRY_AFTER.as_str())?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(call: &Call, status: StatusCode, is_expected: impl Fn(&Failure) -> bool) {
        let endpoint = Endpoint::parse("a:1").expect("is an endpoint");
        match refused(&endpoint, call, status, HeaderMap::new(), None) {
            Err(failure) => assert!(is_expected(&failure), "{status}: {failure:?}"),
            other => panic!("{status}: {other:?}"),
        }
    }

    #[test]
    fn a_refusal_without_a_code_is_judged_by_its_status() {
        let is_about_the_head = |failure: &Failure| {
            matches!(failure, Failure::Final { error: ClientError::Refused { code, .. }, .. }
                if code == "head_too_long")
        };
        let is_bad = |failure: &Failure| {
            matches!(failure, Failure::Final { error: ClientError::BadAnswer { .. }, is_outcome: false })
        };
        let read = Call::get("/v1/kv/k", String::new());
        let write = Call::new(http::Method::PUT, "/v1/kv/k", String::new(), Bytes::new());
        for call in [&read, &write] {
            check(call, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, is_about_the_head);
            check(call, StatusCode::URI_TOO_LONG, is_about_the_head);
            check(call, StatusCode::BAD_REQUEST, is_bad);
        }
        check(&write, StatusCode::BAD_GATEWAY, |failure| matches!(failure, Failure::InDoubt { .. }));
        check(&read, StatusCode::BAD_GATEWAY, is_bad);
    }
}
