//! What clients ask as HTTP requests, and HTTP answers as what clients are told.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Full;
use quorate_api::changes::ChangesParameters;
use quorate_api::{
    ChangesAnswer, CompactAnswer, CompactBody, Consistency, CountAnswer, DeleteRangeAnswer,
    DeleteRangeParameters, ErrorBody, ErrorCode, KEY_PATH_PREFIX, OpenSessionBody, Order, RANGE_PATH,
    RangeAnswer, RangeParameters, SESSIONS_PATH, SessionAnswer, SettingsBody, TransactionAnswer,
    TransactionBody, condition, headers, key, query,
};
use quorate_kv::{Command, Condition, KeyEntry, KeyValue, RangeForm, RangeQuery};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::http::Answer;
use crate::oracles::store::{After, Asked, Effect, Told};

/// The request that asks for something, with the time limit that is asked of the server.
pub(super) fn request(asked: &Asked, timeout: Duration) -> Request<Full<Bytes>> {
    match asked {
        Asked::Get { key, revision, consistency } => {
            let mut path = key_path(key, timeout);
            if let Some(revision) = revision {
                path.push_str(&format!("&{}={revision}", query::REVISION));
            }
            if *consistency != Consistency::Linearizable {
                path.push_str(&format!("&{}={}", query::CONSISTENCY, consistency.name()));
            }
            build(Method::GET, path, Bytes::new(), &[])
        }
        Asked::Range { query, after, consistency } => {
            let parameters = range_parameters(query, after.as_ref(), *consistency, timeout);
            build(Method::GET, format!("{RANGE_PATH}?{}", parameters.to_query()), Bytes::new(), &[])
        }
        Asked::Changes { from, limit } => {
            let parameters = ChangesParameters {
                from: *from,
                limit: Some(*limit),
                timeout: Some(timeout),
                ..ChangesParameters::default()
            };
            let path = format!("{}?{}", quorate_api::REVISIONS_PATH, parameters.to_query());
            build(Method::GET, path, Bytes::new(), &[])
        }
        Asked::Write { command, session } => {
            let mut extra = Vec::new();
            if let Some((key, below)) = session {
                let name = format!("{}:{}", key.session, key.sequence);
                extra.push((headers::IDEMPOTENCY_KEY, name));
                extra.push((headers::ACKNOWLEDGED_BELOW, below.to_string()));
            }
            write_request(command, extra, timeout)
        }
    }
}

fn write_request(
    command: &Command,
    mut extra: Vec<(&'static str, String)>,
    timeout: Duration,
) -> Request<Full<Bytes>> {
    let limited = |path: &str| format!("{path}?{}={}", query::TIMEOUT, query::format_timeout(timeout));
    let (method, path, body) = match command {
        Command::Put { key, value, condition } => {
            extra.extend(condition::header_of_condition(*condition));
            (Method::PUT, key_path(key, timeout), value.clone())
        }
        Command::Delete { key, condition } => {
            extra.extend(condition::header_of_condition(*condition));
            (Method::DELETE, key_path(key, timeout), Bytes::new())
        }
        Command::DeleteRange { range, .. } => {
            let parameters = DeleteRangeParameters { range: range.clone(), timeout: Some(timeout) };
            (Method::DELETE, format!("{RANGE_PATH}?{}", parameters.to_query()), Bytes::new())
        }
        Command::Transaction(transaction) => {
            let body = TransactionBody(transaction.clone());
            (Method::POST, limited(quorate_api::TRANSACTION_PATH), json(&body))
        }
        Command::Compact { revision } => {
            (Method::POST, limited(quorate_api::COMPACT_PATH), json(&CompactBody { revision: *revision }))
        }
        Command::ChangeSettings { changes } => {
            let named = changes.iter().map(|it| (it.setting.description().name.to_owned(), it.value));
            (Method::PUT, limited(quorate_api::SETTINGS_PATH), json(&SettingsBody(named.collect())))
        }
        Command::OpenSession { ttl_ms } => {
            let body = OpenSessionBody { ttl_ms: Some(*ttl_ms) };
            (Method::POST, limited(SESSIONS_PATH), json(&body))
        }
        Command::KeepSession { session } => {
            (Method::POST, limited(&format!("{SESSIONS_PATH}/{session}")), Bytes::new())
        }
        Command::CloseSession { session } => {
            (Method::DELETE, limited(&format!("{SESSIONS_PATH}/{session}")), Bytes::new())
        }
        Command::Sweep { .. } | Command::MarkDigest | Command::CheckDigest { .. } | Command::InSession(_) => {
            unreachable!("clients cannot ask for {command:?}")
        }
    };
    build(method, path, body, &extra)
}

fn build(method: Method, path: String, body: Bytes, extra: &[(&str, String)]) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header(header::HOST, "quorate");
    for (name, value) in extra {
        builder = builder.header(*name, value);
    }
    builder.body(Full::new(body)).expect("keys are encoded and numbers are digits")
}

fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("wire types can be written as JSON").into()
}

fn key_path(key: &[u8], timeout: Duration) -> String {
    let (key, timeout) = (key::encode_key(key), query::format_timeout(timeout));
    format!("{KEY_PATH_PREFIX}{key}?{}={timeout}", query::TIMEOUT)
}

fn range_parameters(
    query: &RangeQuery,
    after: Option<&After>,
    consistency: Consistency,
    timeout: Duration,
) -> RangeParameters {
    RangeParameters {
        range: Some(query.range.clone()),
        limit: query.limit,
        order: Order::from(query.direction),
        keys_only: query.form == RangeForm::Keys,
        count_only: query.form == RangeForm::Count,
        revision: if after.is_some() { None } else { query.revision },
        cursor: after.map(|after| after.cursor.clone()),
        consistency: Some(consistency),
        timeout: Some(timeout),
        ..RangeParameters::default()
    }
}

/// What an answer tells. An answer that our API does not give is an error.
pub(super) fn told(asked: &Asked, answer: &Answer) -> Result<Told, String> {
    if answer.status.is_success() {
        return told_success(asked, answer);
    }
    let unexpected = || {
        let body = String::from_utf8_lossy(&answer.body);
        format!("\"{asked}\" was answered with {}: {body}", answer.status)
    };
    let body: ErrorBody = serde_json::from_slice(&answer.body).map_err(|_| unexpected())?;
    let code =
        body.error_code().filter(|code| code.status() == answer.status.as_u16()).ok_or_else(unexpected)?;
    refusal(asked, code, &answer.headers)?.ok_or_else(unexpected)
}

fn told_success(asked: &Asked, answer: &Answer) -> Result<Told, String> {
    match asked {
        Asked::Get { .. } => {
            let found = KeyValue {
                value: answer.body.clone(),
                create_revision: number(&answer.headers, headers::CREATE_REVISION)?,
                mod_revision: entity_tag(&answer.headers)?,
                version: number(&answer.headers, headers::VERSION)?,
            };
            Ok(Told::Found { revision: number(&answer.headers, headers::REVISION)?, found: Some(found) })
        }
        Asked::Range { query, .. } if query.form == RangeForm::Count => {
            let CountAnswer { revision, count } = parse(answer)?;
            Ok(Told::Count { revision, count })
        }
        Asked::Range { .. } => {
            let RangeAnswer { revision, items, next_cursor } = parse(answer)?;
            let entry = |item: quorate_api::Item| KeyEntry {
                key: item.key,
                value: item.value,
                create_revision: item.create_revision,
                mod_revision: item.mod_revision,
                version: item.version,
            };
            Ok(Told::Page { revision, entries: items.into_iter().map(entry).collect(), next: next_cursor })
        }
        Asked::Changes { .. } => {
            let ChangesAnswer { revision, changes, next_from } = parse(answer)?;
            Ok(Told::Changes { revision, changes, next_from })
        }
        Asked::Write { command, .. } => {
            let effect = effect(command, answer)?;
            Ok(Told::Wrote { effect, replayed: answer.headers.contains_key(headers::REPLAYED) })
        }
    }
}

