//! From what went wrong to the answer that says so: the one place where errors become HTTP.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use quorate_api::{ErrorBody, ErrorCode, condition, headers};
use quorate_kv::{Setting, SettingDescription, UnavailableRevision};
use quorate_replica::{MemberError, ReadError, TransferError, WriteError};

use crate::paged_body::NoPage;

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

    /// What is left to say when only a part of a request was done: the outcome of the rest is not known.
    pub(crate) fn after_a_part(self, part: String) -> Self {
        Self::new(ErrorCode::OutcomeUnknown, format!("{part}{}", self.message))
    }

    /// There is no such key at the store's `revision`.
    pub(crate) fn key_not_found(revision: u64) -> Self {
        Self::new(ErrorCode::KeyNotFound, "there is no such key").store_revision(revision)
    }

    /// The revision that was asked for is yet to come.
    pub(crate) fn future_revision(newest: u64) -> Self {
        let message = format!("the revision is yet to come; the newest is {newest}");
        Self::new(ErrorCode::FutureRevision, message).store_revision(newest)
    }

    /// A setting cannot have the value.
    pub(crate) fn bad_setting(setting: Setting, value: u64) -> Self {
        let SettingDescription { name, minimum, maximum, unit, .. } = setting.description();
        let message = format!("{name} can be {minimum} to {maximum} {unit}, not {value}");
        Self::new(ErrorCode::BadSetting, message)
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

impl From<NoPage> for Failure {
    fn from(no_page: NoPage) -> Self {
        match no_page {
            NoPage::Revision(unavailable) => unavailable.into(),
            NoPage::Read(error) => error.into(),
        }
    }
}

impl From<UnavailableRevision> for Failure {
    fn from(unavailable: UnavailableRevision) -> Self {
        match unavailable {
            UnavailableRevision::Future { newest } => Failure::future_revision(newest),
            UnavailableRevision::Compacted { oldest } => {
                Failure::new(ErrorCode::Compacted, unavailable.to_string())
                    .header(HeaderName::from_static(headers::OLDEST_REVISION), HeaderValue::from(oldest))
            }
        }
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
            WriteError::Damaged { .. } => Failure::new(ErrorCode::Damaged, message),
        }
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        let message = error.to_string();
        match error {
            TransferError::UnknownMember { .. } => Failure::new(ErrorCode::MemberUnknown, message),
            TransferError::NotVoter { .. } => Failure::new(ErrorCode::MemberNotVoter, message),
            TransferError::Unreachable { .. } => Failure::new(ErrorCode::MemberUnreachable, message),
            TransferError::Lagging { .. } => Failure::new(ErrorCode::MemberLagging, message),
            TransferError::NoSuccessor => Failure::new(ErrorCode::NoSuccessor, message),
            TransferError::NotTakenOver { .. } | TransferError::Unknown { .. } => {
                Failure::new(ErrorCode::OutcomeUnknown, message)
            }
            TransferError::Unavailable { retry_after, .. } => {
                Failure::new(ErrorCode::Unavailable, message).retry_after(retry_after)
            }
            TransferError::ShuttingDown => Failure::new(ErrorCode::ShuttingDown, message),
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
            ReadError::TooStale { age } => Failure::new(ErrorCode::TooStale, message)
                .header(HeaderName::from_static(headers::AGE_MS), age_value(age)),
            ReadError::ShuttingDown => Failure::new(ErrorCode::ShuttingDown, message),
            ReadError::Damaged { .. } => Failure::new(ErrorCode::Damaged, message),
        }
    }
}

impl From<MemberError> for Failure {
    fn from(error: MemberError) -> Self {
        let message = error.to_string();
        match error {
            MemberError::Exists { .. } => Failure::new(ErrorCode::MemberExists, message),
            MemberError::UnknownMember { .. } | MemberError::NotAMember { .. } => {
                Failure::new(ErrorCode::MemberUnknown, message)
            }
            MemberError::InProgress { retry_after, .. } => {
                Failure::new(ErrorCode::MembershipChangeInProgress, message).retry_after(retry_after)
            }
            MemberError::QuorumAtRisk { .. } => Failure::new(ErrorCode::QuorumAtRisk, message),
            MemberError::Lagging { .. } => Failure::new(ErrorCode::MemberLagging, message),
            MemberError::SlotUnclaimed { .. } => Failure::new(ErrorCode::SlotUnclaimed, message),
            MemberError::Invalid { .. } => Failure::new(ErrorCode::BadBody, message),
            MemberError::Unavailable { retry_after, .. } => {
                Failure::new(ErrorCode::Unavailable, message).retry_after(retry_after)
            }
            MemberError::OutcomeUnknown { .. } | MemberError::Unfinished { .. } => {
                Failure::new(ErrorCode::OutcomeUnknown, message)
            }
            MemberError::ShuttingDown => Failure::new(ErrorCode::ShuttingDown, message),
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

/// The answer to a request that is refused, with the headers that go with the code.
pub fn refusal(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Response {
    Failure::new(code, message).into_response()
}

/// The age of a node's state, in whole milliseconds, never younger than it is.
pub(crate) fn age_value(age: Option<Duration>) -> HeaderValue {
    match age {
        Some(age) => HeaderValue::from(milliseconds_rounded_up(age)),
        None => HeaderValue::from_static(headers::AGE_UNKNOWN),
    }
}

/// An age in whole milliseconds, never younger than it is.
pub(crate) fn milliseconds_rounded_up(age: Duration) -> u64 {
    u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A revision as the value of `ETag`.
pub(crate) fn entity_tag(revision: u64) -> HeaderValue {
    header_value(condition::format_entity_tag(revision))
}

/// A revision as the value of `ETag` of the JSON form.
pub(crate) fn json_entity_tag(revision: u64) -> HeaderValue {
    header_value(condition::format_json_entity_tag(revision))
}

fn header_value(tag: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(tag))
        .expect("a revision in quotes is a valid header value")
}
