//! `POST /v1/compact` and `/v1/settings`.

use std::fmt;

use quorate_kv::{SettingChange, SettingDescription};
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::lenient::Number;

/// The body of `POST /v1/compact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompactBody {
    #[serde(with = "number")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::decimal::lenient::Number))]
    /// The oldest revision that stays readable.
    pub revision: u64,
}

/// The answer to `POST /v1/compact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompactAnswer {
    /// The oldest revision that can be read, because of this or an earlier compaction.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub compacted: u64,
}

/// The answer to `GET /v1/settings` and `PUT /v1/settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsAnswer {
    /// Every setting.
    pub settings: Vec<SettingAnswer>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingAnswer {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub value: u64,
    /// Its value in a new store.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub default: u64,
    /// The least value that it can have.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub minimum: u64,
    /// The greatest value that it can have.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub maximum: u64,
    /// What the numbers count.
    pub unit: String,
    /// What it decides, in one line.
    pub description: String,
}

impl From<SettingChange> for SettingAnswer {
    fn from(SettingChange { setting, value }: SettingChange) -> Self {
        let SettingDescription { setting: _, name, unit, default, minimum, maximum, description } =
            *setting.description();
        let (name, unit, description) = (name.to_owned(), unit.to_owned(), description.to_owned());
        Self { name, value, default, minimum, maximum, unit, description }
    }
}

/// The body of `PUT /v1/settings`: `{"value_bytes_max": 2097152}`. Names may be unknown; each is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsBody(pub Vec<(String, u64)>);

impl Serialize for SettingsBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, &Number(*value))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SettingsBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = SettingsBody;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the names and values of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SettingsBody, A::Error> {
        let mut settings: Vec<(String, u64)> = Vec::new();
        while let Some((name, Number(value))) = map.next_entry::<String, Number>()? {
            if settings.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            settings.push((name, value));
        }
        Ok(SettingsBody(settings))
    }
}

/// A number of a request in a field of its own.
pub(crate) mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::decimal::lenient::Number;

    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Number(*number).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Number::deserialize(deserializer).map(|Number(number)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::parse_body;

    #[test]
    fn settings_are_read_and_written() {
        let body: SettingsBody = parse_body(br#"{"b":"1","a":2}"#).expect("parses");
        assert_eq!(body, SettingsBody(vec![("b".to_owned(), 1), ("a".to_owned(), 2)]));
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"b":"1","a":"2"}"#);
        for (json, mention) in [
            (r#"{"a":1,"a":1}"#, "duplicate field `a`"),
            (r#"{"a":-1}"#, "at a: "),
            (r#"[1]"#, "names and values"),
            (r#"{"a":1"#, "EOF"),
        ] {
            let found = parse_body::<SettingsBody>(json.as_bytes()).expect_err(json).to_string();
            assert!(found.contains(mention), "{json}: {found}");
        }
    }

    #[test]
    fn the_forms_hold_still() {
        let answer = SettingsAnswer {
            settings: vec![SettingAnswer::from(SettingChange {
                setting: quorate_kv::Setting::DeleteRangeKeysMax,
                value: 7,
            })],
        };
        assert_eq!(
            serde_json::to_string(&answer).expect("serialises"),
            r#"{"settings":[{"name":"delete_range_keys_max","value":"7","default":"1000","minimum":"1","maximum":"10000","unit":"keys","description":"Keys that one command or one transaction deletes by ranges."}]}"#
        );
        let body: CompactBody = parse_body(br#"{"revision":100}"#).expect("parses");
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"revision":"100"}"#);
        assert!(parse_body::<CompactBody>(br#"{"revision":1,"physical":true}"#).is_err());
        assert!(parse_body::<CompactBody>(b"{}").is_err());
        let answer = CompactAnswer { compacted: 100 };
        assert_eq!(serde_json::to_string(&answer).expect("serialises"), r#"{"compacted":"100"}"#);
    }
}