fn effect(command: &Command, answer: &Answer) -> Result<Effect, String> {
    let header = |name| number(&answer.headers, name);
    Ok(match command {
        Command::Put { .. } => {
            let (revision, create_revision) = (header(headers::REVISION)?, header(headers::CREATE_REVISION)?);
            let is_new = answer.status == StatusCode::CREATED;
            if is_new != (revision == create_revision) {
                return Err(format!("a put was answered with {} and {:?}", answer.status, answer.headers));
            }
            Effect::Put { revision, create_revision, version: header(headers::VERSION)? }
        }
        Command::Delete { .. } => Effect::Deleted { revision: header(headers::REVISION)? },
        Command::DeleteRange { .. } => {
            let DeleteRangeAnswer { revision, deleted, more } = parse(answer)?;
            Effect::RangeDeleted { revision, deleted, more }
        }
        Command::Transaction(_) => Effect::Transaction(parse::<TransactionAnswer>(answer)?),
        Command::OpenSession { .. } => {
            let SessionAnswer { session, ttl_ms } = parse(answer)?;
            Effect::SessionOpened { session, ttl_ms }
        }
        Command::KeepSession { .. } => Effect::SessionKept { ttl_ms: parse::<SessionAnswer>(answer)?.ttl_ms },
        Command::CloseSession { .. } => Effect::SessionClosed,
        Command::Compact { .. } => Effect::Compacted { oldest: parse::<CompactAnswer>(answer)?.compacted },
        Command::ChangeSettings { .. } => Effect::SettingsChanged,
        _ => return Err(format!("clients cannot ask for {command:?}")),
    })
}

/// What an error tells; `None` if it is none that goes with the request.
fn refusal(asked: &Asked, code: ErrorCode, headers: &HeaderMap) -> Result<Option<Told>, String> {
    let replayed = headers.contains_key(headers::REPLAYED);
    let is_conditional = match asked {
        Asked::Write {
            command: Command::Put { condition, .. } | Command::Delete { condition, .. }, ..
        } => *condition != Condition::Always,
        _ => false,
    };
    Ok(Some(match (code, asked) {
        (ErrorCode::KeyNotFound, Asked::Get { .. }) => {
            Told::Found { revision: number(headers, headers::REVISION)?, found: None }
        }
        (ErrorCode::KeyNotFound, Asked::Write { command: Command::Delete { .. }, .. }) => Told::Wrote {
            effect: Effect::NotFound { revision: number(headers, headers::REVISION)? },
            replayed,
        },
        (ErrorCode::PreconditionFailed, _) if is_conditional => {
            let current = if headers.contains_key(header::ETAG) { Some(entity_tag(headers)?) } else { None };
            Told::Wrote { effect: Effect::ConditionFailed { current }, replayed }
        }
        (code, _) if code.outcome_unknown() => Told::Unknown,
        (code, Asked::Write { .. }) if Effect::is_decided_by_log(code) => {
            Told::Wrote { effect: Effect::Refused(code), replayed }
        }
        // The log decides, unless the node has seen already that it is too much.
        (
            ErrorCode::ValueTooLarge | ErrorCode::TooManyOperations | ErrorCode::TooManyComparisons,
            Asked::Write { .. },
        ) => Told::Wrote { effect: Effect::Refused(code), replayed },
        (ErrorCode::DiskFull, Asked::Write { .. }) => Told::Refused { code, oldest: None },
        (
            ErrorCode::Compacted | ErrorCode::FutureRevision | ErrorCode::BadCursor,
            Asked::Get { .. } | Asked::Range { .. } | Asked::Changes { .. },
        ) => {
            let has_oldest = headers.contains_key(headers::OLDEST_REVISION);
            let oldest = if has_oldest { Some(number(headers, headers::OLDEST_REVISION)?) } else { None };
            Told::Refused { code, oldest }
        }
        // A node whose disk was damaged says so until it has stopped.
        (ErrorCode::Damaged, _) => Told::Refused { code, oldest: None },
        (code, _) if code.is_retryable() => Told::Refused { code, oldest: None },
        _ => return Ok(None),
    }))
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&answer.body)))
}

/// How old the state was that a stale read shows, if the node knew.
pub(super) fn age(answer: &Answer) -> Option<Duration> {
    number(&answer.headers, headers::AGE_MS).ok().map(Duration::from_millis)
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<u64, String> {
    let value = headers.get(name).ok_or_else(|| format!("an answer has no {name}"))?;
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{name} is {value:?}, not a number"))
}

pub(super) fn entity_tag(headers: &HeaderMap) -> Result<u64, String> {
    let tag = headers.get(header::ETAG).ok_or("an answer has no entity tag")?;
    condition::parse_entity_tag(tag.as_bytes())
        .ok_or_else(|| format!("the entity tag {tag:?} is not a revision"))
}
