//! `GET /v1/revisions`: what changed, revision by revision.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use quorate_kv::{KeyChange, KeyValue};
use serde::{Deserialize, Serialize, Serializer};

use crate::bytes_form::BytesForm;
use crate::consistency::Consistency;
use crate::query::{self, BadQuery, Parameters};

/// The first revision to list.
pub const FROM: &str = "from";
/// How many revisions at most.
pub const LIMIT: &str = "limit";

/// The query of `GET /v1/revisions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangesParameters {
    /// The first revision to list; 0, the default, for the first one there ever was.
    pub from: u64,
    /// How many revisions at most; all by default, as far as they fit into one answer.
    pub limit: Option<u64>,
    /// How fresh the answer has to be.
    pub consistency: Option<Consistency>,
    /// Of a stale read: how old the state may have been when the request arrived.
    pub max_staleness: Option<Duration>,
    /// How long the request may take.
    pub timeout: Option<Duration>,
}

impl ChangesParameters {
    /// Reads a raw query.
    pub fn parse(raw_query: &str) -> Result<Self, BadQuery> {
        let (mut from, mut limit, mut consistency, mut max_staleness, mut timeout) =
            (None, None, None, None, None);
        for (name, value) in Parameters::of(raw_query) {
            match name {
                FROM => query::once(name, &mut from, query::number(name, value)?)?,
                LIMIT => query::once(name, &mut limit, query::number(name, value)?)?,
                query::CONSISTENCY => query::once(name, &mut consistency, query::consistency(value)?)?,
                query::MAX_STALENESS => {
                    query::once(name, &mut max_staleness, query::max_staleness(value)?)?;
                }
                query::TIMEOUT => query::once(name, &mut timeout, query::timeout(value)?)?,
                _ => return Err(query::unknown(name)),
            }
        }
        query::check_staleness(consistency, max_staleness)?;
        match limit {
            Some(0) => Err(BadQuery::new("limit is 1 or more")),
            limit => Ok(Self { from: from.unwrap_or(0), limit, consistency, max_staleness, timeout }),
        }
    }

    /// Writes them as a raw query that [`ChangesParameters::parse`] reads.
    pub fn to_query(&self) -> String {
        let mut query = query::Writer::default();
        query.add(FROM, &self.from.to_string());
        if let Some(limit) = self.limit {
            query.add(LIMIT, &limit.to_string());
        }
        if let Some(consistency) = self.consistency {
            query.add(query::CONSISTENCY, consistency.name());
        }
        if let Some(max_staleness) = self.max_staleness {
            query.add(query::MAX_STALENESS, &query::format_duration(max_staleness));
        }
        if let Some(timeout) = self.timeout {
            query.add(query::TIMEOUT, &query::format_timeout(timeout));
        }
        query.finish()
    }
}

/// The answer to `GET /v1/revisions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangesAnswer {
    /// The newest revision there is.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub revision: u64,
    /// The changes in order, of whole revisions only.
    pub changes: Vec<Change>,
    /// The first revision that is not in the answer, to go on from: at the end, the one after the newest.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub next_from: u64,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ChangeForm<'static>")]
pub struct Change {
    /// The revision of the write.
    pub revision: u64,
    /// The number of the change in its write, from 0.
    pub sub_index: u32,
    /// The key.
    pub key: Bytes,
    /// What was put, or `None` if the key was deleted.
    pub put: Option<PutChange>,
}

/// What a put left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutChange {
    /// The value.
    pub value: Bytes,
    /// The revision at which the key was created.
    pub create_revision: u64,
    /// How often it was put since then.
    pub version: u64,
}

impl From<KeyChange> for Change {
    fn from(change: KeyChange) -> Self {
        let KeyChange { revision, sub_index, key, key_value } = change;
        let put = key_value.map(|KeyValue { value, create_revision, version, mod_revision: _ }| PutChange {
            value,
            create_revision,
            version,
        });
        Self { revision, sub_index, key, put }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
enum ChangeType {
    Put,
    Delete,
}

/// A change as it stands in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Change))]
struct ChangeForm<'change> {
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    revision: u64,
    sub_index: u32,
    r#type: ChangeType,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key: Option<Cow<'change, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key_base64: Option<Cow<'change, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value: Option<Cow<'change, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value_base64: Option<Cow<'change, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    create_revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::decimal::optional")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    version: Option<u64>,
}

#[cfg(feature = "openapi")]
crate::schema_of::schema_of!(Change, ChangeForm<'static>);

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = BytesForm::of(&self.key);
        let value = BytesForm::of_optional(self.put.as_ref().map(|put| &put.value));
        let form = ChangeForm {
            revision: self.revision,
            sub_index: self.sub_index,
            r#type: if self.put.is_some() { ChangeType::Put } else { ChangeType::Delete },
            key: key.text,
            key_base64: key.base64,
            value: value.text,
            value_base64: value.base64,
            create_revision: self.put.as_ref().map(|put| put.create_revision),
            version: self.put.as_ref().map(|put| put.version),
        };
        form.serialize(serializer)
    }
}

impl TryFrom<ChangeForm<'_>> for Change {
    type Error = String;

    fn try_from(form: ChangeForm<'_>) -> Result<Self, String> {
        let value = BytesForm { text: form.value, base64: form.value_base64 };
        let put = match form.r#type {
            ChangeType::Delete => None,
            ChangeType::Put => Some(PutChange {
                value: value.required("value")?,
                create_revision: form.create_revision.ok_or("create_revision is missing")?,
                version: form.version.ok_or("version is missing")?,
            }),
        };
        let key = BytesForm { text: form.key, base64: form.key_base64 }.required("key")?;
        Ok(Self { revision: form.revision, sub_index: form.sub_index, key, put })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_holds_still() {
        let answer = ChangesAnswer {
            revision: 9,
            changes: vec![
                Change {
                    revision: 3,
                    sub_index: 0,
                    key: Bytes::from("k"),
                    put: Some(PutChange { value: Bytes::from("v"), create_revision: 2, version: 2 }),
                },
                Change { revision: 3, sub_index: 1, key: Bytes::from_static(b"\xff"), put: None },
            ],
            next_from: 4,
        };
        let json = concat!(
            r#"{"revision":"9","changes":["#,
            r#"{"revision":"3","sub_index":0,"type":"put","key":"k","value":"v","create_revision":"2","version":"2"},"#,
            r#"{"revision":"3","sub_index":1,"type":"delete","key_base64":"/w=="}],"next_from":"4"}"#
        );
        assert_eq!(serde_json::to_string(&answer).expect("serialises"), json);
        assert_eq!(serde_json::from_str::<ChangesAnswer>(json).expect("parses"), answer);
    }

    #[test]
    fn the_query_is_read_and_written() {
        let parameters = ChangesParameters::parse("from=7&limit=2&timeout=1s").expect("is a query");
        assert_eq!((parameters.from, parameters.limit), (7, Some(2)));
        assert_eq!(parameters.to_query(), "from=7&limit=2&timeout=1000ms");
        assert_eq!(ChangesParameters::parse(""), Ok(ChangesParameters::default()));
        for query in ["limit=0", "from=-1", "from=1&from=2", "to=3"] {
            assert!(ChangesParameters::parse(query).is_err(), "{query}");
        }
    }
}
