//! From what went wrong to the answer that says so: the one place where errors become HTTP.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use quorate_api::{ErrorBody, ErrorCode, condition, headers};
use quorate_replica::{ReadError, WriteError};

/// When to try again if nothing better is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// A request that is answered with an error.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    message: Cow<'static, str>,
    /// Beyond those that every error has.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let failure = Self { code, message: message.into(), headers: Vec::new() };
        // A client that was too slow itself need not wait.
        let patience = code.is_retryable() && code != ErrorCode::RequestTimeout;
        if patience { failure.retry_after(RETRY_AFTER_DEFAULT) } else { failure }
    }

    /// With this header; the last of a name counts.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The connection cannot be used again.
    pub(crate) fn closing(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// When trying again may help.
    pub(crate) fn retry_after(self, retry_after: Duration) -> Self {
        // The header has whole seconds only.
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        self.header(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }

    /// The store's revision that the answer reflects.
    pub(crate) fn store_revision(self, revision: u64) -> Self {
        self.header(HeaderName::from_static(headers::REVISION), HeaderValue::from(revision))
    }

    /// No method of this kind here; `allow` lists those that there are.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(ErrorCode::MethodNotAllowed, format!("this path takes {allow}"))
            .header(ALLOW, HeaderValue::from_static(allow))
    }

    /// A condition did not hold; `current` is the key's revision, if it exists.
    pub(crate) fn precondition_failed(current: Option<u64>) -> Self {
        let Some(revision) = current else {
            return Self::new(
                ErrorCode::PreconditionFailed,
                "the condition does not hold: there is no such key",
            );
        };
        let message = format!("the condition does not hold: the key's revision is {revision}");
        Self::new(ErrorCode::PreconditionFailed, message).header(ETAG, entity_tag(revision))
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Unknown { .. } => Failure::new(ErrorCode::OutcomeUnknown, message),
            WriteError::Unavailable { retry_after, .. } => {
                Failure::new(ErrorCode::Unavailable, message).retry_after(retry_after)
            }
            WriteError::Overloaded { retry_after } => {
                Failure::new(ErrorCode::Overloaded, message).retry_after(retry_after)
            }
            WriteError::DiskFull => Failure::new(ErrorCode::DiskFull, message),
            WriteError::TooLarge { .. } => Failure::new(ErrorCode::TransactionTooLarge, message),
            WriteError::TooManyHops { .. } => Failure::new(ErrorCode::TooManyHops, message),
            WriteError::ShuttingDown => Failure::new(ErrorCode::ShuttingDown, message),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        match error {
            ReadError::Unavailable { retry_after, .. } => {
                Failure::new(ErrorCode::Unavailable, message).retry_after(retry_after)
            }
            ReadError::Overloaded { retry_after } => {
                Failure::new(ErrorCode::Overloaded, message).retry_after(retry_after)
            }
            ReadError::ShuttingDown => Failure::new(ErrorCode::ShuttingDown, message),
            ReadError::Damaged { .. } => Failure::new(ErrorCode::Damaged, message),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&ErrorBody::new(self.code, self.message))
            .expect("two strings can be written as JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).expect("the codes' statuses are valid");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

/// A revision as the value of `ETag`.
pub(crate) fn entity_tag(revision: u64) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(condition::format_entity_tag(revision)))
        .expect("digits in quotes are a valid header value")
}
