//! Reading what a request about one key says, strictly: what is not understood is refused by name, because
//! a write that silently lost its condition is worse than one that was not done.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::{self, HeaderMap, HeaderValue};
use quorate_api::key::KEY_BYTES_MAX;
use quorate_api::query::{self, Parameters};
use quorate_api::{Condition, ErrorCode, KEY_PATH_PREFIX, condition, key};

use super::request::{bad_header, unsupported};
use crate::failure::Failure;

/// What the query of a request says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) consistency: Option<quorate_api::Consistency>,
    pub(super) max_staleness: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) revision: Option<u64>,
}

/// The key in the raw path.
pub(super) fn key(uri: &Uri) -> Result<Bytes, Failure> {
    let encoded = uri.path().strip_prefix(KEY_PATH_PREFIX).unwrap_or_default();
    decoded_key(encoded, "the key is empty: it stands behind /v1/kv/")
}

/// A key that stands percent-encoded in a path. `if_empty` says what is wrong if it is empty.
pub(crate) fn decoded_key(encoded: &str, if_empty: &'static str) -> Result<Bytes, Failure> {
    let key = key::decode_key(encoded.as_bytes())
        .map_err(|bad_escape| Failure::new(ErrorCode::BadKey, bad_escape.to_string()))?;
    checked_key(key, if_empty)
}

/// A key, if it is none that no store could have. `if_empty` says what is wrong if it is empty.
pub(crate) fn checked_key(key: Vec<u8>, if_empty: &'static str) -> Result<Bytes, Failure> {
    match key.len() {
        0 => Err(Failure::new(ErrorCode::KeyEmpty, if_empty)),
        1..=KEY_BYTES_MAX => Ok(Bytes::from(key)),
        length => Err(Failure::new(
            ErrorCode::KeyTooLong,
            format!("the key has {length} bytes; the limit is {KEY_BYTES_MAX} bytes"),
        )),
    }
}

/// The query. `is_read`: whether a consistency and a revision may be asked for.
pub(super) fn query(uri: &Uri, is_read: bool) -> Result<Query, Failure> {
    let mut parsed = Query::default();
    for (name, value) in Parameters::of(uri.query().unwrap_or_default()) {
        match name {
            query::CONSISTENCY if is_read => {
                query::once(name, &mut parsed.consistency, query::consistency(value)?)?;
            }
            query::MAX_STALENESS if is_read => {
                query::once(name, &mut parsed.max_staleness, query::max_staleness(value)?)?;
            }
            query::REVISION if is_read => {
                query::once(name, &mut parsed.revision, query::number(name, value)?)?;
            }
            query::TIMEOUT => query::once(name, &mut parsed.timeout, query::timeout(value)?)?,
            _ => return Err(query::unknown(name).into()),
        }
    }
    query::check_staleness(parsed.consistency, parsed.max_staleness)?;
    Ok(parsed)
}

/// The condition of a write.
pub(super) fn write_condition(headers: &HeaderMap) -> Result<Condition, Failure> {
    let mut found: Option<Condition> = None;
    // One walk: a request has a handful of headers, and a look-up for each name would cost more.
    for (name, value) in headers {
        let condition = match *name {
            header::IF_MATCH => condition::condition_of_if_match(value.as_bytes()),
            header::IF_NONE_MATCH => condition::condition_of_if_none_match(value.as_bytes()),
            header::IF_UNMODIFIED_SINCE
            | header::IF_MODIFIED_SINCE
            | header::IF_RANGE
            | header::CONTENT_RANGE => {
                return Err(unsupported(name));
            }
            _ => continue,
        };
        let condition = condition.map_err(|bad| bad_header(bad.to_string()))?;
        if found.replace(condition).is_some() {
            return Err(bad_header("If-Match and If-None-Match: a write takes one condition"));
        }
    }
    Ok(found.unwrap_or(Condition::Always))
}

/// The `If-None-Match` of a read, if it has one.
pub(super) fn read_if_none_match(headers: &HeaderMap) -> Result<Option<HeaderValue>, Failure> {
    let mut found: Option<HeaderValue> = None;
    for (name, value) in headers {
        match *name {
            header::IF_NONE_MATCH => {
                // Checked before the store is asked, so that a bad header is refused whatever is there.
                if condition::if_none_match_covers(value.as_bytes(), 0).is_none() {
                    return Err(bad_header("If-None-Match takes revisions in quotes, like \"17\", or *"));
                }
                if found.replace(value.clone()).is_some() {
                    return Err(bad_header("If-None-Match is given twice"));
                }
            }
            header::IF_MATCH => return Err(unsupported(name)),
            // Ranges, dates and the rest may be ignored by a server that does not support them.
            _ => {}
        }
    }
    Ok(found)
}
