//! The JSON form of a key.

use quorate_kv::KeyValue;
use serde::{Deserialize, Serialize, Serializer};

use crate::item::Item;

/// The answer to `GET /v1/kv/{key}` for a client that accepts `application/json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAnswer {
    /// The key with its value.
    pub item: Item,
    /// The store's revision that the answer reflects.
    pub revision: u64,
}

impl KeyAnswer {
    /// The answer about `key`.
    pub fn new(key: bytes::Bytes, found: KeyValue, revision: u64) -> Self {
        Self { item: Item::new(key, found), revision }
    }
}

#[derive(Serialize, Deserialize)]
struct KeyAnswerForm<I> {
    #[serde(flatten)]
    item: I,
    #[serde(with = "crate::decimal")]
    revision: u64,
}

impl Serialize for KeyAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        KeyAnswerForm { item: &self.item, revision: self.revision }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyAnswer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let KeyAnswerForm { item, revision } = KeyAnswerForm::deserialize(deserializer)?;
        Ok(Self { item, revision })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn the_form_holds_still() {
        let mut answer = KeyAnswer {
            item: Item {
                key: Bytes::from("k"),
                value: Some(Bytes::from("v\n")),
                create_revision: 3,
                mod_revision: 5,
                version: 2,
            },
            revision: u64::MAX,
        };
        let json = r#"{"key":"k","value":"v\n","create_revision":"3","mod_revision":"5","version":"2","revision":"18446744073709551615"}"#;
        assert_eq!(serde_json::to_string(&answer).expect("serialises"), json);
        assert_eq!(serde_json::from_str::<KeyAnswer>(json).expect("parses"), answer);

        answer.item.key = Bytes::from_static(b"\xff");
        answer.item.value = Some(Bytes::from_static(b"\0\xfe"));
        let json = r#"{"key_base64":"/w==","value_base64":"AP4=","create_revision":"3","mod_revision":"5","version":"2","revision":"18446744073709551615"}"#;
        assert_eq!(serde_json::to_string(&answer).expect("serialises"), json);
        assert_eq!(serde_json::from_str::<KeyAnswer>(json).expect("parses"), answer);
    }
}
