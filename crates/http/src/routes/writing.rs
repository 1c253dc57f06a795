//! Handing a write to the store, and what its outcomes are to clients.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use quorate_api::{ErrorCode, headers};
use quorate_environment::Environment;
use quorate_kv::{Command, InvalidTransaction, Limit, Outcome, SessionRequest};
use xxhash_rust::xxh3::xxh3_128;

use super::request::{SessionHeaders, Times};
use crate::application::Application;
use crate::failure::Failure;
use crate::store::Store;

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Never [`Outcome::Replayed`].
    pub(crate) outcome: Outcome,
    /// Whether it was done before, by an earlier request with the same `Idempotency-Key`.
    pub(crate) replayed: bool,
}

/// Runs a command to its outcome, as a part of a session if it is one.
pub(crate) async fn write<E: Environment, S: Store>(
    application: &Application<E, S>,
    times: &Times,
    command: Command,
    session: Option<SessionHeaders>,
) -> Result<Written, Failure> {
    let command = match session {
        None => command,
        Some(session) => in_session(command, session),
    };
    let writing = application.store.write(&times.context, command);
    match application.environment.timeout_at(times.deadline, writing).await {
        Ok(Ok(Outcome::Replayed(outcome))) => Ok(Written { outcome: *outcome, replayed: true }),
        Ok(outcome) => Ok(Written { outcome: outcome?, replayed: false }),
        // Dropping the write does not undo it.
        Err(_) => Err(Failure::new(
            ErrorCode::OutcomeUnknown,
            "the outcome is not known: the store did not answer before the request's deadline",
        )),
    }
}

fn in_session(command: Command, session: SessionHeaders) -> Command {
    let request = SessionRequest {
        session: session.key.session,
        sequence: session.key.sequence,
        acknowledged_below: session.acknowledged_below,
        // The encoding of a command holds all that was asked for, and never changes.
        fingerprint: xxh3_128(&command.encode()),
    };
    command.in_session(request).expect("only the routes of writes take an Idempotency-Key")
}

impl Written {
    /// What to answer if the outcome is none of those in which the write was done.
    pub(crate) fn into_failure(self) -> Failure {
        let failure = refusal(self.outcome);
        match self.replayed {
            true => failure.header(HeaderName::from_static(headers::REPLAYED), TRUE),
            false => failure,
        }
    }

    /// Notes on the answer whether it was done before.
    pub(super) fn mark(replayed: bool, response: &mut Response) {
        if replayed {
            response.headers_mut().insert(HeaderName::from_static(headers::REPLAYED), TRUE);
        }
    }
}

const TRUE: HeaderValue = HeaderValue::from_static("true");

fn refusal(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::NotFound { revision } => Failure::key_not_found(revision),
        Outcome::ConditionFailed { current } => Failure::precondition_failed(current),
        Outcome::LimitExceeded { limit, maximum } => limit_exceeded(limit, maximum),
        Outcome::TransactionRefused(invalid) => invalid_transaction(&invalid),
        Outcome::FutureRevision { newest } => Failure::future_revision(newest),
        Outcome::SessionUnknown => Failure::new(
            ErrorCode::SessionExpired,
            "there is no such session: it was never opened, was closed, or expired",
        ),
        Outcome::SessionExpired => Failure::new(ErrorCode::SessionExpired, "the session has expired"),
        Outcome::SequenceFreed { acknowledged_below } => Failure::new(
            ErrorCode::SequenceFreed,
            format!("the outcomes of the session's sequences below {acknowledged_below} were acknowledged"),
        ),
        Outcome::SequenceReused => Failure::new(
            ErrorCode::SequenceReused,
            "the Idempotency-Key was used by another request before: give each write a sequence of its own",
        ),
        Outcome::SettingOutOfBounds { setting, value } => Failure::bad_setting(setting, value),
        // The leader may be of a newer version, which answers in ways that this one does not know.
        other => Failure::new(
            ErrorCode::OutcomeUnknown,
            format!("the outcome is not known: the store answered with {other:?}"),
        ),
    }
}

/// The answer to what is over a limit.
pub(super) fn limit_exceeded(limit: Limit, maximum: u64) -> Failure {
    let (code, message) = match limit {
        Limit::KeyBytes => {
            (ErrorCode::KeyTooLong, format!("the key is longer than the limit of {maximum} bytes"))
        }
        Limit::ValueBytes => {
            (ErrorCode::ValueTooLarge, format!("the value is longer than the limit of {maximum} bytes"))
        }
        Limit::TransactionComparisons => (
            ErrorCode::TooManyComparisons,
            format!("the transaction has more comparisons than the limit of {maximum}"),
        ),
        Limit::TransactionOperations => (
            ErrorCode::TooManyOperations,
            format!("the transaction has more operations than the limit of {maximum}"),
        ),
        Limit::TransactionResultBytes => (
            ErrorCode::TransactionTooLarge,
            format!("the transaction would read more than the limit of {maximum} bytes"),
        ),
        Limit::TransactionScannedKeys => (
            ErrorCode::TransactionTooLarge,
            format!("the transaction would look at more keys than the limit of {maximum}"),
        ),
        Limit::TransactionDeletedKeys => (
            ErrorCode::TransactionTooLarge,
            format!("the transaction would delete more keys by ranges than the limit of {maximum}"),
        ),
        Limit::Quota => (
            ErrorCode::QuotaExceeded,
            format!(
                "the store would hold more than its quota of {maximum} bytes: delete and compact, or raise it"
            ),
        ),
        Limit::Sessions => {
            (ErrorCode::TooManySessions, format!("there are as many sessions as the limit of {maximum}"))
        }
        Limit::SessionTtl => {
            (ErrorCode::BadBody, format!("ttl_ms is more than the limit of {maximum} milliseconds"))
        }
        Limit::SessionOutcomes => (
            ErrorCode::TooManyOutcomes,
            format!("the session holds as many outcomes as the limit of {maximum}: acknowledge some"),
        ),
    };
    Failure::new(code, message)
}

/// What is wrong with a transaction.
pub(super) fn invalid_transaction(invalid: &InvalidTransaction) -> Failure {
    let code = match invalid {
        InvalidTransaction::TooDeep => ErrorCode::NestedTooDeep,
        InvalidTransaction::KeyBytes => ErrorCode::BadKey,
        InvalidTransaction::WrittenTwice { .. } => ErrorCode::DuplicateKey,
    };
    Failure::new(code, invalid.to_string())
}

/// An answer of JSON about this moment.
pub(super) fn json(answer: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(answer).expect("wire types can be written as JSON");
    super::text(quorate_api::media::JSON, Bytes::from(body))
}
