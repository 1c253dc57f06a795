//! The calls of a history of single keys: what they ask for, and what answers say to them.

use std::time::Duration;

use http::StatusCode;
use hyper::body::Bytes;
use quorate_api::{Condition, Consistency, ErrorBody, ErrorCode, headers};
use quorate_jepsen::store::{Expected, StoreAnswer, StoreCall};
use quorate_kv::Command;

use super::http::Answer;
use super::wire::{entity_tag, number};
use crate::oracles::store::Asked;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said<A> {
    /// This.
    Answer(A),
    /// The request certainly had no effect.
    Refused(ErrorCode),
    /// The request may have had an effect.
    Unknown,
}

/// What a read says besides what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadDetails {
    /// The store's revision that the answer reflects.
    pub(super) revision: u64,
    /// For a stale read: how old the state was, if the node knew.
    pub(super) age: Option<Duration>,
}

/// What a call asks for.
pub(super) fn asked(call: &StoreCall, key: &[u8], consistency: Consistency) -> Asked {
    let key = Bytes::copy_from_slice(key);
    let command = match call {
        StoreCall::Get => return Asked::Get { key, revision: None, consistency },
        StoreCall::Put { value } => put(key, value, Condition::Always),
        StoreCall::PutIf { expected: Expected::Absent, value } => put(key, value, Condition::Absent),
        StoreCall::PutIf { expected: Expected::Revision(revision), value } => {
            put(key, value, Condition::RevisionIs(*revision))
        }
        StoreCall::Delete => Command::Delete { key, condition: Condition::Always },
        StoreCall::DeleteIf { revision } => {
            Command::Delete { key, condition: Condition::RevisionIs(*revision) }
        }
    };
    Asked::Write { command, session: None }
}

fn put(key: Bytes, value: &[u8], condition: Condition) -> Command {
    Command::Put { key, value: Bytes::copy_from_slice(value), condition }
}

/// What the answer to a call says. An answer that our API does not give is an error.
pub(super) fn said(call: &StoreCall, answer: &Answer) -> Result<Said<StoreAnswer>, String> {
    let conditional = matches!(call, StoreCall::PutIf { .. } | StoreCall::DeleteIf { .. });
    match (call, answer.status) {
        (StoreCall::Get, StatusCode::OK) => {
            let value = answer.body.to_vec();
            Ok(Said::Answer(StoreAnswer::Found { value, revision: entity_tag(&answer.headers)? }))
        }
        (StoreCall::Put { .. } | StoreCall::PutIf { .. }, StatusCode::OK | StatusCode::CREATED) => {
            Ok(Said::Answer(StoreAnswer::Written { revision: number(&answer.headers, headers::REVISION)? }))
        }
        (StoreCall::Delete | StoreCall::DeleteIf { .. }, StatusCode::NO_CONTENT) => {
            let revision = Some(number(&answer.headers, headers::REVISION)?);
            Ok(Said::Answer(StoreAnswer::Deleted { existed: Some(true), revision }))
        }
        _ => refusal(call, conditional, answer),
    }
}

fn refusal(call: &StoreCall, conditional: bool, answer: &Answer) -> Result<Said<StoreAnswer>, String> {
    let unexpected = || {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        format!("a {call} was answered with {}: {body}", answer.status)
    };
    let body: ErrorBody = serde_json::from_slice(&answer.body).map_err(|_| unexpected())?;
    let code =
        body.error_code().filter(|code| code.status() == answer.status.as_u16()).ok_or_else(unexpected)?;
    match (code, call) {
        (ErrorCode::KeyNotFound, StoreCall::Get) => Ok(Said::Answer(StoreAnswer::Absent)),
        (ErrorCode::KeyNotFound, StoreCall::Delete) => {
            Ok(Said::Answer(StoreAnswer::Deleted { existed: Some(false), revision: None }))
        }
        (ErrorCode::PreconditionFailed, _) if conditional => Ok(Said::Answer(StoreAnswer::Mismatch)),
        (code, _) if code.outcome_unknown() => Ok(Said::Unknown),
        // A node whose disk was damaged says so until it has stopped.
        (ErrorCode::Damaged, _) => Ok(Said::Refused(code)),
        (code, _) if code.is_retryable() => Ok(Said::Refused(code)),
        // Disks of leaders fill up. Even a delete is refused while the log cannot go on.
        (ErrorCode::DiskFull, call) if !matches!(call, StoreCall::Get) => Ok(Said::Refused(code)),
        // Settings change while clients work.
        (
            ErrorCode::ValueTooLarge | ErrorCode::QuotaExceeded,
            StoreCall::Put { .. } | StoreCall::PutIf { .. },
        ) => Ok(Said::Refused(code)),
        _ => Err(unexpected()),
    }
}

