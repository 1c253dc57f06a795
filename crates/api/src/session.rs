//! Sessions: `POST /v1/sessions`, and the header that makes a write safe to repeat.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decimal;
use crate::decimal::lenient::Number;

/// The body of `POST /v1/sessions`. An empty body stands for all defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenSessionBody {
    /// After how long without a sign of life the session expires, in milliseconds; `None` for the default of
    /// [`quorate_kv::SESSION_TTL_MS_DEFAULT`].
    pub ttl_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = OpenSessionBody))]
struct OpenSessionForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<Number>,
}

#[cfg(feature = "openapi")]
crate::schema_of::schema_of!(OpenSessionBody, OpenSessionForm);

impl Serialize for OpenSessionBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OpenSessionForm { ttl_ms: self.ttl_ms.map(Number) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OpenSessionBody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = OpenSessionForm::deserialize(deserializer)?;
        Ok(Self { ttl_ms: form.ttl_ms.map(|Number(ttl_ms)| ttl_ms) })
    }
}

/// The answer to `POST /v1/sessions` and `POST /v1/sessions/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionAnswer {
    /// The session.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub session: u64,
    /// After how long without a sign of life it expires, in milliseconds.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub ttl_ms: u64,
}

/// The value of [`crate::headers::IDEMPOTENCY_KEY`]: `12:7` is the write with number 7 of session 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The session.
    pub session: u64,
    /// The number of the write in its session.
    pub sequence: u64,
}

impl IdempotencyKey {
    /// Reads the header's value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (session, sequence) = std::str::from_utf8(value).ok()?.split_once(':')?;
        Some(Self { session: decimal::parse(session)?, sequence: decimal::parse(sequence)? })
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.session, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::parse_body;

    #[test]
    fn idempotency_keys_come_back() {
        let key = IdempotencyKey { session: 12, sequence: u64::MAX };
        assert_eq!(key.to_string(), "12:18446744073709551615");
        assert_eq!(IdempotencyKey::parse(key.to_string().as_bytes()), Some(key));
        for value in
            ["", ":", "1", "1:", ":1", "1:2:3", "-1:2", "1: 2", "a:b", "1:18446744073709551616", "\u{661}:1"]
        {
            assert_eq!(IdempotencyKey::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(IdempotencyKey::parse(b"\xff:1"), None);
    }

    #[test]
    fn the_forms_hold_still() {
        for (json, ttl_ms) in
            [("{}", None), (r#"{"ttl_ms":60000}"#, Some(60_000)), (r#"{"ttl_ms":"1"}"#, Some(1))]
        {
            assert_eq!(parse_body(json.as_bytes()), Ok(OpenSessionBody { ttl_ms }));
        }
        assert!(parse_body::<OpenSessionBody>(br#"{"ttl":1}"#).is_err());
        let body = OpenSessionBody { ttl_ms: Some(60_000) };
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"ttl_ms":"60000"}"#);
        let answer = SessionAnswer { session: 12, ttl_ms: 60_000 };
        assert_eq!(
            serde_json::to_string(&answer).expect("serialises"),
            r#"{"session":"12","ttl_ms":"60000"}"#
        );
    }
}