/// What an answered read says besides what it found.
pub(super) fn read_details(answer: &Answer) -> Result<ReadDetails, String> {
    let age = match answer.headers.get(headers::AGE_MS) {
        Some(age) if age != headers::AGE_UNKNOWN => {
            Some(Duration::from_millis(number(&answer.headers, headers::AGE_MS)?))
        }
        _ => None,
    };
    Ok(ReadDetails { revision: number(&answer.headers, headers::REVISION)?, age })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn answer(status: u16, name: &'static str, value: &'static str, body: &'static str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header"));
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers, body: Bytes::from_static(body.as_bytes()) }
    }

    fn error(code: ErrorCode) -> Answer {
        let body = serde_json::to_vec(&ErrorBody::new(code, "m")).expect("serialises");
        Answer { body: body.into(), ..answer(code.status(), "x", "y", "") }
    }

    #[test]
    fn answers_are_understood() {
        let put = StoreCall::Put { value: vec![1] };
        let written = said(&put, &answer(201, "quorate-revision", "7", ""));
        assert_eq!(written, Ok(Said::Answer(StoreAnswer::Written { revision: 7 })));
        let found = said(&StoreCall::Get, &answer(200, "etag", "\"7\"", "x"));
        assert_eq!(found, Ok(Said::Answer(StoreAnswer::Found { value: b"x".to_vec(), revision: 7 })));
        assert_eq!(
            said(&StoreCall::Get, &error(ErrorCode::KeyNotFound)),
            Ok(Said::Answer(StoreAnswer::Absent))
        );
    }

    #[test]
    fn an_unknown_outcome_is_not_a_refusal() {
        let put = StoreCall::Put { value: vec![1] };
        assert_eq!(said(&put, &error(ErrorCode::OutcomeUnknown)), Ok(Said::Unknown));
        assert_eq!(said(&put, &error(ErrorCode::Unavailable)), Ok(Said::Refused(ErrorCode::Unavailable)));
    }

    /// Seed 851: the leader's disk was full, it had no room for the next file of its log, and the simulator
    /// took its refusal for an answer that it never gives.
    #[test]
    fn a_full_disk_refuses_writes_only() {
        let full = error(ErrorCode::DiskFull);
        let put = StoreCall::Put { value: vec![1] };
        for call in [put, StoreCall::Delete, StoreCall::DeleteIf { revision: 1 }] {
            assert_eq!(said(&call, &full), Ok(Said::Refused(ErrorCode::DiskFull)), "{call}");
        }
        assert!(said(&StoreCall::Get, &full).is_err(), "reads still work");
    }

    #[test]
    fn what_the_api_does_not_say_is_an_error() {
        let put = StoreCall::Put { value: vec![1] };
        assert!(said(&put, &error(ErrorCode::PreconditionFailed)).is_err(), "it was not conditional");
        assert!(said(&put, &error(ErrorCode::KeyNotFound)).is_err());
        assert!(
            said(&StoreCall::Get, &error(ErrorCode::Compacted)).is_err(),
            "it is the newest that is asked for"
        );
        assert!(said(&StoreCall::Get, &answer(200, "x", "y", "value")).is_err(), "no entity tag");
        assert!(said(&put, &answer(500, "x", "y", "oops")).is_err());
    }
}
